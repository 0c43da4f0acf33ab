//! The process in which a foreign model is read and run.

use std::{
    fs,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use anyhow::bail;
use drsn_bundle::{
    bundle::{GOLDEN_FILE, MANIFEST_FILE, MODEL_FILE},
    runtime::Runtime,
};
use drsn_import::{ImportError, Imported, Report, import};
use serde::Serialize;

use super::{Import, JSON_REPORT, TEXT_REPORT, expected};
use crate::{
    commands::classify::{Sample, samples},
    config::{Config, Device},
    engine::process,
};

/// What to import, and within which limits.
#[derive(Debug, clap::Args)]
pub struct ImportConfined {
    /// Folder for the result
    #[arg(long)]
    result: PathBuf,
    /// ONNX Runtime's shared library
    #[arg(long)]
    library: PathBuf,
    #[command(flatten)]
    import: Import,
}

/// The report as JSON.
#[derive(Debug, Serialize)]
struct JsonReport<'a> {
    #[serde(flatten)]
    report: &'a Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<&'a [Sample]>,
}

/// Imports a model in this process and writes the parts of its bundle to a folder.
///
/// # Errors
/// The reason why it cannot be imported, for the user.
pub(in crate::commands) fn run(
    confined: &ImportConfined,
    config: &Config,
) -> anyhow::Result<String> {
    process::be_the_first_to_end();
    let ImportConfined { result, library, import: arguments } = confined;
    let options = arguments.options()?;
    let runtime = Runtime::start(Some(library))?;
    process::confine(arguments.memory_mib << 20, arguments.time_limit_s)?;
    let imported = match import(&runtime, &arguments.model, &options) {
        Ok(imported) => imported,
        Err(error) if process::is_lack_of_memory(&error.to_string()) => bail!(
            "the model needs more than {} MiB of memory while it is tried: give it more with \
             --memory-mib if you trust it",
            arguments.memory_mib
        ),
        Err(error @ ImportError::Runtime(_)) => bail!("{error}"),
        Err(error) => return Err(error.into()),
    };
    let (text, json) = reports(confined, config, &imported)?;
    let Imported { manifest, model, golden, .. } = imported;
    fs::write(result.join(MODEL_FILE), model)?;
    fs::write(result.join(GOLDEN_FILE), serde_json::to_vec(&golden)?)?;
    fs::write(result.join(JSON_REPORT), json)?;
    fs::write(result.join(TEXT_REPORT), text)?;
    fs::write(result.join(MANIFEST_FILE), manifest.to_json()?)?;
    Ok(String::new())
}

/// What was found, and the answers for the samples, as text and as JSON.
fn reports(
    confined: &ImportConfined,
    config: &Config,
    imported: &Imported,
) -> anyhow::Result<(String, Vec<u8>)> {
    let ImportConfined { result, library, import: arguments } = confined;
    let report = &imported.report;
    let mut text = report.to_text();
    if arguments.sample.is_empty() {
        let json = JsonReport { report, samples: None };
        return Ok((text, serde_json::to_vec_pretty(&json)?));
    }
    let mut config = config.clone();
    config.models.device = Device::Cpu;
    config.models.onnxruntime = Some(library.clone());
    config.batching.workers = Some(NonZeroUsize::MIN);
    let folder = trial(imported, result)?;
    let sampled = samples(&config, folder, &arguments.sample)?;
    text = format!("{text}\n{}", sampled.table.trim_end());
    if let Some(path) = &arguments.expect {
        let tolerance = arguments.tolerance.unwrap_or(imported.tolerance);
        let expected = expected::read(path, &report.output, &imported.manifest.classes)?;
        text = format!("{text}\n{}", expected.compare(&sampled.inputs, tolerance)?);
    }
    let json = JsonReport { report, samples: Some(&sampled.inputs) };
    Ok((text, serde_json::to_vec_pretty(&json)?))
}

/// Writes the bundle to a folder that goes away with the result.
fn trial(imported: &Imported, result: &Path) -> anyhow::Result<PathBuf> {
    let Imported { manifest, model, golden, .. } = imported;
    Ok(drsn_bundle::write(&result.join("trial"), manifest.clone(), model, golden, false)?)
}
