//! Who may send requests, and how much of the machine they may use: API keys, the byte budget, and
//! turns on the CPU cores, with threads for them.

mod budget;
mod buffer;
mod cores;
mod keys;

pub(crate) use budget::{ByteBudget, Reservation};
pub(crate) use buffer::ReservedBuffer;
pub(crate) use cores::{Client, Cores, Turn};
pub(crate) use keys::{Keys, KeysError};
