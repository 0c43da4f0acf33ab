//! The start of a training from the weights of another one.

use std::path::Path;

use burn::{
    module::Module as _,
    store::ModuleRecord,
    tensor::{Bytes, Device},
};
use sha2::{Digest as _, Sha256};

use super::{
    batch::chw_shape,
    checkpoint::{Checkpoint, CheckpointError},
    context::TrainingContext,
};
use crate::{
    hexadecimal::hexadecimal,
    model::{Drsn, Initializer},
    random::{Purpose, stream},
};

/// SHA-256 of the weights of the checkpoint at `path`, in lower-case hexadecimal digits: of their
/// names, shapes and values. Their bytes in the checkpoint also have numbers that Burn draws anew for
/// each network, so the same training would have another one each time.
pub(crate) fn digest(path: &Path) -> Result<String, CheckpointError> {
    let malformed = |error: burn_pack::Error| CheckpointError::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let weights = Bytes::from_bytes_vec(Checkpoint::load(path)?.weights);
    let tensors = burn_pack::Reader::from_bytes(weights).and_then(burn_pack::Reader::into_tensors);
    let mut tensors = tensors.map_err(malformed)?;
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = Sha256::new();
    for tensor in tensors {
        hash.update(format!("{} {:?} {:?}\n", tensor.name, tensor.dtype, tensor.shape.to_vec()));
        hash.update(&tensor.into_bytes().map_err(malformed)?[..]);
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// A network with the weights of the checkpoint at `path`, and what it is in words. Its last layer
/// is that of `new` if the classes differ.
pub(super) fn network(
    new: &Drsn,
    context: &TrainingContext<'_>,
    path: &Path,
) -> Result<(Drsn, String), CheckpointError> {
    let no_start = |reason: String| CheckpointError::NoStart { path: path.to_owned(), reason };
    let checkpoint = Checkpoint::load(path)?;
    let (ours, theirs) = (&context.recipe.network, &checkpoint.recipe.network);
    if ours.architecture() != theirs.architecture() {
        return Err(no_start(
            "its network is another one; use the recipe of its training, with other data, rates \
             or epochs"
                .to_owned(),
        ));
    }
    if checkpoint.classes.is_empty() {
        return Err(no_start(
            "an older version wrote it, without its classes; resume it".to_owned(),
        ));
    }
    let device = Device::flex().autodiff();
    let rng = stream(context.recipe.seed, Purpose::Weights, 0, 0);
    let (input, classes) = (chw_shape(&context.data.input), checkpoint.classes.len());
    let mut initializer = Initializer::new(rng, &device);
    let old = Drsn::new(&ours.architecture(), input, classes, ours.norm_epsilon, &mut initializer);
    let expected = old.stem.weight.dims();
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(checkpoint.weights));
    let loaded = record.and_then(|record| old.try_load_record(record));
    let mut network = loaded.map_err(|error| no_start(error.to_string()))?;
    if network.stem.weight.dims() != expected {
        return Err(no_start(format!(
            "its inputs have {} channels, but the data has {}",
            network.stem.weight.dims()[1],
            input[0]
        )));
    }
    let epochs = checkpoint.history.len();
    let name = path.file_name().unwrap_or_default();
    let head = if checkpoint.classes == context.data.classes {
        ""
    } else {
        network.head = new.head.clone();
        ", with a new last layer for other classes"
    };
    let frozen = match context.recipe.start.as_ref().map_or(0, |start| start.freeze) {
        0 => String::new(),
        1 => ", with the first convolution and one stage frozen".to_owned(),
        stages => format!(", with the first convolution and {stages} stages frozen"),
    };
    let origin = format!("{} after epoch {epochs}{head}{frozen}", Path::new(name).display());
    Ok((network, origin))
}
