//! The protocols: HTTP and gRPC, which translate between messages and [`crate::inference`].

pub(crate) mod grpc;
pub(crate) mod http;
