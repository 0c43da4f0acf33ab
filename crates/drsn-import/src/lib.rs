//! Imports DRSNs that other programs trained: any ONNX model becomes a bundle with its thresholds.
//!
//! ```text
//! file ─► read ─► adapt ─► answers ─► find ─► instrument ─► standard ─► verify ─► bundle
//!         safely   input    output     thresholds  outputs     form         golden
//! ```
//!
//! * `read`: decodes the file within limits, refuses what a model must not contain, takes in weights
//!   and functions, sorts nodes.
//! * `adapt`: the input and the batch of a bundle.
//! * `answers`: the output with the classes, and whether it can be relied upon.
//! * `constants`: sizes that are computed from weights alone become weights, and padding a part of
//!   the convolution behind it.
//! * `find`: thresholds, by measuring and proving.
//! * `instrument`: the outputs of a bundle.
//! * `standard`: thresholds in the form for which the server has operators of its own.
//! * `verify`: the finished model against the one that was read.
//!
//! A model is run here, and may take all memory or time: callers do this in a process of its own
//! with limits on both.

mod adapt;
mod answers;
mod constants;
mod describe;
mod error;
mod find;
mod graph;
mod instrument;
mod noise;
mod options;
mod read;
mod report;
mod run;
mod standard;
mod verify;

use std::{collections::BTreeMap, path::Path};

use drsn_bundle::{
    Block, Golden, InputSpec, Manifest, Origin, manifest, onnx,
    onnx::proto::{ModelProto, StringStringEntryProto},
    runtime::Runtime,
};
use ndarray::ArrayD;
use prost::Message as _;

pub use error::ImportError;
pub use options::{ImageOptions, InputKind, Layout, Normalize, Options, SignalOptions};
pub use report::{BlockReport, Form, Kind, Report};

use crate::{
    answers::Answers,
    error::refuse,
    find::Search,
    graph::{Graph, is_float},
    read::Source,
    run::Runner,
};

/// A model that can become a bundle: what [`drsn_bundle::write`] takes.
#[derive(Debug)]
pub struct Imported {
    /// The manifest, without checksums.
    pub manifest: Manifest,
    /// The bytes of the model.
    pub model: Vec<u8>,
    /// Inputs with their outputs.
    pub golden: Golden,
    /// What was found.
    pub report: Report,
    /// The largest difference between this model's probabilities and its framework's that is
    /// rounding: more for 16-bit floats and quantised models.
    pub tolerance: f32,
}

/// Imports a model from a file.
///
/// # Errors
/// [`ImportError`] with a sentence that says why it cannot be a bundle, and what to do.
pub fn import(runtime: &Runtime, path: &Path, options: &Options) -> Result<Imported, ImportError> {
    let source = read::read(path)?;
    let runner =
        Runner { runtime, operator_set: source.operator_set, ir_version: source.ir_version };
    let mut adapted = adapt::adapt(&source, runner, options)?;
    let answers = answers::find(&mut adapted, runner, options)?;
    constants::store(&mut adapted.graph, runner, answers.probes[0].view());
    constants::merge_padding(&mut adapted.graph);
    let (is_rough, is_quantised) = (adapted.is_rough(), adapted.is_quantised);
    let search = search(&adapted.graph, runner, &answers, adapted.is_half)?;
    if search.found.is_empty() && !options.allow_plain {
        return refuse(nothing_found(&search, is_quantised));
    }
    let mut report = report(&source, &adapted, &answers);
    let classes = options.labels.len();
    let mut graph = adapted.graph;
    let set = source.operator_set;
    let blocks = instrument::instrument(&mut graph, set, &answers, classes, &search.found)?;
    let names: Vec<&str> = blocks.iter().map(|block| block.name.as_str()).collect();
    let verified = |graph| {
        let mut message = runner.message(graph);
        add_metadata(&mut message, &options.labels, &names);
        let model = message.encode_to_vec();
        verify::verify(runtime, &model, &adapted.input, &answers, &blocks, is_rough)
            .map(|(golden, values)| (model, golden, values))
    };
    let rewritten = standard::standard(&graph, set, &search.found, &blocks)?;
    let (model, golden, values) = match rewritten.map(&verified) {
        Some(Ok(verified)) => verified,
        Some(Err(_)) | None => verified(graph)?,
    };
    describe::describe(&mut report, &search, &blocks, &values);
    let manifest = manifest_of(options, &report, adapted.input, blocks);
    let tolerance = adapt::tolerance(is_rough);
    Ok(Imported { manifest, model, golden, report, tolerance })
}

