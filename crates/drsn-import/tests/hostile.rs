//! Damaged and hostile models: each is refused with a sentence, before memory is taken for what it
//! claims.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../tests/support/skip.rs"]
mod skip;

use std::{fs, os::unix::fs::symlink, path::Path};

use drsn_bundle::{
    Name,
    onnx::{
        GraphBuilder,
        proto::{
            AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
            StringStringEntryProto, TensorProto,
        },
        value_info,
    },
    runtime::Runtime,
};
use drsn_import::{Options, import};
use prost::Message as _;

/// A small classifier.
fn classifier() -> ModelProto {
    let mut graph = GraphBuilder::new("classifier");
    graph.input("signal", &[-1, 1, 32]);
    let kernel = graph.tensor("kernel", &[3, 1, 5], &[0.1; 15]);
    graph.node("Conv", &["signal", &kernel], "features", &[]);
    graph.node("Relu", &["features"], "positive", &[]);
    graph.node("GlobalAveragePool", &["positive"], "pooled", &[]);
    graph.node("Flatten", &["pooled"], "scores", &[]);
    graph.output("scores", &[-1, 3]);
    ModelProto::decode(&graph.finish("a classifier for tests")[..]).unwrap()
}

/// The sentence with which a model is refused.
fn refusal(runtime: &Runtime, folder: &Path, model: &[u8]) -> String {
    let path = folder.join("model.onnx");
    fs::write(&path, model).unwrap();
    let name = |name: &str| Name::new(name).unwrap();
    let labels = ["a", "b", "c"].map(str::to_owned).to_vec();
    let mut options = Options::new(name("hostile"), name("1"), labels);
    options.allow_plain = true;
    import(runtime, &path, &options)
        .map_or_else(|error| error.to_string(), |_| "it is imported".to_owned())
}

type Change = fn(&mut ModelProto, &mut GraphProto);

fn changed(change: Change) -> Vec<u8> {
    let mut model = classifier();
    let mut graph = model.graph.take().unwrap();
    change(&mut model, &mut graph);
    model.graph = Some(graph);
    model.encode_to_vec()
}

fn node(domain: &str, operator: &str) -> NodeProto {
    NodeProto {
        input: vec!["features".to_owned()],
        output: vec!["other".to_owned()],
        op_type: Some(operator.to_owned()),
        domain: Some(domain.to_owned()),
        ..NodeProto::default()
    }
}

fn external(location: &str) -> Vec<StringStringEntryProto> {
    vec![StringStringEntryProto {
        key: Some("location".to_owned()),
        value: Some(location.to_owned()),
    }]
}

fn entry_of_weight(graph: &mut GraphProto, location: &str) {
    let kernel = graph.initializer.iter_mut().find(|tensor| tensor.name() == "kernel").unwrap();
    kernel.raw_data = None;
    kernel.external_data = external(location);
}

/// A function that calls itself.
fn recursion(model: &mut ModelProto, graph: &mut GraphProto) {
    let call = || NodeProto {
        input: vec!["x".to_owned()],
        output: vec!["y".to_owned()],
        ..node("mine", "Again")
    };
    model.functions.push(FunctionProto {
        name: Some("Again".to_owned()),
        domain: Some("mine".to_owned()),
        input: vec!["x".to_owned()],
        output: vec!["y".to_owned()],
        node: vec![call()],
        opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
        ..FunctionProto::default()
    });
    graph.node.push(node("mine", "Again"));
}

const CHANGES: [(&str, Change); 21] = [
    ("made twice", |_, graph| graph.node.push(graph.node[0].clone())),
    ("in a circle", |_, graph| graph.node[1].input = vec!["scores".to_owned()]),
    ("nothing makes", |_, graph| graph.node[1].input = vec!["missing".to_owned()]),
    ("control flow", |_, graph| graph.node.push(node("", "Loop"))),
    ("control flow", |_, graph| {
        let inner = AttributeProto { g: Some(GraphProto::default()), ..AttributeProto::default() };
        graph.node[0].attribute.push(inner);
    }),
    ("random numbers", |_, graph| graph.node.push(node("", "RandomNormalLike"))),
    ("custom operators", |_, graph| graph.node.push(node("mine", "Secret"))),
    ("each other without end", recursion),
    ("claims the shape", |_, graph| graph.initializer[0].dims = vec![1 << 40, 1, 5]),
    ("impossible shape", |_, graph| graph.initializer[0].dims = vec![i64::MAX, i64::MAX]),
    ("impossible shape", |_, graph| graph.initializer[0].dims = vec![-3, -1, 5]),
    ("sparse weights", |_, graph| graph.sparse_initializer.push(Vec::new())),
    ("outside of the model's folder", |_, graph| entry_of_weight(graph, "../weights")),
    ("outside of the model's folder", |_, graph| entry_of_weight(graph, "/etc/passwd")),
    ("outside of the model's folder", |_, graph| entry_of_weight(graph, "link")),
    ("does not exist", |_, graph| entry_of_weight(graph, "missing")),
    ("has no output", |_, graph| graph.output.clear()),
    ("none of the model's outputs has 3 numbers", |_, graph| {
        let kernel = &mut graph.initializer[0];
        kernel.dims[0] = 2;
        kernel.raw_data.as_mut().unwrap().truncate(40);
        graph.output = ["scores", "other"].map(|name| value_info(name, &[-1, 2])).to_vec();
        graph.node.push(NodeProto { input: vec!["scores".to_owned()], ..node("", "Abs") });
    }),
    ("numbers that an input can have", |_, graph| {
        graph.input = vec![value_info("signal", &[-1, 1, 1 << 40])];
    }),
    ("newer operators than this", |model, _| model.opset_import[0].version = Some(99)),
    ("training graphs", |model, _| model.training_info.push(Vec::new())),
];

