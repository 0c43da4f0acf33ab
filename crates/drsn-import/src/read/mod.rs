//! Reads a model safely: everything that a file claims is checked before memory is taken for it,
//! and what is left is one graph of plain nodes in the order in which they run.

mod external;
mod functions;
mod order;
mod precision;
mod refusals;
mod tensors;

use std::path::Path;

pub(crate) use self::order::sort;

use drsn_bundle::{
    files::read_bounded,
    onnx::{
        self,
        proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto},
    },
};

use crate::{ImportError, error::refuse};

/// Largest file, in bytes, of the model or of its weights.
const MAX_FILE_BYTES: u64 = 1 << 30;
/// Most nodes of a graph, with those of its functions: far above every classifier.
const MAX_NODES: usize = 50_000;

/// A model as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The graph: sorted nodes, weights inside it, no functions, no inputs that are weights.
    pub(crate) graph: GraphProto,
    /// Version of the standard operators.
    pub(crate) operator_set: i64,
    /// Version of the format.
    pub(crate) ir_version: i64,
    /// The program that wrote it, as far as it says so.
    pub(crate) exporter: String,
    /// What was changed, in sentences.
    pub(crate) notes: Vec<String>,
}

/// Reads the model of a file and the weights in the files beside it.
///
/// # Errors
/// [`ImportError::Refused`] if it is no model that can be served.
pub(crate) fn read(path: &Path) -> Result<Source, ImportError> {
    let bytes = read_bounded(path, MAX_FILE_BYTES).map_err(|error| {
        ImportError::Refused(format!("cannot read {}: {error}", path.display()))
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let model = decode(&bytes)?;
    drop(bytes);
    plain(model, folder.unwrap_or(Path::new(".")))
}

/// Reads a model from its bytes and the files in a folder, as [`read`].
#[cfg(fuzzing)]
pub(crate) fn read_bytes(bytes: &[u8], folder: &Path) -> Result<Source, ImportError> {
    plain(decode(bytes)?, folder)
}

/// One graph of plain nodes; `folder` has the weights that are not in the model.
fn plain(mut model: ModelProto, folder: &Path) -> Result<Source, ImportError> {
    let Some(mut graph) = model.graph.take() else {
        return refuse("the file has no graph: it is no ONNX model, or was cut off");
    };
    external::take_in(&mut graph, &mut model.functions, folder)?;
    let operator_set = operator_set(&model)?;
    if graph.output.is_empty() {
        return refuse("the model has no output: export it again");
    }
    functions::inline(&mut graph, &model.functions, operator_set)?;
    refusals::check_operators(&graph)?;
    tensors::check(&graph)?;
    tensors::constants_to_weights(&mut graph);
    let notes = precision::to_single(&mut graph).into_iter().collect();
    order::sort(&mut graph)?;
    strip(&mut graph);
    let exporter = [model.producer_name(), model.producer_version()].join(" ").trim().to_owned();
    Ok(Source { graph, operator_set, ir_version: model.ir_version(), exporter, notes })
}

fn decode(bytes: &[u8]) -> Result<ModelProto, ImportError> {
    if bytes.is_empty() {
        return refuse("the file is empty");
    }
    let model = onnx::decode(bytes).map_err(|reason| {
        ImportError::Refused(format!(
            "the file cannot be read as an ONNX model ({reason}): it was cut off, or is of another \
             format (.ort, .tflite, .pb, a ZIP archive); give the .onnx file that an exporter wrote"
        ))
    })?;
    if !model.training_info.is_empty() {
        return refuse("the model has training graphs: export it for inference");
    }
    Ok(model)
}

/// The version of the standard operators.
fn operator_set(model: &ModelProto) -> Result<i64, ImportError> {
    const OLDEST: i64 = 9;
    let standard = model.opset_import.iter().filter(|set| is_standard(set.domain()));
    match standard.map(OperatorSetIdProto::version).max() {
        None => refuse("the model names no version of ONNX's operators (opset): export it again"),
        Some(version) if version < OLDEST => refuse(format!(
            "the model is written for operator set {version}, and {OLDEST} is the oldest that can be \
             imported: export it with opset 17"
        )),
        Some(version) => Ok(version),
    }
}

/// Whether a domain is that of ONNX's own operators.
pub(crate) fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}

/// Removes descriptions, in which exporters leave paths and lines of source code, and the shapes
/// that they noted for inner tensors.
fn strip(graph: &mut GraphProto) {
    graph.doc_string = None;
    graph.value_info.clear();
    for node in &mut graph.node {
        node.doc_string = None;
    }
    for tensor in &mut graph.initializer {
        tensor.doc_string = None;
    }
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        value.doc_string = None;
    }
}

/// The inputs of a node that are given; optional ones may be left out.
pub(crate) fn inputs(node: &NodeProto) -> impl Iterator<Item = &String> {
    node.input.iter().filter(|name| !name.is_empty())
}

/// The outputs of a node that are used.
pub(crate) fn outputs(node: &NodeProto) -> impl Iterator<Item = &String> {
    node.output.iter().filter(|name| !name.is_empty())
}
