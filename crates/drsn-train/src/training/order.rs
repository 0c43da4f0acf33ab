//! The order in which an epoch takes the training inputs.

use rand::seq::SliceRandom as _;

use super::context::TrainingContext;
use crate::random::{Purpose, stream};

/// Indices of the training inputs in the order of an epoch, counted from 0.
pub(super) fn of_epoch(context: &TrainingContext<'_>, epoch: usize) -> Vec<usize> {
    let mut order = context.data.training.indices.clone();
    order.shuffle(&mut stream(context.recipe.seed, Purpose::Order, epoch as u64, 0));
    order
}
