//! The arguments of `drsn-serve import`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use drsn_bundle::{Filter, Geometry, Name, files};
use drsn_import::{ImageOptions, InputKind, Layout, Normalize, Options, SignalOptions};

/// Largest file of labels, in bytes.
const MAX_LABELS_BYTES: u64 = 1 << 20;
/// Heading of the flags for signals.
const SIGNALS: &str = "Preparation of signals";
/// Heading of the flags for images.
const IMAGES: &str = "Preparation of images";

/// What to import, and what its graph does not say.
#[derive(Debug, Args)]
pub struct Import {
    /// The model, an ONNX file; weights in other files must be in its folder
    #[arg(value_name = "MODEL.onnx")]
    pub(super) model: PathBuf,
    /// Labels of the classes in the order of the model's output: A,B,C, or a file with one on each
    /// line
    #[arg(long, value_name = "FILE|A,B,C")]
    labels: String,
    /// Folder of the bundle, like models/NAME/1; it must not exist
    #[arg(long, value_name = "MODEL_DIR")]
    pub(super) out: PathBuf,
    /// Import a network without thresholds, too
    #[arg(long)]
    allow_plain: bool,
    /// Name of the output with the classes, if the model has several
    #[arg(long, value_name = "NAME")]
    output: Option<String>,
    /// Whether the input is a signal or an image, if its shape does not tell
    #[arg(long, value_name = "KIND", value_enum)]
    kind: Option<KindFlag>,
    /// Where the model's input has its channels, if its shape does not tell
    #[arg(long, value_name = "LAYOUT", value_enum)]
    layout: Option<LayoutFlag>,
    /// File for what was found, as one JSON object
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Files to classify before the bundle is written: recordings, arrays or images
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) sample: Vec<PathBuf>,
    /// The framework's own answers to the samples, an NPY array [inputs, classes] of probabilities or
    /// of the model's outputs; the import is refused if the probabilities differ
    #[arg(long, value_name = "out.npy", requires = "sample")]
    pub(super) expect: Option<PathBuf>,
    /// Largest difference of a probability; by default 1e-4, and 4e-3 if the model computes with
    /// 16-bit floats
    #[arg(long, value_name = "X", requires = "expect", value_parser = tolerance)]
    pub(super) tolerance: Option<f32>,
    /// Labelled data, a folder for each class: checks the statistics of batch normalisation, as
    /// `drsn-train check-statistics` does, which must be installed
    #[arg(long, value_name = "DATA")]
    pub(super) check_statistics: Option<PathBuf>,
    /// ONNX Runtime's shared library; by default searched for in the usual places
    #[arg(long, env = "DRSN_ONNXRUNTIME", value_name = "PATH")]
    pub(super) onnxruntime: Option<PathBuf>,
    /// Memory that the model may take while it is tried, in MiB
    #[arg(long, value_name = "MIB", default_value = "800", value_parser = clap::value_parser!(u64).range(1..1 << 30))]
    pub(super) memory_mib: u64,
    /// CPU time that it may take, in seconds
    #[arg(long, value_name = "S", default_value = "9", value_parser = clap::value_parser!(u64).range(1..100_000))]
    pub(super) time_limit_s: u64,

    /// Samples of each channel, if the model takes any number
    #[arg(long, value_name = "N", help_heading = SIGNALS)]
    window: Option<usize>,
    /// Number of channels, if the model takes any number
    #[arg(long, value_name = "N", help_heading = SIGNALS)]
    channels: Option<usize>,
    /// Samples per second of the signals that it was trained on
    #[arg(long, value_name = "HZ", help_heading = SIGNALS)]
    sample_rate: Option<f64>,
    /// Normalisation of each window: none, z-score, or the MEAN,STD of the training data
    #[arg(
        long,
        value_name = "none|z-score|MEAN,STD",
        default_value = "none",
        value_parser = normalize,
        allow_hyphen_values = true,
        help_heading = SIGNALS
    )]
    normalize: Normalize,

    /// Subtracted from the pixels: one number, or one for each channel of the model
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        allow_negative_numbers = true,
        help_heading = IMAGES
    )]
    mean: Vec<f32>,
    /// Divides the pixels after that: one number, or one for each channel of the model
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = IMAGES)]
    std: Vec<f32>,
    /// The pixels that the model takes before --mean and --std
    #[arg(long, value_name = "SCALE", value_enum, default_value = "0-1", help_heading = IMAGES)]
    scale: ScaleFlag,
    /// Handling of images of another size
    #[arg(long, value_name = "GEOMETRY", value_enum, default_value = "stretch", help_heading = IMAGES)]
    geometry: GeometryFlag,
    /// Order of the model's channels
    #[arg(long, value_name = "COLOR", value_enum, default_value = "rgb", help_heading = IMAGES)]
    color: ColorFlag,
    /// Rows and columns, like 224x224, if the model takes any number
    #[arg(long, value_name = "HxW", value_parser = size, help_heading = IMAGES)]
    image_size: Option<(usize, usize)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindFlag {
    Signal,
    Image,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LayoutFlag {
    /// Before samples or rows, as in Torch
    ChannelsFirst,
    /// After them, as in Keras
    ChannelsLast,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ScaleFlag {
    /// White is 1
    #[value(name = "0-1")]
    One,
    /// White is 255
    #[value(name = "0-255")]
    Byte,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum GeometryFlag {
    Refuse,
    Stretch,
    CenterCrop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColorFlag {
    Rgb,
    Bgr,
}

/// The folder of a bundle, taken apart.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) repository: PathBuf,
    pub(super) name: Name,
    pub(super) version: Name,
}

impl Import {
    /// Where the bundle goes.
    pub(super) fn target(&self) -> anyhow::Result<Target> {
        let part = |path: Option<&Path>| {
            path.and_then(Path::file_name).map(|part| part.to_string_lossy().into_owned())
        };
        let folder = self.out.parent();
        let (Some(name), Some(version)) = (part(folder), part(Some(&self.out))) else {
            bail!(
                "--out names a model and a version, like models/mine/1, and is {}",
                self.out.display()
            );
        };
        if version.starts_with('0') || !version.bytes().all(|byte| byte.is_ascii_digit()) {
            bail!(
                "--out ends in the version, a positive number as in models/mine/1, and is {}",
                self.out.display()
            );
        }
        let repository = folder.and_then(Path::parent).filter(|path| !path.as_os_str().is_empty());
        Ok(Target {
            repository: repository.unwrap_or(Path::new(".")).to_owned(),
            name: Name::new(name)?,
            version: Name::new(version)?,
        })
    }

    /// What is known of the model beside its graph.
    pub(super) fn options(&self) -> anyhow::Result<Options> {
        let Target { name, version, .. } = self.target()?;
        Ok(Options {
            allow_plain: self.allow_plain,
            output: self.output.clone(),
            kind: self.kind.map(|kind| match kind {
                KindFlag::Signal => InputKind::Signal,
                KindFlag::Image => InputKind::Image,
            }),
            layout: self.layout.map(|layout| match layout {
                LayoutFlag::ChannelsFirst => Layout::First,
                LayoutFlag::ChannelsLast => Layout::Last,
            }),
            signal: SignalOptions {
                window: self.window,
                channels: self.channels,
                sample_rate_hz: self.sample_rate,
                normalize: self.normalize,
            },
            image: ImageOptions {
                size: self.image_size,
                mean: self.mean.clone(),
                std: self.std.clone(),
                white: match self.scale {
                    ScaleFlag::One => 1.0,
                    ScaleFlag::Byte => 255.0,
                },
                geometry: match self.geometry {
                    GeometryFlag::Refuse => Geometry::Refuse,
                    GeometryFlag::Stretch => Geometry::Stretch,
                    GeometryFlag::CenterCrop => Geometry::CenterCrop,
                },
                filter: Filter::Triangle,
                is_bgr: self.color == ColorFlag::Bgr,
            },
            ..Options::new(name, version, labels(&self.labels)?)
        })
    }
}

/// The labels of a list or of a file.
fn labels(given: &str) -> anyhow::Result<Vec<String>> {
    let path = Path::new(given);
    let (text, separator) = if path.is_file() {
        let bytes = files::read_bounded(path, MAX_LABELS_BYTES)
            .with_context(|| format!("cannot read the labels in {given}"))?;
        let text = String::from_utf8(files::without_mark(&bytes).to_vec())
            .with_context(|| format!("the labels in {given} are not text in UTF-8"))?;
        (text, '\n')
    } else if given.contains(',') {
        (given.to_owned(), ',')
    } else {
        bail!(
            "--labels is a list like A,B,C or a file with a label on each line, and there is no file {given:?}"
        );
    };
    let labels = text.split(separator).map(str::trim).filter(|label| !label.is_empty());
    Ok(labels.map(str::to_owned).collect())
}

fn tolerance(text: &str) -> Result<f32, String> {
    let number = text.parse().ok().filter(|number: &f32| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "expected a number that is not negative, like 1e-4".to_owned())
}

fn normalize(text: &str) -> Result<Normalize, String> {
    let numbers = || {
        let (mean, std) = text.split_once(',')?;
        Some(Normalize::Fixed { mean: mean.trim().parse().ok()?, std: std.trim().parse().ok()? })
    };
    match text {
        "none" => Ok(Normalize::None),
        "z-score" => Ok(Normalize::ZScore),
        _ => {
            numbers().ok_or_else(|| "expected none, z-score or two numbers like 0.1,2.5".to_owned())
        }
    }
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let sizes = || {
        let (rows, columns) = text.split_once('x')?;
        Some((rows.parse().ok()?, columns.parse().ok()?))
    };
    sizes().ok_or_else(|| "expected rows and columns, like 224x224".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_from_a_list_or_from_the_lines_of_a_file() {
        assert_eq!(labels("a, b,c").unwrap(), ["a", "b", "c"]);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "\u{feff}inner race\r\nouter, race\n\n").unwrap();
        assert_eq!(labels(&file.path().to_string_lossy()).unwrap(), ["inner race", "outer, race"]);
        assert!(labels("missing.txt").unwrap_err().to_string().contains("no file"));
    }

    #[test]
    fn a_normalisation_is_a_word_or_two_numbers() {
        assert_eq!(normalize("z-score"), Ok(Normalize::ZScore));
        assert_eq!(normalize("-0.5, 2"), Ok(Normalize::Fixed { mean: -0.5, std: 2.0 }));
        assert!(normalize("1").is_err());
        assert_eq!(tolerance("1e-3"), Ok(1e-3));
        assert!(tolerance("-1").is_err() && tolerance("NaN").is_err());
        assert_eq!(size("2x3"), Ok((2, 3)));
        assert!(size("2").is_err());
    }
}
