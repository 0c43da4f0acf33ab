//! What a user says about a model, because its graph does not.

use drsn_bundle::{Filter, Geometry, Name};

/// What a user says about a model. Everything that is `None` is read from the graph.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the model.
    pub name: Name,
    /// Version of the model.
    pub version: Name,
    /// Labels of the classes, in the order of the model's output.
    pub labels: Vec<String>,
    /// Whether inputs are signals or images.
    pub kind: Option<InputKind>,
    /// Where the model's input has its channels.
    pub layout: Option<Layout>,
    /// Name of the output with the classes.
    pub output: Option<String>,
    /// Whether a model without thresholds is imported, too.
    pub allow_plain: bool,
    /// The preparation of signals.
    pub signal: SignalOptions,
    /// The preparation of images.
    pub image: ImageOptions,
}

impl Options {
    /// Options that leave everything to the graph.
    pub fn new(name: Name, version: Name, labels: Vec<String>) -> Self {
        Self {
            name,
            version,
            labels,
            kind: None,
            layout: None,
            output: None,
            allow_plain: false,
            signal: SignalOptions::default(),
            image: ImageOptions::default(),
        }
    }
}

/// The kinds of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Windows of a sampled signal.
    Signal,
    /// Images.
    Image,
}

/// Where an input has its channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Before the samples or rows, as `PyTorch` has them.
    First,
    /// After them, as Keras has them.
    Last,
}

/// The preparation of signals.
#[derive(Debug, Clone, Default)]
pub struct SignalOptions {
    /// Samples of each channel.
    pub window: Option<usize>,
    /// Number of channels.
    pub channels: Option<usize>,
    /// Samples per second.
    pub sample_rate_hz: Option<f64>,
    /// Normalisation of each window.
    pub normalize: Normalize,
}

/// Normalisation of a window.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Normalize {
    /// None.
    #[default]
    None,
    /// By the window's own mean and standard deviation.
    ZScore,
    /// By fixed numbers, in the signal's unit.
    Fixed {
        /// Subtracted from each sample.
        mean: f32,
        /// Divides each sample after that.
        std: f32,
    },
}

/// The preparation of images.
#[derive(Debug, Clone)]
pub struct ImageOptions {
    /// Rows and columns.
    pub size: Option<(usize, usize)>,
    /// Subtracted from each channel, in the scale of the pixels; empty for 0.
    pub mean: Vec<f32>,
    /// Divides each channel after that; empty for 1.
    pub std: Vec<f32>,
    /// The value of a white pixel: 1 or 255.
    pub white: f32,
    /// Handling of images of another size.
    pub geometry: Geometry,
    /// The filter for resizing.
    pub filter: Filter,
    /// Whether the channels are blue, green, red.
    pub is_bgr: bool,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self {
            size: None,
            mean: Vec::new(),
            std: Vec::new(),
            white: 1.0,
            geometry: Geometry::Stretch,
            filter: Filter::Triangle,
            is_bgr: false,
        }
    }
}