#[test]
fn damaged_and_hostile_models_are_refused_with_a_sentence() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    symlink("/etc/passwd", folder.path().join("link")).unwrap();
    assert_eq!(refusal(&runtime, folder.path(), &changed(|_, _| ())), "it is imported");
    for (expected, change) in CHANGES {
        let sentence = refusal(&runtime, folder.path(), &changed(change));
        assert!(sentence.contains(expected), "{expected}: {sentence}");
    }
    assert!(refusal(&runtime, folder.path(), &[]).contains("empty"));
    let nothing = ModelProto::default().encode_to_vec();
    assert!(
        refusal(&runtime, folder.path(), &[&nothing[..], &[8, 8]].concat()).contains("no graph")
    );
}

/// Exporters write the newest version of the format that they know, which a runtime may not.
#[test]
fn a_model_in_a_newer_version_of_the_format_is_imported() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    let newer = changed(|model, _| model.ir_version = Some(99));
    assert_eq!(refusal(&runtime, folder.path(), &newer), "it is imported");
}

/// The calls of a function for another operator set become nodes, unless their meaning has changed.
#[test]
fn functions_of_another_operator_set_are_taken_in_if_they_mean_the_same() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    let with = |operator: &str, version: i64| {
        let mut model = classifier();
        let inner = NodeProto {
            input: vec!["x".to_owned()],
            output: vec!["y".to_owned()],
            ..node("", operator)
        };
        model.functions.push(FunctionProto {
            name: Some("Inner".to_owned()),
            domain: Some("mine".to_owned()),
            input: vec!["x".to_owned()],
            output: vec!["y".to_owned()],
            node: vec![inner],
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(version) }],
            ..FunctionProto::default()
        });
        let graph = model.graph.as_mut().unwrap();
        graph.node[1] = NodeProto { output: vec!["positive".to_owned()], ..node("mine", "Inner") };
        refusal(&runtime, folder.path(), &model.encode_to_vec())
    };
    assert_eq!(with("Relu", 17), "it is imported");
    assert_eq!(with("Relu", 18), "it is imported");
    assert!(with("Relu", 11).contains("written for operator set 11"));
    assert!(with("ReduceMean", 18).contains("written for operator set 18"));
}

/// Functions that double twenty times would be a million nodes.
#[test]
fn functions_that_grow_without_measure_are_refused() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    let model = changed(|model, graph| {
        for level in 0..30 {
            let call = |input: &str, output: &str| NodeProto {
                input: vec![input.to_owned()],
                output: vec![output.to_owned()],
                ..node("mine", &format!("Level{}", level + 1))
            };
            model.functions.push(FunctionProto {
                name: Some(format!("Level{level}")),
                domain: Some("mine".to_owned()),
                input: vec!["x".to_owned()],
                output: vec!["y".to_owned()],
                node: vec![call("x", "z"), call("z", "y")],
                ..FunctionProto::default()
            });
        }
        graph.node.push(node("mine", "Level0"));
    });
    let sentence = refusal(&runtime, folder.path(), &model);
    assert!(sentence.contains("expand to more than"), "{sentence}");
}

/// Every byte of a model may be another: nothing crashes, and no byte is read outside.
#[test]
fn models_with_changed_bytes_are_imported_or_refused() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    let model = changed(|_, _| ());
    let mut state = 1_u64;
    for _ in 0..400 {
        let mut bytes = model.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (state >> 33) as usize % bytes.len();
            bytes[at] = (state >> 24) as u8;
        }
        assert!(!refusal(&runtime, folder.path(), &bytes).is_empty());
    }
    for length in 0..model.len() {
        let sentence = refusal(&runtime, folder.path(), &model[..length]);
        assert_ne!(sentence, "it is imported", "{length}");
    }
}

/// Weights in a file of another length, with offsets beyond its end.
#[test]
fn weights_beside_the_model_are_read_within_their_file() {
    let runtime = match Runtime::start(None) {
        Ok(runtime) => runtime,
        Err(error) => return skip::skip(&error.to_string()),
    };
    let folder = tempfile::tempdir().unwrap();
    let weights: Vec<u8> = (0..16).flat_map(|at| (1.5_f32 + at as f32).to_le_bytes()).collect();
    fs::write(folder.path().join("weights"), weights).unwrap();
    let with = |offset: &str, tensor: fn(&mut TensorProto)| {
        let mut model = classifier();
        let graph = model.graph.as_mut().unwrap();
        entry_of_weight(graph, "weights");
        let kernel = &mut graph.initializer[0];
        kernel.external_data.push(StringStringEntryProto {
            key: Some("offset".to_owned()),
            value: Some(offset.to_owned()),
        });
        tensor(kernel);
        refusal(&runtime, folder.path(), &model.encode_to_vec())
    };
    assert_eq!(with("4", |_| ()), "it is imported");
    assert!(with("5", |_| ()).contains("it ends before"));
    assert!(with("18446744073709551615", |_| ()).contains("it ends before"));
    assert!(with("-1", |_| ()).contains("no valid offset"));
    assert!(with("0", |tensor| tensor.dims = vec![1 << 20, 1 << 20]).contains("more than"));
}
