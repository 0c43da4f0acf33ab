//! Compiles `proto/onnx.proto` with protox, which does not need `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let proto_dir = "../../proto";
    println!("cargo::rerun-if-changed={proto_dir}/onnx.proto");
    let descriptors = protox::compile(["onnx.proto"], [proto_dir])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
