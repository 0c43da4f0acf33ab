//! Public data sets in small: the names, folders and contents of the files are those of the
//! originals, except that most recordings are shorter and their signals made up.

use std::{fmt::Write as _, path::Path};

use super::files::{doubles, doubles_4, mat_file, signal, structure, table, text, wav, write};

/// Samples of the recordings whose length does not matter.
const SHORT: usize = 3 * 2048;

/// No public set: files of version 4, as older programs save them, in a folder for each class.
pub(super) fn version_4(folder: &Path) {
    for (class, name) in ["normal", "worn"].into_iter().enumerate() {
        for number in 0..2 {
            let samples = signal(class, number, 30_000);
            let variables = [doubles_4("rpm", &[1797.0]), doubles_4("DE_time", &samples)];
            write(folder.join(format!("{name}/{number}.mat")), variables.concat());
        }
    }
}

/// Paderborn: a structure that is named as the file, with the channels as a structure array `Y`.
pub(super) fn paderborn(folder: &Path) {
    let healthy = (1..7).map(|n| format!("K00{n}"));
    let outer = [1, 3, 4, 5, 6, 7, 8, 9, 15, 16, 22, 30].map(|n| format!("KA{n:02}"));
    let inner = [1, 3, 4, 5, 7, 8, 14, 16, 17, 18, 21].map(|n| format!("KI{n:02}"));
    let both = [23, 24, 27].map(|n| format!("KB{n}"));
    for (seed, code) in healthy.chain(outer).chain(inner).chain(both).enumerate() {
        let class = match &code[..2] {
            "K0" => 0,
            "KA" => 1,
            _ => 2,
        };
        let name = format!("N09_M07_F10_{code}_1");
        // Its length is that of the original.
        let samples = if code == "K001" { 256_823 } else { SHORT };
        let file = mat_file(&[paderborn_variable(&name, &signal(class, seed, samples))]);
        write(folder.join(format!("{code}/{name}.mat")), file);
    }
}

fn paderborn_variable(name: &str, vibration: &[f32]) -> Vec<u8> {
    let fast = vibration.len();
    let slow = fast / 16;
    let axis = |name: &str, step: f32, count: usize| {
        let times: Vec<f32> = (0..count).map(|n| n as f32 * step).collect();
        [text("", name), text("", "Double"), doubles("", &times), text("", "")].concat()
    };
    let times = [axis("HostService", 1.0 / 64e3, fast), axis("Mech_4kHz", 1.0 / 4e3, slow)];
    let noise = |seed, count| signal(3, seed, count);
    let channels = [
        ("force", noise(1, slow)),
        ("phase_current_1", noise(2, fast)),
        ("phase_current_2", noise(3, fast)),
        ("speed", noise(4, slow)),
        ("temp_2_bearing_module", vec![45.1; 5]),
        ("torque", noise(5, slow)),
        ("vibration_1", vibration.to_vec()),
    ];
    let channels = channels.map(|(name, values)| {
        [text("", name), text("", "Double"), doubles("", &values), text("", "")].concat()
    });
    let fields = ["Name", "Type", "Data", "Raster"];
    let parts = [
        text("", "made up"),
        structure([1, 2], "", &fields, &times.concat()),
        structure([1, 7], "", &fields, &channels.concat()),
        text("", name),
    ];
    structure([1, 1], name, &["Info", "X", "Y", "Description"], &parts.concat())
}

/// MFPT: a structure `bearing` with the signal `gs` and its sample rate `sr`.
pub(super) fn mfpt(folder: &Path) {
    let sets = [
        ("1 - Three Baseline Conditions", "baseline_", 3, 0, 97_656),
        ("2 - Three Outer Race Fault Conditions", "OuterRaceFault_", 3, 1, 97_656),
        ("3 - Seven More Outer Race Fault Conditions", "OuterRaceFault_vload_", 7, 1, 48_828),
        ("4 - Seven Inner Race Fault Conditions", "InnerRaceFault_vload_", 7, 2, 48_828),
    ];
    for (set, name, files, class, rate) in sets {
        for number in 1..=files {
            // The first lasts six seconds, as the original does.
            let count = if name == "baseline_" && number == 1 { 585_936 } else { 2 * SHORT };
            let mut values = [
                ("sr", doubles("", &[rate as f32])),
                ("gs", doubles("", &signal(class, number, count))),
                ("load", doubles("", &[270.0])),
                ("rate", doubles("", &[25.0])),
            ];
            // The fields of the faults have another order.
            if class > 0 {
                values.swap(1, 2);
            }
            let fields = values.each_ref().map(|(field, _)| *field);
            let values = values.map(|(_, value)| value).concat();
            let file = mat_file(&[structure([1, 1], "bearing", &fields, &values)]);
            write(folder.join(format!("{set}/{name}{number}.mat")), file);
        }
    }
    write(folder.join("6 - Real World Examples/readme.txt"), "made up");
}

/// IMS: text files that are named by the moment of the recording; the last ones of a test are those
/// of a failing bearing.
pub(super) fn ims(folder: &Path) {
    let tests = [
        ("1st_test", "2003.10.22.12", 8, &[4, 6][..]),
        ("2nd_test", "2004.02.12.10", 4, &[0]),
        ("4th_test/txt", "2004.03.04.09", 4, &[2]),
    ];
    for (seed, (test, hour, channels, failing)) in tests.into_iter().enumerate() {
        for number in 0..10 {
            let class = |channel| usize::from(number > 6 && failing.contains(&channel));
            let count = if seed == 0 && number == 0 { 20_480 } else { SHORT };
            let columns: Vec<Vec<f32>> = (0..channels)
                .map(|channel| signal(class(channel), 100 * seed + 10 * number + channel, count))
                .collect();
            let name = format!("{hour}.{number:02}.24");
            write(folder.join(test).join(name), table(&columns, '\t', "\r\n"));
        }
    }
}

