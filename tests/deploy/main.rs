//! The server's surroundings in a deployment: Triton's repositories, load balancers, Kubernetes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../serve/harness.rs"]
#[expect(dead_code, reason = "only the parts that start servers are needed here")]
mod harness;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/tiny.rs"]
#[expect(dead_code, reason = "only the bundle is needed here")]
mod tiny;

mod balancer;
mod export_triton;
mod kubernetes;
mod load;
mod replicas;
mod tools;
mod triton;
