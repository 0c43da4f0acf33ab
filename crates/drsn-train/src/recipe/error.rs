//! The error of a recipe.

/// A recipe that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid recipe: {reason}")]
pub struct RecipeError {
    /// The field, its value, and what it must be.
    pub reason: String,
}

impl RecipeError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}
