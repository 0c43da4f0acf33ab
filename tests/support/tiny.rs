//! A network small enough to check by hand, as a bundle.
//!
//! `x = w · input` for two channels (w = 1 and −2, by a 1x1 convolution of the first input
//! channel), one block that shrinks x with τ = α · A (α = 0.5 and 0.25), global average, and two
//! classes with logits `[m₀ + m₁, m₀ − m₁]`.

use std::collections::BTreeMap;

use drsn_bundle::{
    Architecture, Block, Filter, Geometry, Golden, ImageSpec, InputSpec, Manifest, Name,
    Normalization, SignalSpec, Stage, Stem, Tensor, ThresholdKind, Unit,
    onnx::{self, Attribute, GraphBuilder},
};
use ndarray::ArrayD;

/// Weights of the two channels.
pub(crate) const WEIGHTS: [f32; 2] = [1.0, -2.0];
/// α of the two channels.
pub(crate) const SCALES: [f32; 2] = [0.5, 0.25];
/// Name of the only block.
pub(crate) const BLOCK: &str = "stage1.block1";

/// Grey pictures of 4 x 4 pixels.
pub(crate) fn image_input() -> InputSpec {
    InputSpec::Image(ImageSpec {
        channels: 1,
        height: 4,
        width: 4,
        geometry: Geometry::Refuse,
        filter: Filter::Triangle,
        mean: vec![0.0],
        std: vec![1.0],
    })
}

/// Signals of `channels` times 8 samples, not normalised.
pub(crate) fn signal_input(channels: usize) -> InputSpec {
    InputSpec::Signal(SignalSpec {
        channels,
        window: 8,
        sample_rate_hz: None,
        normalization: Normalization::None,
        source: None,
        padding: None,
    })
}

/// The manifest, without checksums.
pub(crate) fn manifest(name: &str, version: &str, input: InputSpec) -> Manifest {
    Manifest {
        format: drsn_bundle::manifest::FORMAT,
        name: Name::new(name).unwrap(),
        version: Name::new(version).unwrap(),
        architecture: Some(Architecture {
            unit: Unit::Cw,
            stem: Stem { channels: 2, kernel: 1, stride: 1 },
            stages: vec![Stage { channels: 2, blocks: 1, stride: 1 }],
            shrinkage: drsn_bundle::ShrinkageFunction::Soft,
            kernel: 3,
            threshold_reduction: 1,
            parameters: 10,
        }),
        origin: None,
        input,
        classes: vec!["plus".to_owned(), "minus".to_owned()],
        blocks: vec![Block {
            name: Name::new(BLOCK).unwrap(),
            channels: 2,
            threshold: ThresholdKind::ChannelWise,
            threshold_output: onnx::threshold_output(BLOCK),
            mean_abs_output: onnx::mean_abs_output(BLOCK),
            shrunk_tensor: format!("{BLOCK}.shrunk"),
        }],
        features: None,
        files: BTreeMap::new(),
        training: None,
        baseline: None,
        calibration: None,
    }
}

/// The graph that the manifest describes.
pub(crate) fn model(manifest: &Manifest) -> Vec<u8> {
    model_with(manifest, |_, shrunk| shrunk.to_owned())
}