/// XJTU-SY: two columns with names, a file a minute until the bearing has failed.
pub(super) fn xjtu(folder: &Path) {
    for (seed, condition) in ["35Hz12kN", "37.5Hz11kN", "40Hz10kN"].into_iter().enumerate() {
        for bearing in 1..=5 {
            for minute in 1..=10 {
                // What is the fault of which bearing does not matter here, except that they differ.
                let class = (seed + bearing) % 3;
                let count = if bearing == 1 && minute == 10 { 32_768 } else { SHORT };
                let axis = |axis| signal(class, 100 * seed + 10 * bearing + minute + axis, count);
                let name = format!("{condition}/Bearing{}_{bearing}/{minute}.csv", seed + 1);
                let header = "Horizontal_vibration_signals,Vertical_vibration_signals\n";
                let rows = table(&[axis(0), axis(500)], ',', "\n");
                write(folder.join(name), format!("{header}{rows}"));
            }
        }
    }
}

/// JNU: one column without a name.
pub(super) fn jnu(folder: &Path) {
    for (seed, speed) in [600, 800, 1000].into_iter().enumerate() {
        for (class, name) in ["n", "ib", "ob", "tb"].into_iter().enumerate() {
            let ending = if class == 0 { "_3_2" } else { "_2" };
            let rows = table(&[signal(class, seed, 30_000)], ',', "\n");
            write(folder.join(format!("{name}{speed}{ending}.csv")), rows);
        }
    }
}

/// SEU: sixteen lines, then eight columns between tabs, in one file between commas; each row ends
/// with a separator.
pub(super) fn seu(folder: &Path) {
    let states = ["health", "ball", "inner", "outer", "comb"];
    for (seed, setting) in ["20_0", "30_2"].into_iter().enumerate() {
        for (class, state) in states.into_iter().enumerate() {
            let name = format!("{state}_{setting}");
            let separator = if name == "ball_20_0" { ',' } else { '\t' };
            let mut above: Vec<String> =
                (1..16).map(|line| format!("Setting {line}{separator}{name}")).collect();
            let names: Vec<String> = (1..=8).map(|n| format!("Channel {n}{separator}")).collect();
            above.push(names.concat());
            let columns: Vec<Vec<f32>> =
                (0..8).map(|channel| signal(class, 10 * seed + channel, 24_000)).collect();
            let rows = table(&columns, separator, &format!("{separator}\n"));
            let path = folder.join(format!("bearingset/{name}.csv"));
            write(path, format!("{}\n{rows}", above.join("\n")));
        }
    }
}

/// Kaggle's heartbeats: 187 samples from 0 to 1, filled with zeros, and the class as a number with
/// a point.
pub(super) fn heartbeats(folder: &Path) {
    for (seed, (name, beats)) in [("train", 20), ("test", 4)].into_iter().enumerate() {
        let mut rows = String::new();
        for beat in 0..5 * beats {
            let class = beat % 5;
            let mut samples = signal(class, 100 * seed + beat, 187);
            for sample in &mut samples {
                *sample = f32::midpoint(*sample, 1.0);
            }
            samples[120..].fill(0.0);
            for sample in samples {
                let _ = write!(rows, "{sample:.18e},");
            }
            let _ = writeln!(rows, "{:.18e}", class as f32);
        }
        write(folder.join(format!("mitbih_{name}.csv")), rows);
    }
}

/// ESC-50: all clips in one folder, beside a table of them. Some end with silence.
pub(super) fn esc_50(folder: &Path) {
    let mut rows = "filename,fold,target,category,esc10,src_file,take\n".to_owned();
    for fold in 1..=5 {
        for (class, category) in ["dog", "rooster", "pig"].into_iter().enumerate() {
            let name = format!("{fold}-{fold}0003{class}-A-{class}.wav");
            let mut samples = signal(class, fold, if fold == 1 { 220_500 } else { 88_200 });
            if fold < 3 {
                samples[40_000..].fill(0.0);
            }
            write(folder.join("audio").join(&name), wav(44_100, &samples));
            let _ = writeln!(rows, "{name},{fold},{class},{category},True,{fold}0003{class},A");
        }
    }
    write(folder.join("meta/esc50.csv"), rows);
}

/// Speech Commands: a folder for each word, longer recordings of noise, and two lists. Some words
/// are shorter than a second.
pub(super) fn speech_commands(folder: &Path) {
    let mut lists = [String::new(), String::new()];
    for (class, word) in ["down", "go", "left"].into_iter().enumerate() {
        for speaker in 0..12 {
            let count = if speaker == 0 { 13_000 } else { 16_000 };
            let name = format!("{word}/{speaker:08x}_nohash_0.wav");
            write(folder.join(&name), wav(16_000, &signal(class, speaker, count)));
            if let Some(list) = lists.get_mut(speaker.wrapping_sub(10)) {
                let _ = writeln!(list, "{name}");
            }
        }
    }
    let noise = signal(5, 1, 40_000);
    write(folder.join("_background_noise_/white_noise.wav"), wav(16_000, &noise));
    write(folder.join("testing_list.txt"), &lists[0]);
    write(folder.join("validation_list.txt"), &lists[1]);
    write(folder.join("README.md"), "made up");
}
