//! Where the class activation map of a trained network lies.

use std::{fs, ops::Range};

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

/// Half of a window, the first or the second.
fn half(number: usize) -> Range<usize> {
    number * WINDOW / 2..(number + 1) * WINDOW / 2
}

/// Noise, with a train of decaying impulses in a part of the window.
fn window(rng: &mut impl Rng, bursts: Range<usize>) -> Vec<f32> {
    // The sum of twelve uniform numbers is nearly normal.
    let mut sum = || (0..12).map(|_| rng.random::<f32>()).sum::<f32>();
    let mut samples: Vec<f32> = (0..WINDOW).map(|_| 0.2 * (sum() - 6.0)).collect();
    let begin = bursts.start + rng.random_range(0..20);
    for start in (begin..(bursts.end + 1).saturating_sub(12)).step_by(24) {
        for (at, sample) in samples[start..start + 12].iter_mut().enumerate() {
            let time = at as f32;
            *sample += 1.5 * (-time / 4.0).exp() * (1.2566 * time + 0.5).sin();
        }
    }
    samples
}

/// Where the windows of the class `bursts` have impulses.
#[derive(Clone, Copy)]
enum Bursts {
    /// In the first or in the second half.
    OneHalf,
    /// From the beginning to the end.
    Everywhere,
}

/// Trains a network that tells such windows from noise, with these settings of its recipe.
fn trained(bursts: Bursts, settings: &[&str]) -> (Workspace, Bundle) {
    let workspace = Workspace::new();
    fs::remove_dir_all(workspace.path("data")).unwrap();
    let mut rng = stream(3, Purpose::Evaluation, 0, 0);
    for class in ["bursts", "quiet"] {
        let mut samples = Vec::new();
        for _ in 0..WINDOWS {
            let part = match (class, bursts) {
                ("quiet", _) => 0..0,
                (_, Bursts::OneHalf) => half(rng.random_range(0..2)),
                (_, Bursts::Everywhere) => 0..WINDOW,
            };
            samples.extend(window(&mut rng, part));
        }
        let folder = workspace.path("data").join(class);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("recording.npy"), npy(&samples)).unwrap();
    }
    let settings = settings.iter().flat_map(|setting| ["--set", setting]);
    let flags: Vec<&str> =
        ["--set", "data.hop=256", "--seed", "1"].into_iter().chain(settings).collect();
    let output = workspace.command(&flags).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let bundle = Bundle::open(&workspace.bundle()).unwrap();
    (workspace, bundle)
}

/// The share of the map's positive values that lies in the half with the impulses.
fn share(runtime: &Runtime, bundle: &Bundle, number: usize) -> f32 {
    let mut rng = stream(4, Purpose::Evaluation, number as u64, 0);
    let mut inputs = Array3::zeros((WINDOWS, 1, WINDOW));
    for mut row in inputs.outer_iter_mut() {
        let mut samples = window(&mut rng, half(number));
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
    let positive = |part: Range<usize>| -> f32 {
        map.slice(s![.., 0, part]).iter().map(|value| value.max(0.0)).sum()
    };
    let halves = [positive(0..middle), positive(middle..2 * middle)];
    halves[number] / halves.iter().sum::<f32>()
}

/// A network that takes signals as they are finds the impulses where they are.
#[test]
fn the_evidence_for_impulses_lies_in_the_half_of_the_window_that_has_them() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let (_workspace, bundle) = trained(Bursts::OneHalf, &["data.normalization.kind=none"]);
    for number in [0, 1] {
        let share = share(&runtime, &bundle, number);
        assert!(share >= 0.9, "half {number}: {share}");
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
    let (_workspace, bundle) = trained(Bursts::OneHalf, &["data.normalization.kind=z-score"]);
    for number in [0, 1] {
        let share = share(&runtime, &bundle, number);
        assert!((0.2..0.8).contains(&share), "half {number}: {share}");
    }
}

/// Whole windows of noise and of impulses teach where the impulses are if windows are spliced of both
/// and each position is to have its own class.
#[test]
fn a_loss_at_each_position_puts_the_evidence_into_the_half_that_has_the_impulses() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let spliced = ["augmentation.splice=0.5", "position_loss=1"];
    let longer = ["data.normalization.kind=z-score", "epochs=20", "schedule.epochs=[14,18]"];
    let settings = [&longer[..], &spliced].concat();
    let (_workspace, bundle) = trained(Bursts::Everywhere, &settings);
    for number in [0, 1] {
        let share = share(&runtime, &bundle, number);
        assert!(share >= 0.85, "half {number}: {share}");
    }
}
