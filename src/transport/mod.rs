//! Sockets: accepts connections, speaks TLS, and disconnects clients that stop reading. Knows
//! nothing of models and requests.

mod connection;
mod connections;
mod crowd;
mod peer;
mod stalled;
mod tls;
mod turns;
mod write_timeout;

pub use connection::HttpService;
pub use connections::Connections;
pub(crate) use crowd::Refusal;
pub(crate) use peer::Peer;
pub(crate) use stalled::ExemptFromStallCheck;
pub(crate) use tls::{Tls, TlsError};
pub(crate) use turns::TURN;
#[cfg(test)]
pub(crate) use turns::tests::rounds_of_others;
