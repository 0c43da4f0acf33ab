//! Where the class activation map of a trained network lies.

use std::fs;

use drsn_bundle::{
    Bundle,
    baseline::most_likely,
    onnx::{CLASS_MAP, PROBABILITIES, with_class_map},
    runtime::{Provider, Runtime, Session},
};
use drsn_train::random::{Purpose, stream};
use ndarray::{Array3, Axis, Ix2, aview1, s};
use rand::{Rng, RngExt as _};

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, npy, said},
};

const WINDOW: usize = 256;
/// Windows of each class and of each test.
const WINDOWS: usize = 400;

/// Noise, and in one half of the window a train of decaying impulses if that half is given.
fn window(rng: &mut impl Rng, bursts: Option<usize>) -> Vec<f32> {
    // The sum of twelve uniform numbers is nearly normal.
    let mut sum = || (0..12).map(|_| rng.random::<f32>()).sum::<f32>();
    let mut samples: Vec<f32> = (0..WINDOW).map(|_| 0.2 * (sum() - 6.0)).collect();
    if let Some(half) = bursts {
        let begin = half * WINDOW / 2 + rng.random_range(0..20);
        for start in (begin..=(half + 1) * WINDOW / 2 - 12).step_by(24) {
            for (at, sample) in samples[start..start + 12].iter_mut().enumerate() {
                let time = at as f32;
                *sample += 1.5 * (-time / 4.0).exp() * (1.2566 * time + 0.5).sin();
            }
        }
    }
    samples
}

/// Trains a network that tells such windows from noise.
fn trained(normalization: &str) -> (Workspace, Bundle) {
    let workspace = Workspace::new();
    fs::remove_dir_all(workspace.path("data")).unwrap();
    let mut rng = stream(3, Purpose::Evaluation, 0, 0);
    for class in ["bursts", "quiet"] {
        let mut samples = Vec::new();
        for _ in 0..WINDOWS {
            let half = (class == "bursts").then(|| rng.random_range(0..2));
            samples.extend(window(&mut rng, half));
        }
        let folder = workspace.path("data").join(class);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("recording.npy"), npy(&samples)).unwrap();
    }
    let normalization = format!("data.normalization.kind={normalization}");
    let flags = ["--set", "data.hop=256", "--set", &normalization, "--seed", "1"];
    let output = workspace.command(&flags).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let bundle = Bundle::open(&workspace.bundle()).unwrap();
    (workspace, bundle)
}

/// The share of the map's positive values that lies in the half with the impulses.
fn share(runtime: &Runtime, bundle: &Bundle, half: usize) -> f32 {
    let mut rng = stream(4, Purpose::Evaluation, half as u64, 0);
    let mut inputs = Array3::zeros((WINDOWS, 1, WINDOW));
    for mut row in inputs.outer_iter_mut() {
        let mut samples = window(&mut rng, Some(half));
        bundle.manifest.input.prepare(&mut samples).unwrap();
        row.assign(&aview1(&samples).insert_axis(Axis(0)));
    }
    let model = with_class_map(&bundle.model, 1).unwrap().unwrap();
    let shape = bundle.manifest.input.shape();
    let mut session = Session::open(runtime, &model, &shape, Provider::Cpu).unwrap();
    let outputs = session.run(inputs.view().into_dyn()).unwrap();
    let map = outputs.get(CLASS_MAP).unwrap();
    let answers = outputs.get(PROBABILITIES).unwrap().into_dimensionality::<Ix2>().unwrap();
    let right = answers.rows().into_iter().filter(|row| most_likely(*row) == 0).count();
    assert!(right > WINDOWS * 8 / 10, "{right}");
    let middle = map.shape()[2] / 2;
    let positive = |part: std::ops::Range<usize>| -> f32 {
        map.slice(s![.., 0, part]).iter().map(|value| value.max(0.0)).sum()
    };
    let halves = [positive(0..middle), positive(middle..2 * middle)];
    halves[half] / halves.iter().sum::<f32>()
}

/// A network that takes signals as they are finds the impulses where they are.
#[test]
fn the_evidence_for_impulses_lies_in_the_half_of_the_window_that_has_them() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let (_workspace, bundle) = trained("none");
    for half in [0, 1] {
        let share = share(&runtime, &bundle, half);
        assert!(share >= 0.9, "half {half}: {share}");
    }
}

/// If each window is divided by its own standard deviation, then its quiet half is quieter than
/// noise alone ever is: that is evidence for impulses, and no less than they are.
#[test]
fn where_windows_are_normalized_the_quiet_half_is_evidence_too() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let (_workspace, bundle) = trained("z-score");
    for half in [0, 1] {
        let share = share(&runtime, &bundle, half);
        assert!((0.2..0.8).contains(&share), "half {half}: {share}");
    }
}
