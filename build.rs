//! Compiles the services in `proto/` with protox, so that no `protoc` is needed, and keeps their descriptors for reflection.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

#[path = "build/message_shapes.rs"]
mod message_shapes;

const PROTO_DIR: &str = "proto";
const SERVICES: [&str; 2] = ["inference.proto", "drsn/v1/classifier.proto"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for service in SERVICES {
        println!("cargo::rerun-if-changed={PROTO_DIR}/{service}");
    }
    let descriptors = protox::compile(SERVICES, [PROTO_DIR])?;
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(folder.join("services.binpb"), descriptors.encode_to_vec())?;
    fs::write(folder.join("message_shapes.rs"), message_shapes::source(&descriptors))?;
    tonic_prost_build::configure()
        .build_transport(false)
        // Tensors stay where they were received.
        .bytes(".inference")
        .bytes(".drsn.v1.ClassifyRequest")
        .compile_fds(descriptors)?;
    Ok(())
}
