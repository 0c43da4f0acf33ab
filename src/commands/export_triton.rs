//! `drsn-serve export-triton`: exports a bundle to a model repository of NVIDIA's Triton Inference
//! Server.
//!
//! ```text
//! OUT_DIR/<name>/config.pbtxt           tensors, batching, and how input is prepared
//!                labels.txt             the classes, one per line
//!                <version>/model.onnx   the bundle's own, byte for byte
//! ```

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, bail};
use drsn_bundle::{Bundle, Manifest, Name, bundle::MODEL_FILE, onnx};

/// Name of a model's configuration in Triton.
const CONFIG_FILE: &str = "config.pbtxt";
/// Name of the labels file, beside the configuration.
const LABELS_FILE: &str = "labels.txt";

/// Checks the bundle and writes it into Triton's repository. A further version joins a model that
/// exists there, if configuration and labels are the same.
pub(super) fn run(
    folder: &Path,
    repository: &Path,
    name: Option<&Name>,
    max_batch: u16,
) -> anyhow::Result<String> {
    let bundle = super::open(folder)?;
    let manifest = &bundle.manifest;
    let name = name.unwrap_or(&manifest.name);
    let config = config(manifest, name, max_batch)?;
    let labels = labels(&manifest.classes)?;
    let model = repository.join(name.as_str());
    let version = model.join(manifest.version.as_str());
    if version.exists() {
        bail!(
            "{} already exists and is not overwritten; choose another OUT_DIR or --name",
            version.display()
        );
    }

    let export = Export { model: &model, version: &version, config, labels };
    export
        .write(repository, &bundle)
        .with_context(|| format!("cannot write {}", version.display()))?;
    Ok(format!(
        "wrote {}/{} to {} as {name}, for batches of up to {max_batch}; Triton does not prepare \
         inputs: the parameter drsn.input in config.pbtxt says what clients must do",
        manifest.name,
        manifest.version,
        model.display()
    ))
}

/// The files of a model in Triton's repository.
struct Export<'a> {
    /// The model's folder.
    model: &'a Path,
    /// The version's folder in it.
    version: &'a Path,
    config: String,
    labels: String,
}

impl Export<'_> {
    fn write(&self, repository: &Path, bundle: &Bundle) -> anyhow::Result<()> {
        fs::create_dir_all(repository)?;
        // The model is written to a temporary folder and renamed when complete, so that Triton
        // never sees half of it.
        let staging = tempfile::Builder::new().prefix(".writing-").tempdir_in(repository)?;
        let staged_model = staging.path().join("model");
        let staged_version = staged_model.join(bundle.manifest.version.as_str());
        fs::create_dir_all(&staged_version)?;
        fs::write(staged_version.join(MODEL_FILE), &bundle.model)?;
        if self.model.exists() {
            check_same(&self.model.join(CONFIG_FILE), &self.config)?;
            check_same(&self.model.join(LABELS_FILE), &self.labels)?;
            fs::rename(&staged_version, self.version)?;
        } else {
            fs::write(staged_model.join(CONFIG_FILE), &self.config)?;
            fs::write(staged_model.join(LABELS_FILE), &self.labels)?;
            fs::rename(&staged_model, self.model)?;
        }
        Ok(())
    }
}

/// Fails if a file of the existing model is not the one that this version needs.
fn check_same(path: &Path, expected: &str) -> anyhow::Result<()> {
    let found =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    if found != expected {
        bail!(
            "{} belongs to another model or batch size and is not overwritten: all versions of a model \
             in Triton share it; choose another OUT_DIR or --name",
            path.display()
        );
    }
    Ok(())
}

/// One label per line, as Triton reads them.
fn labels(classes: &[String]) -> anyhow::Result<String> {
    if let Some(label) = classes.iter().find(|label| label.contains(['\n', '\r'])) {
        bail!(
            "the label {label:?} contains a line break, which Triton's labels.txt cannot represent"
        );
    }
    Ok(classes.iter().fold(String::new(), |lines, label| lines + label + "\n"))
}

/// The configuration in protobuf's text format. Sizes exclude the batch dimension.
fn config(manifest: &Manifest, name: &Name, max_batch: u16) -> anyhow::Result<String> {
    let mut text = String::new();
    writeln!(text, "name: {}", quoted(name.as_str()))?;
    writeln!(text, "backend: \"onnxruntime\"")?;
    writeln!(text, "max_batch_size: {max_batch}")?;
    writeln!(text, "input {{\n{}}}", tensor(onnx::INPUT, &manifest.input.shape(), None)?)?;
    for (output, width) in manifest.outputs() {
        let labels = (output == onnx::PROBABILITIES).then_some(LABELS_FILE);
        writeln!(text, "output {{\n{}}}", tensor(&output, &[width], labels)?)?;
    }
    // The requests that wait when an instance is free form the next batch, as in drsn-serve.
    writeln!(text, "dynamic_batching {{\n}}")?;
    let input = serde_json::to_string(&manifest.input)?;
    writeln!(
        text,
        "parameters {{\n  key: \"drsn.input\"\n  value {{\n    string_value: {}\n  }}\n}}",
        quoted(&input)
    )?;
    Ok(text)
}

fn tensor(name: &str, sizes: &[usize], labels: Option<&str>) -> anyhow::Result<String> {
    let mut text = format!("  name: {}\n  data_type: TYPE_FP32\n", quoted(name));
    let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
    writeln!(text, "  dims: [{}]", sizes.join(", "))?;
    if let Some(labels) = labels {
        writeln!(text, "  label_filename: {}", quoted(labels))?;
    }
    Ok(text)
}

/// A string in protobuf's text format; bytes outside printable ASCII are octal escapes.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            b' '..=b'~' => quoted.push(char::from(byte)),
            // Writing to a string does not fail.
            _ => drop(write!(quoted, "\\{byte:03o}")),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_so_that_protobuf_reads_them_back() {
        assert_eq!(quoted("plain.name-1"), "\"plain.name-1\"");
        assert_eq!(quoted("a \"b\" \\ c\n"), "\"a \\\"b\\\" \\\\ c\\012\"");
        assert_eq!(quoted("µ"), "\"\\302\\265\"");
    }

    #[test]
    fn a_label_with_a_line_break_is_refused() {
        let classes = |text: &str| vec!["a".to_owned(), text.to_owned()];
        assert_eq!(labels(&classes("b c")).ok().as_deref(), Some("a\nb c\n"));
        assert!(labels(&classes("b\nc")).is_err());
    }
}
