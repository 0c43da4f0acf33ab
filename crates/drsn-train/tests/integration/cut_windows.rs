//! From windows that were cut beforehand to a bundle: a pair of tables, and an archive of arrays.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use drsn_bundle::{Bundle, InputSpec, SignalSpec};
use drsn_train::random::{Purpose, stream};
use flate2::Crc;
use rand::RngExt as _;

use crate::{skip, support::runtime, workspace::said};

const WINDOW: usize = 48;

/// A small network, and little noise.
const RECIPE: &str = r#"
seed = 3
epochs = 3
batch = 16
shards = 1
evaluate = ["gaussian@10dB"]
augmentation = { gain_db = 3.0 }
noise = { kind = "gaussian", snr_db = [10.0, 20.0] }
network = { unit = "cw", stem = { channels = 4, kernel = 5, stride = 2 }, stages = [{ channels = 8, blocks = 1, stride = 2 }], norm_epsilon = 1e-5, norm_momentum = 0.9 }
optimizer = { kind = "adam", learning_rate = 0.01 }
schedule = { kind = "constant" }
"#;

/// Windows of two classes, noise and tones, each with its class.
fn windows(count: usize, seed: u64) -> Vec<(usize, Vec<f32>)> {
    let mut rng = stream(seed, Purpose::Evaluation, 0, 0);
    let mut window = |input: usize| {
        let (class, phase) = (input % 2, rng.random_range(0.0..6.0_f32));
        let samples = (0..WINDOW).map(|at| {
            let tone = (phase + at as f32 * 0.6).sin() * class as f32;
            tone + rng.random_range(-0.3..0.3_f32)
        });
        (class, samples.collect())
    };
    (0..count).map(&mut window).collect()
}

/// A table without a header, as Kaggle's `mitbih_train.csv`.
fn table(windows: &[(usize, Vec<f32>)]) -> String {
    let row = |(class, samples): &(usize, Vec<f32>)| {
        let cells: Vec<String> = samples.iter().map(|sample| format!("{sample:.18e}")).collect();
        format!("{},{class}.000000000000000000e+00\n", cells.join(","))
    };
    windows.iter().map(row).collect()
}

/// An array in NumPy's format.
fn npy(kind: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes(), bytes].concat()
}

/// An archive of stored members, as `numpy.savez` writes it.
fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let name = format!("{name}.npy");
        let mut crc = Crc::new();
        crc.update(bytes);
        let size = (bytes.len() as u32).to_le_bytes();
        // Version, flags, method, time, date, checksum, sizes, lengths of the name and the rest.
        let mut common = [20, 0, 0, 0, 0, 0, 0, 0, 0, 0].to_vec();
        for part in [crc.sum().to_le_bytes(), size, size] {
            common.extend(part);
        }
        common.extend([name.len() as u8, 0, 0, 0]);
        let offset = (file.len() as u32).to_le_bytes();
        directory.extend([b"PK\x01\x02", &[20, 0][..], &common, &[0; 10], &offset].concat());
        directory.extend(name.as_bytes());
        file.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
    }
    let count = [members.len() as u8, 0];
    let place =
        [(directory.len() as u32).to_le_bytes(), (file.len() as u32).to_le_bytes()].concat();
    let end = [b"PK\x05\x06", &[0; 4][..], &count, &count, &place, &[0; 2]].concat();
    [file, directory, end].concat()
}

/// Trains on `data` by the recipe with this section for the data.
fn train(folder: &Path, data: &str, section: &str) -> Output {
    let recipe = folder.join("recipe.toml");
    fs::write(&recipe, format!("{RECIPE}[data]\nkind = \"windows\"\n{section}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
    command.args(["train", "--name", "beats", "--threads", "1"]);
    for (flag, value) in [
        ("--config", recipe),
        ("--data", folder.join(data)),
        ("--out", folder.join("models")),
        ("--checkpoint", folder.join("checkpoint")),
    ] {
        command.args([flag.as_ref(), value.as_os_str()]);
    }
    command.output().unwrap()
}

#[test]
fn a_pair_of_tables_becomes_a_bundle_with_a_baseline_and_a_report() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("mitbih_train.csv"), table(&windows(400, 1))).unwrap();
    fs::write(data.join("mitbih_test.csv"), table(&windows(100, 2))).unwrap();
    let section = "window = 48\nlabels = \"last\"\nclasses = [\"noise\", \"tone\"]\n\
                   normalization = { kind = \"z-score\", epsilon = 1e-8 }\n";
    let split = "split = { by = \"list\", held_out_share = 0.3 }\n";
    let output = train(folder.path(), "data", &format!("{section}{split}"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("the sample rate is unknown"), "{}", said(&output));
    let manifest = Bundle::open(&folder.path().join("models/beats/1")).unwrap().manifest;
    assert_eq!(manifest.classes, ["noise", "tone"]);
    assert!(manifest.baseline.is_some(), "120 held-out inputs");
    let report = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(report.into_iter().count() > 4, "a report is beside the checkpoint");
    // Without the column of the label, nothing is trained.
    let without = section.replace("labels = \"last\"\n", "");
    let output = train(folder.path(), "data", &format!("{without}{split}"));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_archive_of_arrays_is_split_by_its_groups() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let windows = windows(240, 3);
    let samples = windows.iter().flat_map(|(_, samples)| samples).flat_map(|x| x.to_le_bytes());
    let samples: Vec<u8> = samples.collect();
    let labels = windows.iter().map(|(class, _)| ["noise", "tone\0"][*class]);
    let labels: Vec<u8> = labels.flat_map(|label| label.bytes().take(5)).collect();
    let groups: Vec<u8> = (0..240_u32).map(|input| (input / 60) as u8).collect();
    let members = [
        ("X", npy("<f4", "240, 1, 48", &samples)),
        ("y", npy("|S5", "240,", &labels)),
        ("group", npy("|u1", "240,", &groups)),
    ];
    fs::write(folder.path().join("set.npz"), archive(&members)).unwrap();
    let section = "window = 48\nsample_rate_hz = 125\n\
                   normalization = { kind = \"z-score\", epsilon = 1e-8 }\n\
                   split = { by = \"group\", test = [\"3\"], held_out = [\"2\"] }\n";
    let output = train(folder.path(), "set.npz", section);
    assert!(output.status.success(), "{}", said(&output));
    let manifest = Bundle::open(&folder.path().join("models/beats/1")).unwrap().manifest;
    assert_eq!(manifest.classes, ["noise", "tone"]);
    let InputSpec::Signal(SignalSpec { channels, window, sample_rate_hz, .. }) = manifest.input
    else {
        panic!("{:?}", manifest.input)
    };
    assert_eq!((channels, window, sample_rate_hz), (1, 48, Some(125.0)));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("set test"), "{text}");
}
