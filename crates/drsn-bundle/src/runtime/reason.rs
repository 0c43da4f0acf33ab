//! ONNX Runtime's messages without the places in its source code.

/// The part of a message that is meant for people.
pub(super) fn reason(error: &ort::Error) -> String {
    plain(&error.to_string())
}

fn plain(text: &str) -> String {
    // `/onnxruntime_src/…cc:2043 onnxruntime::…::Get() [ONNXRuntimeError] : 1 : FAIL : ` precedes
    // it.
    let text = match text.split_once("[ONNXRuntimeError]") {
        Some((_, rest)) => rest.splitn(4, " : ").nth(3).unwrap_or(rest),
        None => text,
    };
    // `CUDA failure 100: … ; GPU=-1 ; hostname=… ; file=…` is the cause of whatever failed.
    let text = match text.find("CUDA failure") {
        Some(start) => text[start..].split(" ; ").next().unwrap_or(text),
        None => text,
    };
    text.trim().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_source_are_removed() {
        for (said, expected) in [
            (
                "/onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& \
                 onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library \
                 /lib/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: \
                 No such file or directory\n",
                "Failed to load library /lib/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot \
                 open shared object file: No such file or directory",
            ),
            (
                "/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider_info.cc:63 static \
                 onnxruntime::CUDAExecutionProviderInfo [ONNXRuntimeError] : 1 : FAIL : provider_options_utils.h:187 \
                 Parse Failed to parse provider option \"device_id\": CUDA failure 100: no CUDA-capable device is \
                 detected ; GPU=-1 ; hostname=vm ; file=/onnxruntime_src/a.cc ; line=70 ; expr=b(); \n",
                "CUDA failure 100: no CUDA-capable device is detected",
            ),
            (
                "Load model failed:Protobuf parsing failed.",
                "Load model failed:Protobuf parsing failed",
            ),
        ] {
            assert_eq!(plain(said), expected);
        }
    }
}
