//! The protocols: HTTP and gRPC, each a translation of [`crate::inference`].

pub(crate) mod grpc;
pub(crate) mod http;
