//! Inputs that were kept lately: the same one is not kept again.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use super::Item;

/// How many inputs are remembered.
const REMEMBERED: usize = 4096;

/// The hashes of the inputs that were kept last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Recent {
    /// Whether the model was given exactly this input lately.
    pub(super) fn knows(&self, item: &Item) -> bool {
        self.known.contains(&hash(item))
    }

    pub(super) fn remember(&mut self, item: &Item) {
        let hash = hash(item);
        if self.known.insert(hash) {
            self.order.push_back(hash);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn hash(item: &Item) -> u64 {
    let mut hasher = DefaultHasher::new();
    item.labels.hash(&mut hasher);
    for value in &item.kept.values {
        value.to_bits().hash(&mut hasher);
    }
    hasher.finish()
}
