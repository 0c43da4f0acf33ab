//! The process in which a foreign model is read and run.

use std::{fs, path::PathBuf};

use anyhow::bail;
use drsn_bundle::{
    bundle::{GOLDEN_FILE, MANIFEST_FILE, MODEL_FILE},
    runtime::Runtime,
};
use drsn_import::{ImportError, Imported, import};

use super::{Import, JSON_REPORT, TEXT_REPORT};
use crate::engine::process;

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

/// Imports a model in this process and writes the parts of its bundle to a folder.
///
/// # Errors
/// The reason why it cannot be imported, for the user.
pub(in crate::commands) fn run(confined: &ImportConfined) -> anyhow::Result<String> {
    process::be_the_first_to_end();
    let ImportConfined { result, library, import: arguments } = confined;
    let options = arguments.options()?;
    let runtime = Runtime::start(Some(library))?;
    process::confine(arguments.memory_mib << 20, arguments.time_limit_s)?;
    let imported = import(&runtime, &arguments.model, &options);
    let Imported { manifest, model, golden, report } = match imported {
        Ok(imported) => imported,
        Err(error) if process::is_lack_of_memory(&error.to_string()) => bail!(
            "the model needs more than {} MiB of memory while it is tried: give it more with \
             --memory-mib if you trust it",
            arguments.memory_mib
        ),
        Err(error @ ImportError::Runtime(_)) => bail!("{error}"),
        Err(error) => return Err(error.into()),
    };
    fs::write(result.join(MODEL_FILE), model)?;
    fs::write(result.join(GOLDEN_FILE), serde_json::to_vec(&golden)?)?;
    fs::write(result.join(JSON_REPORT), serde_json::to_vec_pretty(&report)?)?;
    fs::write(result.join(TEXT_REPORT), report.to_text())?;
    fs::write(result.join(MANIFEST_FILE), manifest.to_json()?)?;
    Ok(String::new())
}
