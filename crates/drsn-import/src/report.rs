//! What was found in a model, for people and programs.

use std::fmt::Write as _;

use serde::Serialize;

/// What was found in a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The program that exported the model, as far as the file says so.
    pub exporter: String,
    /// Version of ONNX's operators that the model is written for.
    pub operator_set: i64,
    /// Number of trained numbers.
    pub parameters: usize,
    /// What the model's own output is: logits, probabilities or log-probabilities.
    pub output: String,
    /// What was changed, in sentences.
    pub notes: Vec<String>,
    /// The thresholds, in the order of the network.
    pub blocks: Vec<BlockReport>,
    /// What to know before the model is relied upon.
    pub warnings: Vec<String>,
}

/// One threshold and its place in the graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockReport {
    /// Its name in the bundle.
    pub name: String,
    /// The model's tensors: the features before and after shrinkage, and the threshold.
    pub features: String,
    /// The features after shrinkage.
    pub shrunk: String,
    /// The tensor with the threshold, or a multiple of it.
    pub threshold: String,
    /// The function that the threshold applies.
    pub form: Form,
    /// What has a threshold of its own.
    pub kind: Kind,
    /// Number of channels.
    pub channels: usize,
    /// Smallest and largest threshold on the probes.
    pub tau: [f32; 2],
    /// Smallest and largest share α of the threshold in the mean magnitude A of what it is for.
    pub alpha: [f32; 2],
    /// The operators from the features to the shrunk ones.
    pub operators: Vec<String>,
}

/// The function that a threshold applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// `sign(x) · max(|x| − τ, 0)`.
    Soft,
    /// `x − τ² / x` outside [−τ, τ], and 0 within.
    Garrote,
}

/// What has a threshold of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Each channel.
    Channel,
    /// Each group of channels.
    Group,
    /// All channels together.
    Shared,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Channel => "one for each channel",
            Self::Group => "one for each group of channels",
            Self::Shared => "one for all channels",
        }
    }
}

impl Report {
    /// The report as text for a terminal.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let exporter = if self.exporter.is_empty() { "unknown" } else { &self.exporter };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "  exported by {exporter}, operator set {}, {} parameters; its output is {}",
            self.operator_set, self.parameters, self.output
        );
        if self.blocks.is_empty() {
            let _ = writeln!(text, "  no thresholds: answers will have no diagnostics of blocks");
        }
        for block in &self.blocks {
            block.write(&mut text);
        }
        for note in &self.notes {
            let _ = writeln!(text, "  note: {note}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "  warning: {warning}");
        }
        text.trim_end().to_owned()
    }
}

impl BlockReport {
    fn write(&self, text: &mut String) {
        let form = match self.form {
            Form::Soft => "soft threshold",
            Form::Garrote => "garrote",
        };
        let (kind, channels) = (self.kind.name(), self.channels);
        let ([low, high], [least, most]) = (self.tau, self.alpha);
        let _ = writeln!(
            text,
            "  {}: {form}, {kind} ({channels}), τ {low:.3e} to {high:.3e}, α {least:.3} to {most:.3} on \
             noise",
            self.name
        );
        let (features, shrunk, threshold) = (&self.features, &self.shrunk, &self.threshold);
        let operators = self.operators.join(" ");
        let _ = writeln!(
            text,
            "    from \"{features}\" to \"{shrunk}\" by {operators}; τ is from \"{threshold}\""
        );
    }
}
