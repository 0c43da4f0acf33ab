//! `drsn-serve inspect`: describes a bundle as text or JSON, without ONNX Runtime.

use std::{fmt::Write as _, path::Path};

use drsn_bundle::{Block, Bundle, InputSpec, Manifest, Normalization, Training, onnx};
use serde_json::{Value, json};

/// Opens the bundle with every check except running the model.
pub(super) fn run(folder: &Path, as_json: bool) -> anyhow::Result<String> {
    let bundle = super::open(folder)?;
    if as_json {
        return Ok(serde_json::to_string_pretty(&describe(&bundle))?);
    }
    let mut text = String::new();
    write_text(&mut text, &bundle)?;
    Ok(text.trim_end().to_owned())
}

/// The manifest with shapes and sizes, and without the numbers of the baseline.
fn describe(bundle: &Bundle) -> Value {
    let manifest = &bundle.manifest;
    let outputs: Vec<Value> = manifest
        .outputs()
        .into_iter()
        .map(|(name, width)| json!({"name": name, "shape": [-1, width]}))
        .collect();
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "format": manifest.format,
        "input": {"name": onnx::INPUT, "shape": shape(manifest), "specification": manifest.input},
        "outputs": outputs,
        "classes": manifest.classes,
        "blocks": manifest.blocks,
        "architecture": manifest.architecture,
        "origin": manifest.origin,
        "parameters": manifest.parameters(),
        "model_bytes": bundle.model.len(),
        "golden_inputs": bundle.golden.batch(),
        "files": manifest.files,
        "baseline": manifest.baseline.as_ref().map(|baseline| json!({
            "data": baseline.data,
            "alarm_level": baseline.alarm_level,
            "shift_held_out_inputs": baseline.shift.as_ref().map(|shift| shift.held_out.count),
            "level_held_out_inputs": baseline.level.as_ref().map(|level| level.held_out.count),
        })),
        "calibration": manifest.calibration,
        "training": manifest.training,
    })
}

/// `[-1, C, …]`, where -1 stands for any batch size.
fn shape(manifest: &Manifest) -> Vec<i64> {
    std::iter::once(-1).chain(manifest.input.shape().iter().map(|&size| size as i64)).collect()
}

fn write_text(text: &mut String, bundle: &Bundle) -> anyhow::Result<()> {
    let manifest = &bundle.manifest;
    writeln!(text, "{}/{}", manifest.name, manifest.version)?;
    writeln!(text, "  input       {} FP32 {:?}", onnx::INPUT, shape(manifest))?;
    writeln!(text, "              {}", preparation(&manifest.input))?;
    for (position, (name, width)) in manifest.outputs().into_iter().enumerate() {
        let head = if position == 0 { "outputs" } else { "" };
        writeln!(text, "  {head:<11} {name} FP32 [-1, {width}]")?;
    }
    writeln!(text, "  classes     {}: {}", manifest.classes.len(), manifest.classes.join(", "))?;
    write_network(text, bundle)?;
    write_blocks(text, &manifest.blocks)?;
    match &manifest.baseline {
        None => writeln!(text, "  baseline    none; input shift and level are not checked")?,
        Some(baseline) => writeln!(
            text,
            "  baseline    from {}; alarms at p < {}",
            baseline.data, baseline.alarm_level
        )?,
    }
    if let Some(calibration) = &manifest.calibration {
        writeln!(text, "  temperature {}; {}", calibration.temperature, calibration.reason)?;
    }
    match &manifest.training {
        None => writeln!(text, "  training    unknown")?,
        Some(training) => write_training(text, training)?,
    }
    Ok(())
}

fn write_network(text: &mut String, bundle: &Bundle) -> anyhow::Result<()> {
    let manifest = &bundle.manifest;
    let (parameters, bytes) = (manifest.parameters(), bundle.model.len());
    if let Some(architecture) = &manifest.architecture {
        writeln!(
            text,
            "  network     unit {}, shrinkage {}, {parameters} parameters, {bytes} bytes of ONNX",
            word(&architecture.unit),
            word(&architecture.shrinkage),
        )?;
    }
    if let Some(origin) = &manifest.origin {
        let exporter = if origin.exporter.is_empty() { "unknown" } else { &origin.exporter };
        writeln!(
            text,
            "  network     imported, exported by {exporter}, operator set {}, {parameters} parameters, \
             {bytes} bytes of ONNX",
            origin.operator_set
        )?;
        for warning in &origin.warnings {
            writeln!(text, "              warning: {warning}")?;
        }
    }
    Ok(())
}

fn write_blocks(text: &mut String, blocks: &[Block]) -> anyhow::Result<()> {
    for (position, block) in blocks.iter().enumerate() {
        let head = if position == 0 { "blocks" } else { "" };
        let kind = word(&block.threshold);
        writeln!(
            text,
            "  {head:<11} {}: {} channels, {kind} thresholds",
            block.name, block.channels
        )?;
    }
    Ok(())
}

fn write_training(text: &mut String, training: &Training) -> anyhow::Result<()> {
    writeln!(text, "  training    by {} on {}", training.tool, training.data)?;
    writeln!(
        text,
        "              {} inputs, {} held out, {} epochs, seed {}",
        training.training_inputs, training.held_out_inputs, training.epochs, training.seed
    )?;
    if let Some(origin) = &training.started_from {
        writeln!(text, "              started from {origin}")?;
    }
    if let Some(accuracy) = training.held_out_accuracy {
        writeln!(text, "              accuracy on held-out inputs {:.4}", accuracy.exact)?;
    }
    for (position, warning) in training.warnings.iter().enumerate() {
        let head = if position == 0 { "warnings" } else { "" };
        writeln!(text, "  {head:<11} {warning}")?;
    }
    Ok(())
}

fn preparation(input: &InputSpec) -> String {
    match input {
        InputSpec::Image(image) => format!(
            "image of {} x {} pixels in {} channels, geometry {}, mean {:?}, standard deviation {:?}",
            image.width,
            image.height,
            image.channels,
            word(&image.geometry),
            image.mean,
            image.std
        ),
        InputSpec::Signal(signal) => {
            let rate = signal
                .sample_rate_hz
                .map_or_else(|| "any rate".to_owned(), |rate| format!("{rate} Hz"));
            let normalization = match signal.normalization {
                Normalization::None => "not normalised".to_owned(),
                Normalization::ZScore { .. } => {
                    format!("normalised: {}", word(&signal.normalization))
                }
            };
            let padding = signal.padding.map_or_else(String::new, |padding| {
                let least = signal.least_samples();
                format!(", recordings of {least} samples or more padded: {}", word(&padding))
            });
            format!(
                "signal of {} samples in {} channels at {rate}, {normalization}{padding}",
                signal.window, signal.channels
            )
        }
    }
}

/// A value as the manifest writes it: a word, or JSON.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}
