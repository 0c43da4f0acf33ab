//! `manifest.json`: everything that a server needs to know about a model, in one typed structure.
//!
//! Its JSON Schema is `docs/manifest.schema.json`; a test keeps the two in step.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Architecture, Baseline, BundleError, Calibration, InputSpec, Name, files::without_mark,
    onnx::names,
};

/// The manifest format this crate writes.
pub const FORMAT: u32 = 2;
/// The oldest format that it reads: one without features, and the distances of features and input
/// statistics.
pub const OLDEST_FORMAT: u32 = 1;

/// The description of a bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Manifest {
    /// Version of this format; readers reject versions that they do not know.
    pub format: u32,
    /// Name of the model, which is also its folder in the repository.
    pub name: Name,
    /// Version of the model, a positive number in decimal digits, which is also the folder below
    /// the name.
    pub version: Name,
    /// The architecture of the network; none of an imported one, whose layers are only in its graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Where the network comes from; none of one that `drsn-train` trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The network's input, and its preparation from raw data.
    pub input: InputSpec,
    /// Class labels, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// The units that shrink, in the order of the data flow; empty for a plain ResNet.
    pub blocks: Vec<Block>,
    /// The features before the last layer; missing if the graph does not give them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Features>,
    /// SHA-256 of the bundle's other files by file name, in lower-case hexadecimal digits.
    pub files: BTreeMap<String, String>,
    /// How the model was trained, and its accuracy.
    pub training: Option<Training>,
    /// The distribution of unchanged inputs.
    pub baseline: Option<Baseline>,
    /// The temperature of the probabilities; missing if none was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// Where an imported network comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Origin {
    /// The program that exported it, as the file says; empty if it does not.
    pub exporter: String,
    /// Version of ONNX's operators that it is written for.
    pub operator_set: i64,
    /// Trained numbers of the network.
    pub parameters: usize,
    /// What the import found that users should know, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// One unit with a threshold, and its tensors in the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Block {
    /// Name, such as `stage1.block1`.
    pub name: Name,
    /// Number of channels C of the unit.
    pub channels: usize,
    /// Whether each channel has its own threshold.
    pub threshold: ThresholdKind,
    /// Graph output with the thresholds τ, `[batch, C]`.
    pub threshold_output: String,
    /// Graph output with the mean magnitudes A before shrinkage, `[batch, C]`.
    pub mean_abs_output: String,
    /// Tensor inside the graph with the features after shrinkage, `[batch, C, …]`. The share of
    /// zeros in it is computed on request only.
    pub shrunk_tensor: String,
}

/// The features before the last layer: its input, as an output of the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Features {
    /// Graph output with the features, `[batch, width]`.
    pub output: String,
    /// Number of features of an input.
    pub width: usize,
}

/// How a unit's thresholds relate to its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ThresholdKind {
    /// DRSN-CW: one threshold per channel.
    ChannelWise,
    /// DRSN-CS: one threshold for all channels.
    ChannelShared,
}

/// How the model was trained, and its accuracy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Training {
    /// Program and version that wrote the bundle.
    pub tool: String,
    /// Description of the data: name, source, licence.
    pub data: String,
    /// What was noticed while the data was read: files that were left out or are there twice, and
    /// what was assumed or repaired, each with the first files it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_notes: Vec<String>,
    /// SHA-256 of the data's classes, positions, labels and some of its values, in lower-case
    /// hexadecimal digits. Other data has another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<String>,
    /// Number of training inputs.
    pub training_inputs: usize,
    /// Number of inputs of the training set that were held out.
    pub held_out_inputs: usize,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Number of passes over the training data.
    pub epochs: usize,
    /// The checkpoint whose weights the training started from; random weights if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<String>,
    /// The whole configuration, as `drsn-train train` reads it.
    pub configuration: serde_json::Value,
    /// Everything else that the exact bytes of the model depend on: threads, CPU features,
    /// versions.
    pub environment: BTreeMap<String, String>,
    /// Accuracy on held-out inputs, by the source of the normalizations' statistics.
    #[serde(default)]
    pub held_out_accuracy: Option<AccuracyByStatistics>,
    /// Mean over classes of the share of their held-out inputs that are correctly classified, with
    /// exact statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_macro_recall: Option<f64>,
    /// Mean cross-entropy on held-out inputs, with exact statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_loss: Option<f64>,
    /// The same on a sample of the training inputs, in batches as in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_accuracy: Option<AccuracyByStatistics>,
    /// Of a network that was trained to classify each position of its last features alone: the share
    /// of positions of held-out windows, each spliced of two, that have the class of their part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position_accuracy: Option<f64>,
    /// What a user should know before relying on the model, each in one sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The results of each epoch.
    #[serde(default)]
    pub history: Vec<Epoch>,
    /// Accuracy of the exported model, by data set and noise.
    pub evaluations: Vec<Evaluation>,
}

