//! Predictions through ONNX Runtime: the same ones however the work is shared out.

use std::{path::Path, sync::Arc, sync::atomic::AtomicBool};

use drsn_bundle::{
    Bundle,
    runtime::{Provider, Session},
};
use drsn_train::{
    dataset::{Dataset, DatasetError, Part, Source},
    evaluate::accuracy,
    report::predict,
    training::{Batches, Disturbance},
};

use crate::{skip::skip, support::runtime};

/// Pictures with a bright bar, at a place that depends on the class.
fn pictures(count: usize) -> Dataset {
    let pixel = |i: usize, at: usize| if (at / 28 + at % 28 + i) % 10 < 3 { 0.9 } else { 0.1 };
    let values = (0..count).flat_map(|i| (0..784).map(move |at| pixel(i, at))).collect();
    Dataset::new(values, (0..count).map(|i| i % 10).collect())
}

#[derive(Debug)]
struct Pictures(Dataset);

impl Source for Pictures {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn label(&self, index: usize) -> usize {
        self.0.label(index)
    }

    fn name(&self, index: usize) -> String {
        format!("picture {index}")
    }

    fn read(&self, index: usize, _: isize, values: &mut [f32]) -> Result<(), DatasetError> {
        values.copy_from_slice(self.0.input(index));
        Ok(())
    }
}

#[test]
fn predictions_do_not_depend_on_how_many_sessions_share_the_work() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip(&reason),
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/mnist/1");
    let bundle = Bundle::open(&folder).unwrap();
    let spec = &bundle.manifest.input;
    let open = || Session::open(&runtime, &bundle.model, &spec.shape(), Provider::Cpu).unwrap();
    let part = Part { source: Arc::new(Pictures(pictures(400))), indices: (0..230).collect() };
    let noise = "uniform:0.5".parse().ok();
    let go = AtomicBool::new(false);

    let mut two = [open(), open()];
    let shared = predict(&mut two, &part, spec, noise.as_ref(), 0, &go).unwrap().unwrap();
    let single = predict(&mut [open()], &part, spec, noise.as_ref(), 0, &go).unwrap().unwrap();
    assert_eq!((shared.inputs(), shared.classes()), (230, 10));
    assert_eq!(shared.labels(), single.labels());
    // Batches of another size may be summed in another order.
    for (a, b) in shared.probabilities().iter().zip(single.probabilities()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    let quiet = predict(&mut two, &part, spec, None, 0, &go).unwrap().unwrap();
    assert_ne!(quiet.probabilities(), single.probabilities());

    let dataset = pictures(400);
    let batches = Batches { dataset: &dataset, spec, disturbance: Disturbance::evaluation(0.5, 0) };
    let earlier = accuracy(&mut open(), batches, 230, &go).unwrap().unwrap();
    let right = single.decisions().filter(|(label, class, _)| label == class).count();
    assert!((earlier - right as f64 / 230.0).abs() < 1e-9, "{earlier} {right}");

    let stopped = predict(&mut two, &part, spec, None, 0, &AtomicBool::new(true)).unwrap();
    assert_eq!(stopped, None);
    let nothing = Part { indices: Vec::new(), ..part };
    assert!(predict(&mut two, &nothing, spec, None, 0, &go).is_err());
}
