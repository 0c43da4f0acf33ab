use super::{search::attribute, *};
use crate::{
    ThresholdKind,
    onnx::{
        GraphBuilder, INPUT,
        proto::{AttributeProto, attribute_proto::AttributeType},
        with_shrinkage_outputs,
    },
};

/// A change to a graph before it is written.
type Change = fn(&mut Graph);

/// The nodes of one block's graph, so that a test can change one of them.
struct Graph {
    axes: Vec<i64>,
    keepdims: i64,
    /// The axis from which a pooled image is flattened, in place of a mean over axes.
    flattened: Option<i64>,
    new_axes: Vec<i64>,
    lower: [&'static str; 2],
    upper: Vec<&'static str>,
    subtrahend: &'static str,
    kept: &'static str,
    shortcut: &'static str,
    /// Start, end, axis and step of the slice of the shortcut.
    slice: Option<[i64; 4]>,
    /// Zeros around the shortcut.
    pads: Option<Vec<i64>>,
    /// The mode of the padding.
    mode: Vec<(&'static str, Attribute)>,
    normalized: &'static str,
    training_mode: i64,
    activation: &'static str,
    inner_output: Option<&'static str>,
    /// A tensor that another node consumes, too.
    taken: Option<&'static str>,
    /// A tensor that is stored twice.
    stored_again: Option<&'static str>,
    /// The normalization's mean.
    mean: Vec<f32>,
}

impl Default for Graph {
    fn default() -> Self {
        Self {
            axes: vec![2],
            keepdims: 0,
            flattened: None,
            new_axes: vec![2],
            lower: ["x", "tau"],
            upper: vec!["low", "minus"],
            subtrahend: "middle",
            kept: "x",
            shortcut: INPUT,
            slice: None,
            pads: None,
            mode: Vec::new(),
            normalized: "sum",
            training_mode: 0,
            activation: "Relu",
            inner_output: None,
            taken: None,
            stored_again: None,
            mean: vec![0.25, 3.0],
        }
    }
}

impl Graph {
    fn write_shortcut(&self, graph: &mut GraphBuilder) -> String {
        let mut shortcut = self.shortcut.to_owned();
        if let Some(parts) = self.slice {
            let names = ["start", "end", "axis", "step"];
            let [start, end, axis, step] =
                [0, 1, 2, 3].map(|at| graph.integers(names[at], &parts[at..=at]));
            shortcut = graph.node("Slice", &[&shortcut, &start, &end, &axis, &step], "kept", &[]);
        }
        if let Some(pads) = &self.pads {
            let pads = graph.integers("pads", pads);
            shortcut = graph.node("Pad", &[&shortcut, &pads], "padded", &self.mode);
        }
        shortcut
    }

    fn model(&self) -> Vec<u8> {
        let mut graph = GraphBuilder::new("block");
        graph.input(INPUT, &[-1, 2, 8]);
        graph.node("Relu", &[INPUT], "x", &[]);
        graph.node("Abs", &["x"], "abs", &[]);
        if let Some(axis) = self.flattened {
            graph.node("GlobalAveragePool", &["abs"], "pooled", &[]);
            graph.node("Flatten", &["pooled"], "mean", &[("axis", Attribute::Int(axis))]);
        } else {
            let axes = ("axes", Attribute::Ints(self.axes.clone()));
            let mean = [axes, ("keepdims", Attribute::Int(self.keepdims))];
            graph.node("ReduceMean", &["abs"], "mean", &mean);
        }
        graph.node("Sigmoid", &["mean"], "threshold", &[]);
        let axes = graph.integers("axes", &self.new_axes);
        graph.node("Unsqueeze", &["threshold", &axes], "tau", &[]);
        graph.node("Neg", &["tau"], "minus", &[]);
        graph.node("Min", &self.lower, "low", &[]);
        graph.node("Max", &self.upper, "middle", &[]);
        graph.node("Sub", &[self.kept, self.subtrahend], "shrunk", &[]);
        let shortcut = self.write_shortcut(&mut graph);
        graph.node("Add", &["shrunk", &shortcut], "sum", &[]);
        for (name, values) in
            [("gamma", [1.0, 2.0]), ("beta", [0.5, 1.0]), ("variance", [4.0, 1.0])]
        {
            graph.tensor(name, &[2], &values);
        }
        graph.tensor("mu", &[self.mean.len()], &self.mean);
        if let Some(name) = self.stored_again {
            graph.tensor(name, &[2], &[9.0, 9.0]);
        }
        if let Some(name) = self.taken {
            graph.node("Identity", &[name], "taken", &[]);
        }
        let parameters = [self.normalized, "gamma", "beta", "mu", "variance"];
        let attributes = [
            ("epsilon", Attribute::Float(0.0)),
            ("training_mode", Attribute::Int(self.training_mode)),
        ];
        graph.node("BatchNormalization", &parameters, "norm", &attributes);
        graph.node(self.activation, &["norm"], "active", &[]);
        graph.output("active", &[-1, 2, 8]);
        graph.output("mean", &[-1, 2]);
        graph.output("threshold", &[-1, 2]);
        if let Some(name) = self.inner_output {
            graph.output(name, &[-1, 2, 8]);
        }
        graph.finish("a block")
    }
}

fn block() -> Block {
    Block {
        name: "stage1.block1".parse().unwrap(),
        channels: 2,
        threshold: ThresholdKind::ChannelWise,
        threshold_output: "threshold".to_owned(),
        mean_abs_output: "mean".to_owned(),
        shrunk_tensor: "shrunk".to_owned(),
    }
}

fn fused(model: &[u8]) -> ModelProto {
    ModelProto::decode(&with_fused_shrinkage(model, &[block()]).unwrap()[..]).unwrap()
}

fn operators(model: &ModelProto) -> Vec<&str> {
    model.graph.as_ref().unwrap().node.iter().map(NodeProto::op_type).collect()
}

#[test]
fn two_operators_replace_ten_nodes() {
    let model = fused(&Graph::default().model());
    assert_eq!(operators(&model), ["Relu", MEAN_MAGNITUDE, "Sigmoid", SHRINK_AND_ADD]);
    let node = &model.graph.as_ref().unwrap().node[3];
    assert_eq!(node.input, ["x", "threshold", INPUT]);
    assert_eq!(node.output, ["sum", "active"]);
    assert_eq!(attribute(node, SCALE).unwrap().floats, [0.5, 2.0]);
    assert_eq!(attribute(node, BIAS).unwrap().floats, [0.375, -5.0]);
}

#[test]
fn the_mean_over_an_image_is_recognized() {
    for (new_axes, space) in [(vec![2, 3], 2), (vec![2], 1)] {
        let graph = Graph { flattened: Some(1), new_axes, ..Graph::default() };
        let model = fused(&graph.model());
        assert_eq!(operators(&model), ["Relu", MEAN_MAGNITUDE, "Sigmoid", SHRINK_AND_ADD]);
        for node in [1, 3].map(|place| &model.graph.as_ref().unwrap().node[place]) {
            assert_eq!(attribute(node, SPACE).unwrap().i(), space);
        }
    }
}

#[test]
fn what_shrinkage_left_is_two_further_outputs() {
    let model = with_shrinkage_outputs(&Graph::default().model(), &[block()]).unwrap();
    let model = fused(&model);
    assert_eq!(operators(&model), ["Relu", MEAN_MAGNITUDE, "Sigmoid", SHRINK_AND_ADD]);
    let node = &model.graph.as_ref().unwrap().node[3];
    assert_eq!(
        node.output,
        ["sum", "active", "zeroed.stage1.block1", "mean_abs_after.stage1.block1"]
    );
}

#[test]
fn stride_and_padding_of_a_shortcut_are_part_of_the_operator() {
    let whole = [0, i64::MAX, 2, 2];
    let graph =
        Graph { slice: Some(whole), pads: Some(vec![0, 1, 0, 0, 2, 0]), ..Graph::default() };
    let model = fused(&graph.model());
    assert_eq!(operators(&model), ["Relu", MEAN_MAGNITUDE, "Sigmoid", SHRINK_AND_ADD]);
    let node = &model.graph.as_ref().unwrap().node[3];
    assert_eq!(node.input, ["x", "threshold", INPUT]);
    assert_eq!(attribute(node, STRIDE).unwrap().i(), 2);
    assert_eq!(attribute(node, PADS).unwrap().ints, [1, 2]);

    let left: [(&str, Change, &str); 8] = [
        ("features from the second on", |graph| graph.slice = Some([1, i64::MAX, 2, 2]), "kept"),
        ("features up to the seventh", |graph| graph.slice = Some([0, 7, 2, 2]), "kept"),
        ("every second channel", |graph| graph.slice = Some([0, i64::MAX, 1, 2]), "kept"),
        ("backwards", |graph| graph.slice = Some([0, i64::MAX, 2, -1]), "kept"),
        (
            "every second row of an image",
            |graph| {
                (graph.flattened, graph.new_axes) = (Some(1), vec![2, 3]);
                graph.slice = Some([0, i64::MAX, 2, 2]);
            },
            "kept",
        ),
        ("zeros around the samples", |graph| graph.pads = Some(vec![0, 0, 1, 0, 0, 1]), "padded"),
        ("fewer channels", |graph| graph.pads = Some(vec![0, -1, 0, 0, 0, 0]), "padded"),
        (
            "copies around the channels",
            |graph| {
                graph.pads = Some(vec![0, 1, 0, 0, 1, 0]);
                graph.mode = vec![("mode", Attribute::Int(1))];
            },
            "padded",
        ),
    ];
    for (what, change, source) in left {
        let mut graph = Graph::default();
        change(&mut graph);
        let model = fused(&graph.model());
        let node = model.graph.as_ref().unwrap().node.last().unwrap();
        assert_eq!(node.op_type(), SHRINK_AND_ADD, "{what}");
        assert_eq!(node.input[2], source, "{what}");
    }
}

/// `PyTorch` names the mode, and leaves an input empty.
#[test]
fn the_padding_of_a_shortcut_may_say_that_it_is_of_zeros() {
    for (mode, source) in [("constant", INPUT), ("edge", "padded")] {
        let graph = Graph { pads: Some(vec![0, 1, 0, 0, 2, 0]), ..Graph::default() };
        let mut model = ModelProto::decode(&graph.model()[..]).unwrap();
        let nodes = &mut model.graph.as_mut().unwrap().node;
        let pad = nodes.iter_mut().find(|node| node.op_type() == "Pad").unwrap();
        pad.input.push(String::new());
        let mut named = AttributeProto { name: Some("mode".to_owned()), ..Default::default() };
        named.set_type(AttributeType::String);
        named.s = Some(mode.as_bytes().to_vec());
        pad.attribute.push(named);
        let model = fused(&model.encode_to_vec());
        assert_eq!(model.graph.unwrap().node.last().unwrap().input[2], source, "{mode}");
    }
}

#[test]
fn a_block_of_another_form_does_not_change() {
    let changes: [(&str, Change); 17] = [
        ("mean over other axes", |graph| graph.axes = vec![1]),
        ("mean that keeps its axis", |graph| graph.keepdims = 1),
        ("channels are flattened", |graph| graph.flattened = Some(2)),
        ("least of something else", |graph| graph.lower = [INPUT, "tau"]),
        ("least of the same in another order", |graph| graph.lower = ["tau", "x"]),
        ("thresholds of inputs and samples", |graph| graph.new_axes = vec![1]),
        ("thresholds of images for a signal", |graph| graph.new_axes = vec![2, 3]),
        ("largest of three", |graph| graph.upper.push(INPUT)),
        ("another subtrahend", |graph| graph.subtrahend = "low"),
        ("something else is kept", |graph| graph.kept = INPUT),
        ("the shortcut is stored, and may be for one input", |graph| graph.shortcut = "beta"),
        ("the sum is not normalized", |graph| graph.normalized = INPUT),
        ("statistics of the batch", |graph| graph.training_mode = 1),
        ("too few statistics", |graph| graph.mean = vec![0.25]),
        ("statistics of two values", |graph| graph.stored_again = Some("gamma")),
        ("axes of two values", |graph| graph.stored_again = Some("axes")),
        ("another activation", |graph| graph.activation = "Sigmoid"),
    ];
    for (what, change) in changes {
        let mut graph = Graph::default();
        change(&mut graph);
        let model = graph.model();
        assert_eq!(with_fused_shrinkage(&model, &[block()]).unwrap(), model, "{what}");
    }
}

#[test]
fn a_block_with_other_consumers_of_its_tensors_does_not_change() {
    for name in ["abs", "tau", "minus", "low", "middle", "shrunk", "norm"] {
        for graph in [
            Graph { inner_output: Some(name), ..Graph::default() },
            Graph { taken: Some(name), ..Graph::default() },
        ] {
            let model = graph.model();
            assert_eq!(with_fused_shrinkage(&model, &[block()]).unwrap(), model, "{name}");
        }
    }
    // The operators provide these tensors, too.
    for name in ["x", "mean", "threshold", "sum", "active"] {
        let model = Graph { taken: Some(name), ..Graph::default() }.model();
        assert_ne!(with_fused_shrinkage(&model, &[block()]).unwrap(), model, "{name}");
    }
}
