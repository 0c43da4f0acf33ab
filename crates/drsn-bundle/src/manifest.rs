//! `manifest.json`: all that a server must know of a model, in one typed structure.
//!
//! A JSON Schema of it is kept in `docs/manifest.schema.json`; a test holds the two together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Architecture, Baseline, BundleError, InputSpec, Name, onnx};

/// The manifest format this crate reads and writes.
pub const FORMAT: u32 = 1;

/// What a bundle says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Manifest {
    /// Version of this format; readers refuse one they do not know.
    pub format: u32,
    /// Name of the model: the first folder below the repository.
    pub name: Name,
    /// Version of the model, a positive number in decimal digits: the second folder.
    pub version: Name,
    /// The network, as it was built.
    pub architecture: Architecture,
    /// What the network takes, and how raw input is prepared for it.
    pub input: InputSpec,
    /// Class labels, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// The building units that shrink, in the order in which data meets them; empty for a plain ResNet.
    pub blocks: Vec<Block>,
    /// SHA-256 of the bundle's other files, in lower-case hexadecimal digits, by file name.
    pub files: BTreeMap<String, String>,
    /// How the model came to be and how well it does.
    pub training: Option<Training>,
    /// What inputs look like as long as nothing has changed.
    pub baseline: Option<Baseline>,
}

/// One building unit with a threshold, and where the graph shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Block {
    /// Name, like `stage1.block1`.
    pub name: Name,
    /// Number of channels C of the unit.
    pub channels: usize,
    /// Whether each channel has a threshold of its own.
    pub threshold: ThresholdKind,
    /// Graph output with the thresholds τ, `[batch, C]`.
    pub threshold_output: String,
    /// Graph output with the mean magnitudes A before shrinkage, `[batch, C]`.
    pub mean_abs_output: String,
    /// Tensor inside the graph that holds the features after shrinkage, `[batch, C, …]`.
    /// The share of zeros in it is computed only when a client asks for it.
    pub shrunk_tensor: String,
}

/// How a unit's thresholds belong to its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ThresholdKind {
    /// DRSN-CW: one threshold a channel.
    ChannelWise,
    /// DRSN-CS: one threshold for all channels.
    ChannelShared,
}

/// How the model was trained, and how well it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Training {
    /// Program and version that made the bundle.
    pub tool: String,
    /// The data, in words: name, source, licence.
    pub data: String,
    /// SHA-256 of classes, places, labels and some of the values, in lower-case hexadecimal digits: another one is of
    /// other data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<String>,
    /// Inputs that were trained on.
    pub training_inputs: usize,
    /// Inputs of the training set that were held out.
    pub held_out_inputs: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Passes over the training data that were made.
    pub epochs: usize,
    /// The whole configuration, as `drsn-train train` understands it.
    pub configuration: serde_json::Value,
    /// What else the exact bytes of the model depend on: threads, processor features, versions.
    pub environment: BTreeMap<String, String>,
    /// How well the network does on held-out inputs, depending on where its normalizations take their statistics.
    #[serde(default)]
    pub held_out_accuracy: Option<HeldOutAccuracy>,
    /// What each epoch gave.
    #[serde(default)]
    pub history: Vec<Epoch>,
    /// How well the exported model does, by data set and noise.
    pub evaluations: Vec<Evaluation>,
}

/// What one epoch of a training gave.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Epoch {
    /// Mean loss of its batches, without penalties, while the weights changed.
    pub loss: f64,
    /// Accuracy on the same batches.
    pub accuracy: f64,
    /// Loss on the held-out inputs after it, with each batch's statistics.
    pub held_out_loss: f64,
    /// Accuracy on them.
    pub held_out_accuracy: f64,
    /// Learning rate of its last batch.
    pub learning_rate: f64,
}

/// Accuracy on the held-out inputs by the statistics of the normalizations. The exported model has the exact ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HeldOutAccuracy {
    /// With the running averages that training leaves behind.
    pub running: f64,
    /// With mean and variance over all training data.
    pub exact: f64,
    /// With those of each batch, as while training.
    pub batch: f64,
}

/// Accuracy of the exported model on one data set under one kind of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evaluation {
    /// The data set, like `MNIST test`.
    pub data: String,
    /// The noise that was added, in words; none for clean data.
    pub noise: Option<String>,
    /// Number of inputs.
    pub inputs: usize,
    /// Share of inputs whose most probable class is the right one, in [0, 1].
    pub accuracy: f64,
}

impl Manifest {
    /// Reads a manifest from JSON and checks it in itself.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] with what is wrong, in words.
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let wrong = |reason: String| BundleError::Manifest { reason };
        let version: Version = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
        if version.format != FORMAT {
            return Err(wrong(format!(
                "it has format {}, and this program reads format {FORMAT}",
                version.format
            )));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// The manifest as JSON for people to read, with a line feed at its end.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] where a value cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, BundleError> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|e| BundleError::Manifest { reason: e.to_string() })?;
        json.push(b'\n');
        Ok(json)
    }

    /// Every output of the model with its width, the sizes `[batch, width]` without the batch.
    pub fn outputs(&self) -> Vec<(String, usize)> {
        let classes = self.classes.len();
        let mut outputs =
            vec![(onnx::PROBABILITIES.to_owned(), classes), (onnx::LOGITS.to_owned(), classes)];
        for block in &self.blocks {
            outputs.push((block.threshold_output.clone(), block.channels));
            outputs.push((block.mean_abs_output.clone(), block.channels));
        }
        outputs
    }

    /// What the fields say of one another: sizes, names, doubles.
    fn check(&self) -> Result<(), String> {
        if !self.version.as_str().bytes().all(|b| b.is_ascii_digit())
            || self.version.as_str().starts_with('0')
        {
            return Err(format!(
                "version must be a positive whole number without leading zeros, and is \"{}\"",
                self.version
            ));
        }
        self.input.check()?;
        if self.classes.len() < 2 {
            return Err(format!(
                "a classifier has at least two classes, and this has {}",
                self.classes.len()
            ));
        }
        if let Some(double) = first_double(self.classes.iter().map(String::as_str)) {
            return Err(format!("class \"{double}\" is named twice"));
        }
        if let Some(double) = first_double(self.blocks.iter().map(|b| b.name.as_str())) {
            return Err(format!("block \"{double}\" is named twice"));
        }
        if let Some(block) = self.blocks.iter().find(|b| b.channels == 0) {
            return Err(format!("block \"{}\" has no channels", block.name));
        }
        match &self.baseline {
            Some(baseline) => baseline
                .check(&self.input, self.classes.len(), &self.blocks)
                .map_err(|reason| format!("its baseline: {reason}")),
            None => Ok(()),
        }
    }
}

fn first_double<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_SCHEMA=1 cargo test -p drsn-bundle schema` writes it anew.
    #[test]
    fn the_schema_in_docs_is_the_schema_of_this_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/manifest.schema.json");
        let mut schema = serde_json::to_string_pretty(&schemars::schema_for!(Manifest)).unwrap();
        schema.push('\n');
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(path, &schema).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), schema);
    }
}
