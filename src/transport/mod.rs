//! Sockets and files: accepts connections, speaks TLS, disconnects clients that stop reading, and
//! reads files that may hang. Knows nothing of drsn.

mod connection;
mod connections;
mod crowd;
mod files;
mod stalled;
mod tls;
mod write_timeout;

pub use connection::HttpService;
pub use connections::Connections;
pub(crate) use crowd::Refusal;
pub(crate) use files::{ReadError, Readers, read_regular};
pub(crate) use stalled::ExemptFromStallCheck;
pub(crate) use tls::{Tls, TlsError};
