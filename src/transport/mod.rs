//! Sockets: accepts connections, speaks TLS, and disconnects clients that stop reading. Knows
//! nothing of drsn.

mod connection;
mod stalled;
mod tls;
mod write_timeout;

pub use connection::{Connections, HttpService};
pub(crate) use stalled::ExemptFromStallCheck;
pub(crate) use tls::{Tls, TlsError};
