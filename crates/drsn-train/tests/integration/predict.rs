//! Predictions through ONNX Runtime: the same ones however the work is shared out.

use std::{path::Path, sync::Arc, sync::atomic::AtomicBool};

use drsn_bundle::{
    Bundle,
    runtime::{Provider, Session},
};
use drsn_train::{dataset::Part, report::predict};

use crate::{
    skip::skip,
    support::{Memory, runtime},
};

/// Pictures with a bright bar, at a place that depends on the class.
fn pictures(count: usize) -> Memory {
    let pixel = |i: usize, at: usize| if (at / 28 + at % 28 + i) % 10 < 3 { 0.9 } else { 0.1 };
    let picture = |i: usize| (0..784).map(|at| pixel(i, at)).collect();
    Memory {
        inputs: (0..count).map(picture).collect(),
        labels: (0..count).map(|i| i % 10).collect(),
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
    let part = Part { source: Arc::new(pictures(400)), indices: (0..230).collect() };
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

    let stopped = predict(&mut two, &part, spec, None, 0, &AtomicBool::new(true)).unwrap();
    assert_eq!(stopped, None);
    let nothing = Part { indices: Vec::new(), ..part };
    assert!(predict(&mut two, &nothing, spec, None, 0, &go).is_err());
}