/// The same graph, except that the average is over `rest` applied to the shrunk features.
pub(crate) fn model_with(
    manifest: &Manifest,
    rest: impl FnOnce(&mut GraphBuilder, &str) -> String,
) -> Vec<u8> {
    let shape = manifest.input.shape();
    let space = shape.len() - 1;
    let mut graph = GraphBuilder::new("tiny");
    let dims: Vec<i64> = std::iter::once(-1).chain(shape.iter().map(|&size| size as i64)).collect();
    graph.input(onnx::INPUT, &dims);

    let mut kernel_shape = vec![2, shape[0]];
    kernel_shape.extend(vec![1; space]);
    let kernel: Vec<f32> = WEIGHTS
        .iter()
        .flat_map(|&w| (0..shape[0]).map(move |channel| if channel == 0 { w } else { 0.0 }))
        .collect();
    graph.tensor("kernel", &kernel_shape, &kernel);
    graph.node("Conv", &[onnx::INPUT, "kernel"], "x", &[]);

    graph.node("Abs", &["x"], "magnitude", &[]);
    let mean_abs = onnx::mean_abs_output(BLOCK);
    average(&mut graph, "magnitude", &mean_abs);
    graph.tensor("alpha", &[2], &SCALES);
    let threshold = onnx::threshold_output(BLOCK);
    graph.node("Mul", &[&mean_abs, "alpha"], &threshold, &[]);
    let axes: Vec<i64> = (2..2 + space as i64).collect();
    graph.integers("axes", &axes);
    graph.node("Unsqueeze", &[&threshold, "axes"], "tau", &[]);
    graph.node("Neg", &["tau"], "minus_tau", &[]);
    graph.node("Min", &["x", "tau"], "below", &[]);
    graph.node("Max", &["below", "minus_tau"], "clipped", &[]);
    let shrunk = format!("{BLOCK}.shrunk");
    graph.node("Sub", &["x", "clipped"], &shrunk, &[]);

    let stream = rest(&mut graph, &shrunk);
    average(&mut graph, &stream, "features");
    graph.tensor("weights", &[2, 2], &[1.0, 1.0, 1.0, -1.0]);
    graph.node("MatMul", &["features", "weights"], onnx::LOGITS, &[]);
    graph.node("Softmax", &[onnx::LOGITS], onnx::PROBABILITIES, &[("axis", Attribute::Int(1))]);
    for (name, width) in manifest.outputs() {
        graph.output(&name, &[-1, width as i64]);
    }
    graph.metadata(onnx::METADATA_FORMAT, &manifest.format.to_string());
    graph.metadata(onnx::METADATA_CLASSES, &json(&manifest.classes));
    let blocks: Vec<&str> = manifest.blocks.iter().map(|b| b.name.as_str()).collect();
    graph.metadata(onnx::METADATA_BLOCKS, &json(&blocks));
    graph.finish("checked by hand")
}

/// One golden input, 0.1 · (−1)ⁿ · n, and its outputs, computed here.
pub(crate) fn golden(manifest: &Manifest) -> Golden {
    let shape = manifest.input.shape();
    let length: usize = shape.iter().product();
    let data: Vec<f32> =
        (0..length).map(|n| 0.1 * n as f32 * if n % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let first_channel = &data[..length / shape[0]];
    let answer = answer(first_channel);
    let row = |data: [f32; 2]| Tensor(ArrayD::from_shape_vec(vec![1, 2], data.to_vec()).unwrap());
    let outputs = BTreeMap::from([
        (onnx::PROBABILITIES.to_owned(), row(answer.probabilities)),
        (onnx::LOGITS.to_owned(), row(answer.logits)),
        (onnx::threshold_output(BLOCK), row(answer.threshold)),
        (onnx::mean_abs_output(BLOCK), row(answer.mean_abs)),
    ]);
    let input_shape: Vec<usize> = std::iter::once(1).chain(shape).collect();
    Golden::new(Tensor(ArrayD::from_shape_vec(input_shape, data).unwrap()), outputs)
}

/// The network's outputs for the first channel of an input.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) probabilities: [f32; 2],
    pub(crate) logits: [f32; 2],
    pub(crate) threshold: [f32; 2],
    pub(crate) mean_abs: [f32; 2],
    pub(crate) zeroed: [f32; 2],
}

/// Computes the network by its definition.
pub(crate) fn answer(input: &[f32]) -> Answer {
    let count = input.len() as f32;
    let of_channel = |channel: usize| {
        let x: Vec<f32> = input.iter().map(|v| v * WEIGHTS[channel]).collect();
        let mean_abs = x.iter().map(|v| v.abs()).sum::<f32>() / count;
        let threshold = SCALES[channel] * mean_abs;
        let shrunk: Vec<f32> =
            x.iter().map(|v| v.signum() * (v.abs() - threshold).max(0.0)).collect();
        let mean = shrunk.iter().sum::<f32>() / count;
        let zeroed = x.iter().filter(|v| v.abs() <= threshold).count() as f32 / count;
        (mean_abs, threshold, mean, zeroed)
    };
    let [a, b] = [of_channel(0), of_channel(1)];
    let logits = [a.2 + b.2, a.2 - b.2];
    let first = 1.0 / (1.0 + (logits[1] - logits[0]).exp());
    Answer {
        probabilities: [first, 1.0 - first],
        logits,
        threshold: [a.1, b.1],
        mean_abs: [a.0, b.0],
        zeroed: [a.3, b.3],
    }
}

/// Global average, and removal of the axes that it leaves.
fn average(graph: &mut GraphBuilder, from: &str, to: &str) {
    let pooled = format!("{to}.pooled");
    graph.node("GlobalAveragePool", &[from], &pooled, &[]);
    graph.node("Flatten", &[&pooled], to, &[("axis", Attribute::Int(1))]);
}

fn json(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{}\"", name.as_ref())).collect();
    format!("[{}]", quoted.join(","))
}
