//! How data is read for a bundle that has no recipe, because another program trained its network, or
//! whose recipe is for data that is split otherwise.

use drsn_bundle::{ImageSpec, InputSpec, Manifest, Normalization, Padding, SignalSpec};

use super::{compatibility::recipe_of, data_options::DataOptions, error::TrainError};
use crate::{
    dataset::{Data, DatasetError, Declared, IDX_FILES},
    recipe::{
        Augmentation, DataConfig, IdxConfig, ImageConfig, NormalizationConfig, PaddingConfig,
        Recipe, SignalConfig, Split, WindowConfig, preset,
    },
};

/// Shares of data without a split of its own.
const TRAINING: f64 = 0.6;
const HELD_OUT: f64 = 0.1;
/// Held-out inputs of public sets of images, which have a test set of their own.
const HELD_OUT_OF_SET: usize = 5000;
/// The hop of training windows is this part of a window.
const HOPS_IN_WINDOW: usize = 4;

/// The recipe of a bundle and its data. For an imported bundle the recipe says only how the data
/// is read: as its input says, split as the data says or by time. So it is if an index says which
/// files are held out, as that of inputs which a server captured.
///
/// # Errors
/// [`TrainError`] if the data cannot be read, or the bundle's recipe cannot.
pub(super) fn open_data(
    manifest: &Manifest,
    options: &DataOptions,
) -> Result<(Recipe, Data), TrainError> {
    if manifest.training.is_some() || manifest.origin.is_none() {
        let own = recipe_of(manifest)?;
        let recipe = listed(manifest, options, &own)?.unwrap_or(own);
        let data = options.open(&recipe)?;
        return Ok((recipe, data));
    }
    let windows = options.folder.is_file();
    // Recordings are split in time; pictures and windows that were cut beforehand cannot be.
    let split = match &manifest.input {
        InputSpec::Signal(_) if !windows => Split::Time { training: TRAINING, held_out: HELD_OUT },
        InputSpec::Signal(_) | InputSpec::Image(_) => {
            Split::Random { held_out: HELD_OUT, test: 1.0 - TRAINING - HELD_OUT }
        }
    };
    let declared = |held_out_share| recipe(manifest, options, Split::List { held_out_share });
    if windows {
        // Only reading the arrays tells whether they declare subsets, and which.
        for held_out_share in [HELD_OUT, 0.0] {
            let declared = declared(held_out_share)?;
            if let Ok(data) = options.open(&declared) {
                return Ok((declared, data));
            }
        }
    }
    let by_itself = recipe(manifest, options, split)?;
    let recipe = match Data::declared(&by_itself, &options.folder, options.index.as_deref())? {
        Declared::Nothing => by_itself,
        Declared::HeldOut => declared(0.0)?,
        Declared::Others => declared(HELD_OUT)?,
    };
    let data = options.open(&recipe).map_err(without_recipe)?;
    Ok((recipe, data))
}

/// The recipe of data whose index says which files are held out, if the bundle's own recipe would
/// split it otherwise.
fn listed(
    manifest: &Manifest,
    options: &DataOptions,
    own: &Recipe,
) -> Result<Option<Recipe>, TrainError> {
    let is_by_list = matches!(
        &own.data,
        DataConfig::Images(ImageConfig { split: Split::List { .. }, .. })
            | DataConfig::Signals(SignalConfig { split: Split::List { .. }, .. })
    );
    let Some(index) = options.index.as_deref().filter(|_| !is_by_list) else { return Ok(None) };
    let recipe = recipe(manifest, options, Split::List { held_out_share: 0.0 })?;
    Ok(match Data::declared(&recipe, &options.folder, Some(index))? {
        Declared::HeldOut => Some(recipe),
        Declared::Nothing | Declared::Others => None,
    })
}

/// An error whose advice is for those who have a recipe.
fn without_recipe(error: DatasetError) -> TrainError {
    if !matches!(error, DatasetError::Unusable { .. } | DatasetError::Recipe(_)) {
        return error.into();
    }
    TrainError::Incompatible {
        reason: format!(
            "{error}; an imported model has no recipe to change: its data is split as folders train, \
             val and test or the column split of an index say for every file, and otherwise by \
             time, or at random if it cannot be"
        ),
    }
}

fn recipe(manifest: &Manifest, options: &DataOptions, split: Split) -> Result<Recipe, TrainError> {
    let (base, data) = match &manifest.input {
        InputSpec::Signal(signal) if options.folder.is_file() => {
            ("signal", DataConfig::Windows(windows(signal, manifest, split)))
        }
        InputSpec::Signal(signal) => ("signal", DataConfig::Signals(signals(signal, split))),
        InputSpec::Image(image) => ("mnist", images(image, options, split)),
    };
    Ok(Recipe {
        about: None,
        batch: 1,
        data,
        augmentation: Augmentation::default(),
        noise: None,
        evaluate: Vec::new(),
        ..preset(base)?
    })
}

fn signals(signal: &SignalSpec, split: Split) -> SignalConfig {
    let source = signal.source.clone().unwrap_or_default();
    SignalConfig {
        window: signal.window,
        hop: (signal.window / HOPS_IN_WINDOW).max(1),
        test_hop: None,
        channels: source.channels,
        variable: source.variable,
        rate_variable: source.rate_variable,
        skip_lines: usize::try_from(source.skip_lines).ok().filter(|&lines| lines > 0),
        sample_rate_hz: signal.sample_rate_hz,
        resample: signal.sample_rate_hz.is_some(),
        padding: match signal.padding {
            None => PaddingConfig::Refuse,
            Some(Padding::Zero) => PaddingConfig::Zero,
            Some(Padding::Repeat) => PaddingConfig::Repeat,
            Some(Padding::Reflect) => PaddingConfig::Reflect,
        },
        normalization: normalization(signal),
        limit: None,
        split,
    }
}

fn windows(signal: &SignalSpec, manifest: &Manifest, split: Split) -> WindowConfig {
    WindowConfig {
        window: signal.window,
        channels: Some(signal.channels),
        axes: None,
        inputs: None,
        labels: None,
        groups: None,
        splits: None,
        skip_columns: Vec::new(),
        classes: manifest.classes.clone(),
        sample_rate_hz: signal.sample_rate_hz,
        normalization: normalization(signal),
        limit: None,
        split,
    }
}

fn normalization(signal: &SignalSpec) -> NormalizationConfig {
    match signal.normalization {
        Normalization::None => NormalizationConfig::None,
        Normalization::ZScore { epsilon } => NormalizationConfig::ZScore { epsilon },
    }
}

/// A public set of images if its files are there, or else image files.
fn images(image: &ImageSpec, options: &DataOptions, split: Split) -> DataConfig {
    let of_set = || IdxConfig { held_out: HELD_OUT_OF_SET, limit: None, zero_centre: false };
    let has = |name: &str| {
        ["", ".gz"].iter().any(|end| options.folder.join(format!("{name}{end}")).is_file())
    };
    if IDX_FILES.iter().any(|name| has(name)) {
        return DataConfig::Idx(of_set());
    }
    if has("data_batch_1.bin") {
        return DataConfig::Cifar10(of_set());
    }
    DataConfig::Images(ImageConfig {
        channels: image.channels,
        height: image.height,
        width: image.width,
        geometry: image.geometry,
        filter: image.filter,
        zero_centre: false,
        limit: None,
        split,
    })
}
