//! Who is let in, and how many bytes of theirs: API keys and the memory budget.

mod budget;
mod keys;

pub(crate) use budget::{ByteBudget, Reservation};
pub(crate) use keys::{Keys, KeysError};
