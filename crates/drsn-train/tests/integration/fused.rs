//! The graph that the processor runs gives what the network gives, for every kind of network, and differs from the
//! model's own graph where features are shrunk by a soft threshold.

use crate::skip;
use crate::support::{
    CW, Kind, classes, image, kinds, random_inputs, random_network, runtime, session, signal,
};
use drsn_bundle::{
    ShrinkageFunction, Unit,
    manifest::FORMAT,
    onnx::{with_fused_shrinkage, with_zeroed_outputs},
};
use drsn_train::{
    export::{blocks, compare, to_onnx},
    training::planes,
};

fn is_fused(kind: Kind) -> bool {
    matches!(kind.unit, Unit::Cw | Unit::Cs) && matches!(kind.shrinkage, ShrinkageFunction::Soft)
}

#[test]
fn the_processors_graph_gives_what_the_network_gives() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    for kind in kinds() {
        for input in [image(28), signal(208), signal(211)] {
            let network = random_network(kind, &input);
            let model = to_onnx(&network, &input, &classes(), FORMAT).unwrap();
            let blocks = blocks(&network, kind.unit).unwrap();
            let fused = with_fused_shrinkage(&model, &blocks).unwrap();
            assert_eq!(fused != model, is_fused(kind), "{kind:?}");
            let mut session = session(&runtime, &fused, &input);
            let inputs = random_inputs(32, &input);
            compare(&network, &mut session, &inputs, planes(&input)).unwrap();
        }
    }
}

#[test]
fn the_processors_graph_counts_the_same_zeroed_features() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let batch = 32;
    for input in [signal(211), image(28)] {
        let network = random_network(CW, &input);
        let blocks = blocks(&network, CW.unit).unwrap();
        let model = to_onnx(&network, &input, &classes(), FORMAT).unwrap();
        let model = with_zeroed_outputs(&model, &blocks).unwrap();
        let fused = with_fused_shrinkage(&model, &blocks).unwrap();
        let inputs = random_inputs(batch, &input);
        let run = |model| session(&runtime, model, &input).run(&inputs, batch).unwrap();
        let [expected, found] = [&model, &fused].map(|model| run(model));
        for expected in expected.iter().filter(|tensor| tensor.name.starts_with("zeroed.")) {
            let found = found.iter().find(|tensor| tensor.name == expected.name).unwrap();
            assert_eq!(found.shape, expected.shape);
            assert!(expected.data.iter().any(|&share| share > 0.0 && share < 1.0));
            // The smallest stage has 49 features a channel, of which one may lie at the threshold.
            let differences = expected.data.iter().zip(&found.data).map(|(a, b)| (a - b).abs());
            assert!(differences.clone().all(|difference| difference < 0.03), "{}", expected.name);
            assert!(differences.filter(|&difference| difference > 1e-6).count() <= 1);
        }
    }
}