/// The results of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Epoch {
    /// Mean loss of its batches, without penalties, during the updates.
    pub loss: f64,
    /// Accuracy on the same batches.
    pub accuracy: f64,
    /// Loss on the held-out inputs after the epoch, with each batch's statistics.
    pub held_out_loss: f64,
    /// Accuracy on the held-out inputs.
    pub held_out_accuracy: f64,
    /// Learning rate of its last batch.
    pub learning_rate: f64,
}

/// Accuracy by the statistics of the normalizations. The exported model has the exact ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AccuracyByStatistics {
    /// With the running averages of the training.
    pub running: f64,
    /// With mean and variance over all training data.
    pub exact: f64,
    /// With those of each batch, as during training.
    pub batch: f64,
}

/// Accuracy of the exported model on one data set under one kind of noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evaluation {
    /// The data set, such as `MNIST test`.
    pub data: String,
    /// Description of the added noise; null for clean data.
    pub noise: Option<String>,
    /// Number of inputs.
    pub inputs: usize,
    /// Share of inputs whose most probable class is the correct one, in [0, 1].
    pub accuracy: f64,
}

impl Manifest {
    /// Whether the network was trained to classify each position of its last features alone.
    pub fn classifies_positions(&self) -> bool {
        self.training.as_ref().is_some_and(|training| training.position_accuracy.is_some())
    }

    /// Reads a manifest from JSON and checks its consistency.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] with what is wrong.
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let wrong = |reason: String| BundleError::Manifest { reason };
        let json = without_mark(json);
        let version: Version = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&version.format) {
            return Err(wrong(format!(
                "its format is {}, and this program supports formats {OLDEST_FORMAT} to {FORMAT}",
                version.format
            )));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// Trainable parameters of the network.
    pub fn parameters(&self) -> usize {
        let trained = self.architecture.as_ref().map(|architecture| architecture.parameters);
        trained.or(self.origin.as_ref().map(|origin| origin.parameters)).unwrap_or(0)
    }

    /// The manifest as indented JSON, with a final newline.
    ///
    /// # Errors
    /// [`BundleError::Manifest`] if a value cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>, BundleError> {
        let mut json = serde_json::to_vec_pretty(self)
            .map_err(|e| BundleError::Manifest { reason: e.to_string() })?;
        json.push(b'\n');
        Ok(json)
    }

    /// The name and width of every output of the model, `[batch, width]`.
    pub fn outputs(&self) -> Vec<(String, usize)> {
        let classes = self.classes.len();
        let mut outputs =
            vec![(names::PROBABILITIES.to_owned(), classes), (names::LOGITS.to_owned(), classes)];
        for block in &self.blocks {
            outputs.push((block.threshold_output.clone(), block.channels));
            outputs.push((block.mean_abs_output.clone(), block.channels));
        }
        let features = self.features.iter();
        outputs.extend(features.map(|features| (features.output.clone(), features.width)));
        outputs
    }

    /// Checks that the fields are consistent: sizes, names, duplicates.
    fn check(&self) -> Result<(), String> {
        if !self.version.as_str().bytes().all(|b| b.is_ascii_digit())
            || self.version.as_str().starts_with('0')
        {
            return Err(format!(
                "version must be a positive integer without leading zeros, and is \"{}\"",
                self.version
            ));
        }
        if self.architecture.is_none() == self.origin.is_none() {
            return Err(
                "it must have either an architecture or, if it was imported, an origin".to_owned()
            );
        }
        self.input.check()?;
        if self.classes.len() < 2 {
            return Err(format!(
                "a classifier has at least two classes, and this one has {}",
                self.classes.len()
            ));
        }
        if let Some(duplicate) = first_duplicate(self.classes.iter().map(String::as_str)) {
            return Err(format!("class \"{duplicate}\" is named twice"));
        }
        if let Some(duplicate) = first_duplicate(self.blocks.iter().map(|b| b.name.as_str())) {
            return Err(format!("block \"{duplicate}\" is named twice"));
        }
        if let Some(block) = self.blocks.iter().find(|b| b.channels == 0) {
            return Err(format!("block \"{}\" has no channels", block.name));
        }
        if let Some(calibration) = &self.calibration {
            calibration.check().map_err(|reason| format!("its calibration: {reason}"))?;
        }
        let Some(baseline) = &self.baseline else { return Ok(()) };
        let channels = self.blocks.iter().fold(0, |sum: usize, b| sum.saturating_add(b.channels));
        let features = self.features.as_ref().map(|features| features.width);
        baseline
            .check(channels, features, &self.input, self.classes.len())
            .map_err(|reason| format!("its baseline: {reason}"))
    }
}

fn first_duplicate<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_utf_8_before_a_manifest_is_skipped() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/mnist/1/manifest.json");
        let json = std::fs::read(path).unwrap();
        let marked = Manifest::from_json(&[b"\xef\xbb\xbf", &json[..]].concat()).unwrap();
        assert_eq!(
            marked.to_json().unwrap(),
            Manifest::from_json(&json).unwrap().to_json().unwrap()
        );
    }

    /// `UPDATE_SCHEMA=1 cargo test -p drsn-bundle schema` rewrites it.
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
