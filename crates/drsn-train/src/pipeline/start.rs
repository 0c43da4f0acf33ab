//! The recipe of a training that starts from a checkpoint.

use std::path::Path;

use super::error::TrainError;
use crate::{
    recipe::{Recipe, RecipeError},
    training::digest,
};

/// The recipe with the digest of the weights that the training starts from.
///
/// # Errors
/// If `from` is no checkpoint, or has other weights than the recipe asks for, or is missing.
pub(super) fn with_start(recipe: &Recipe, from: Option<&Path>) -> Result<Recipe, TrainError> {
    let mut recipe = recipe.clone();
    let Some(path) = from else {
        return match recipe.start {
            None => Ok(recipe),
            Some(_) => Err(RecipeError::new(
                "the recipe starts from the weights of another training: add --from with its \
                 checkpoint",
            )
            .into()),
        };
    };
    if path.is_dir() || path.extension().is_some_and(|ending| ending == "onnx" || ending == "json")
    {
        return Err(TrainError::Incompatible {
            reason: format!(
                "cannot start from {}: in a bundle the normalizations are folded into the weights \
                 and cannot be trained any more; pass the checkpoint that its training left, by \
                 default target/checkpoints/NAME-VERSION.checkpoint",
                path.display()
            ),
        });
    }
    let start = recipe.start.get_or_insert_default();
    let found = digest(path)?;
    if !start.weights.is_empty() && start.weights != found {
        return Err(TrainError::Incompatible {
            reason: format!(
                "cannot start from {}: its weights have the SHA-256 {found}, but the recipe asks \
                 for {}; pass that checkpoint, or remove start.weights from the recipe",
                path.display(),
                start.weights
            ),
        });
    }
    start.weights = found;
    Ok(recipe)
}
