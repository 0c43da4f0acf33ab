//! Sockets: accepting connections, TLS, and ending clients that stop reading. It knows nothing of drsn.

mod connection;
mod stalled;
mod tls;
mod write_timeout;

pub use connection::{Connections, HttpService};
pub(crate) use stalled::ExemptFromStallCheck;
pub(crate) use tls::{Tls, TlsError};
