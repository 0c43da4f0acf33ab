//! Predictions through ONNX Runtime do not depend on how the work is distributed.

use std::{path::Path, sync::Arc, sync::atomic::AtomicBool};

use drsn_bundle::{
    Bundle,
    runtime::{Provider, Session},
};
use drsn_train::{dataset::Part, evaluation::predict};
use ndarray::Array4;

use crate::{
    skip::skip,
    support::{Memory, runtime},
};

/// Images with a bright bar whose position depends on the class.
fn images(count: usize) -> Memory {
    let pixel = |(n, _, y, x): (usize, usize, usize, usize)| {
        if (y + x + n) % 10 < 3 { 0.9 } else { 0.1 }
    };
    Memory {
        inputs: Array4::from_shape_fn((count, 1, 28, 28), pixel).into_dyn(),
        labels: (0..count).map(|n| n % 10).collect(),
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
    let part = Part { source: Arc::new(images(400)), indices: (0..230).collect() };
    let noise = "uniform:0.5".parse().ok();
    let go = AtomicBool::new(false);

    let mut two = [open(), open()];
    let shared = predict(&mut two, &part, spec, noise.as_ref(), 0, &go).unwrap().unwrap();
    let single = predict(&mut [open()], &part, spec, noise.as_ref(), 0, &go).unwrap().unwrap();
    assert_eq!((shared.inputs(), shared.classes()), (230, 10));
    assert_eq!(shared.labels(), single.labels());
    // Batches of other sizes may be summed in another order.
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
