//! Who may send requests, and how much memory requests may use: API keys and the byte budget.

mod budget;
mod buffer;
mod keys;

pub(crate) use budget::{ByteBudget, Reservation};
pub(crate) use buffer::ReservedBuffer;
pub(crate) use keys::{Keys, KeysError};