/// Reads a model without running it; for the fuzz target.
#[cfg(fuzzing)]
pub fn read_only(bytes: &[u8], folder: &Path) {
    let _ = read::read_bytes(bytes, folder);
}

fn manifest_of(
    options: &Options,
    report: &Report,
    input: InputSpec,
    blocks: Vec<Block>,
) -> Manifest {
    Manifest {
        format: manifest::FORMAT,
        name: options.name.clone(),
        version: options.version.clone(),
        architecture: None,
        origin: Some(Origin {
            exporter: report.exporter.clone(),
            operator_set: report.operator_set,
            parameters: report.parameters,
            warnings: report.warnings.clone(),
        }),
        input,
        classes: options.labels.clone(),
        blocks,
        features: None,
        files: BTreeMap::new(),
        training: None,
        baseline: None,
        calibration: None,
    }
}

/// Searches with two rows of noise.
fn search(
    graph: &onnx::proto::GraphProto,
    runner: Runner<'_>,
    answers: &Answers,
    is_half: bool,
) -> Result<Search, ImportError> {
    let index = Graph::new(graph);
    let needed = find::needed(&index);
    if needed.is_empty() {
        return Ok(Search::default());
    }
    let names: Vec<&str> = needed.iter().map(String::as_str).collect();
    let input: ArrayD<f32> =
        answers.probes[0].slice_axis(ndarray::Axis(0), (0..2).into()).to_owned();
    let probe = runner.run(graph, &names, input.view())?;
    find::search(&index, runner, &probe, if is_half { find::ROUGH } else { find::FINE })
}

fn nothing_found(search: &Search, is_quantised: bool) -> String {
    let others = match (search.constant, search.positional) {
        (0, 0) => String::new(),
        (0, n) => format!(" ({n} with a threshold for each position were found)"),
        (n, _) => format!(" ({n} with a threshold that does not depend on the input were found)"),
    };
    let advice = if is_quantised {
        "the model is quantised: quantise its convolutions only (op_types_to_quantize=[\"Conv\"]) or import \
         it as it was before; "
    } else {
        ""
    };
    format!(
        "no soft threshold and no garrote was found: tensors y = sign(x) · max(|x| − τ, 0) or \
         x − τ²/x, computed by element-wise operators, with one τ for each channel, group or input, \
         were looked for{others}; {advice}--allow-plain imports the network without blocks"
    )
}

fn report(source: &Source, adapted: &adapt::Adapted, answers: &Answers) -> Report {
    let weights = source.graph.initializer.iter().filter(|t| is_float(t.data_type()));
    let size = |dims: &[i64]| dims.iter().product::<i64>() as usize;
    Report {
        exporter: source.exporter.clone(),
        operator_set: source.operator_set,
        parameters: weights.map(|tensor| size(&tensor.dims)).sum(),
        output: answers.numbers.name().to_owned(),
        notes: adapted.notes.clone(),
        blocks: Vec::new(),
        warnings: Vec::new(),
    }
}

fn add_metadata(model: &mut ModelProto, classes: &[String], blocks: &[&str]) {
    let entry = |key: &str, value: String| StringStringEntryProto {
        key: Some(key.to_owned()),
        value: Some(value),
    };
    let list = |names: &[&str]| serde_json::to_string(names).unwrap_or_default();
    let classes: Vec<&str> = classes.iter().map(String::as_str).collect();
    model.producer_name = Some("drsn".to_owned());
    model.producer_version = Some(env!("CARGO_PKG_VERSION").to_owned());
    model.metadata_props = vec![
        entry(onnx::METADATA_FORMAT, manifest::FORMAT.to_string()),
        entry(onnx::METADATA_CLASSES, list(&classes)),
        entry(onnx::METADATA_BLOCKS, list(blocks)),
    ];
}
