//! The fused graph that runs on CPUs has the outputs of the network, for every kind of network. It
//! differs from the model's own graph only if there are soft thresholds.

use crate::skip;
use crate::support::{
    CW, Kind, classes, image, kinds, random_inputs, random_network, runtime, session, signal,
};
use drsn_bundle::{
    Block, InputSpec, ShrinkageFunction, ThresholdKind, Tolerance, Unit,
    manifest::FORMAT,
    onnx::{
        Attribute, CLASS_MAP, GraphBuilder, INPUT, LOGITS, for_cpu, with_class_map,
        with_fused_shrinkage, with_shrinkage_outputs,
    },
};
use drsn_train::export::{blocks, compare, to_onnx};
use ndarray::{Axis, s};

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
            let rows = for_cpu(&model, &blocks).unwrap();
            assert_eq!(rows != fused, matches!(input, InputSpec::Signal(_)), "{kind:?}");
            let inputs = random_inputs(32, &input);
            for model in [fused, rows] {
                let mut session = session(&runtime, &model, &input);
                compare(&network, &mut session, inputs.view()).unwrap();
            }
        }
    }
}

#[test]
fn the_processors_graph_says_the_same_of_what_shrinkage_left() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    for input in [signal(211), image(28)] {
        let network = random_network(CW, &input);
        let blocks = blocks(&network, CW.unit).unwrap();
        let model = to_onnx(&network, &input, &classes(), FORMAT).unwrap();
        let model = with_shrinkage_outputs(&model, &blocks).unwrap();
        let fused = for_cpu(&model, &blocks).unwrap();
        assert_ne!(fused, model);
        let inputs = random_inputs(32, &input);
        let run = |model| session(&runtime, model, &input).run(inputs.view()).unwrap();
        let [expected, found] = [&model, &fused].map(|model| run(model));
        let zeroed = expected.iter().filter(|tensor| tensor.name.starts_with("zeroed."));
        assert_eq!(zeroed.clone().count(), blocks.len());
        let after = expected.iter().filter(|tensor| tensor.name.starts_with("mean_abs_after."));
        assert_eq!(after.clone().count(), blocks.len());
        for expected in after {
            let found = found.get(&expected.name).unwrap();
            Tolerance::CPU.check(&expected.values, &found).unwrap();
        }
        for expected in zeroed {
            let found = found.iter().find(|tensor| tensor.name == expected.name).unwrap();
            assert_eq!(found.values.shape(), expected.values.shape());
            assert!(expected.values.iter().any(|&share| share > 0.0 && share < 1.0));
            // The smallest stage has 49 features per channel, one of which may be at the threshold.
            let pairs = expected.values.iter().zip(&found.values);
            let differences = pairs.map(|(a, b)| (a - b).abs());
            assert!(differences.clone().all(|difference| difference < 0.03), "{}", expected.name);
            assert!(differences.filter(|&difference| difference > 1e-6).count() <= 1);
        }
    }
}

/// The mean of a map over its positions is the logit without the bias, which is the same for every
/// input; and the fused graph has the same map.
#[test]
fn the_map_of_every_network_adds_up_to_its_logits() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    for kind in kinds() {
        for (input, positions) in [(signal(208), vec![52]), (image(28), vec![7, 7])] {
            let network = random_network(kind, &input);
            let blocks = blocks(&network, kind.unit).unwrap();
            let model = to_onnx(&network, &input, &classes(), FORMAT).unwrap();
            let model = with_class_map(&model, positions.len()).unwrap().unwrap();
            let fused = for_cpu(&model, &blocks).unwrap();
            let inputs = random_inputs(5, &input);
            let run = |model| session(&runtime, model, &input).run(inputs.view()).unwrap();
            let [expected, found] = [&model, &fused].map(|model| run(model));
            let map = expected.get(CLASS_MAP).unwrap();
            assert_eq!(map.shape()[..2], [5, 10]);
            assert_eq!(map.shape()[2..], positions);
            Tolerance::CPU.check(&map, &found.get(CLASS_MAP).unwrap()).unwrap();
            let flat = map.to_shape((5, 10, positions.iter().product::<usize>())).unwrap();
            let means = flat.mean_axis(Axis(2)).unwrap();
            let biases = &expected.get(LOGITS).unwrap() - &means.into_dyn();
            let first = biases.slice(s![..1, ..]);
            assert!(
                biases
                    .outer_iter()
                    .all(|row| { row.iter().zip(&first).all(|(a, b)| (a - b).abs() < 1e-4) })
            );
        }
    }
}

/// A block of a foreign graph. The shape of its features, and so their rank, is known only at run
/// time.
fn block_of_unknown_rank() -> Vec<u8> {
    let mut graph = GraphBuilder::new("block");
    graph.input(INPUT, &[-1, 2, 8]);
    let sizes = graph.integers("sizes", &[-1, 2, 8]);
    let ones = graph.integers("ones", &[1, 1, 1]);
    // Data type 9 is bool.
    let all = graph.node("Cast", &[&ones], "all", &[("to", Attribute::Int(9))]);
    let shape = graph.node("Compress", &[&sizes, &all], "shape", &[]);
    let x = graph.node("Reshape", &[INPUT, &shape], "x", &[]);
    let magnitudes = graph.node("Abs", &[&x], "abs", &[]);
    let mean = [("axes", Attribute::Ints(vec![2])), ("keepdims", Attribute::Int(0))];
    graph.node("ReduceMean", &[&magnitudes], "mean", &mean);
    graph.node("Sigmoid", &["mean"], "threshold", &[]);
    let axes = graph.integers("axes", &[2]);
    graph.node("Unsqueeze", &["threshold", &axes], "tau", &[]);
    graph.node("Neg", &["tau"], "minus", &[]);
    graph.node("Min", &["x", "tau"], "low", &[]);
    graph.node("Max", &["low", "minus"], "middle", &[]);
    graph.node("Sub", &["x", "middle"], "shrunk", &[]);
    graph.node("Add", &["shrunk", "x"], "sum", &[]);
    let [gamma, beta] = ["gamma", "beta"].map(|name| graph.tensor(name, &[2], &[1.5, 0.5]));
    let norm = [("epsilon", Attribute::Float(1e-5))];
    graph.node("BatchNormalization", &["sum", &gamma, &beta, &beta, &gamma], "norm", &norm);
    graph.node("Relu", &["norm"], "active", &[]);
    graph.output("active", &[-1, 2, 8]);
    graph.output("mean", &[-1, 2]);
    graph.finish("a block")
}

#[test]
fn features_whose_rank_is_known_only_at_run_time_are_shrunk_as_well() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let input = signal(8);
    let model = block_of_unknown_rank();
    let block = Block {
        name: "block".parse().unwrap(),
        channels: 2,
        threshold: ThresholdKind::ChannelWise,
        threshold_output: "threshold".to_owned(),
        mean_abs_output: "mean".to_owned(),
        shrunk_tensor: "shrunk".to_owned(),
    };
    let fused = with_fused_shrinkage(&model, &[block]).unwrap();
    assert_ne!(fused, model);
    let inputs = random_inputs(3, &input);
    let run = |model: &[u8]| session(&runtime, model, &input).run(inputs.view()).unwrap();
    for (expected, found) in run(&model).iter().zip(run(&fused)) {
        assert_eq!(expected.name, found.name);
        assert_eq!(expected.values.shape(), found.values.shape());
        Tolerance::CPU.check(&expected.values, &found.values).unwrap();
    }
}
