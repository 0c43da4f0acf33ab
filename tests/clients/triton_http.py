"""tritonclient over HTTP."""

from checks import HTTP, INPUT, OUTPUTS, check, check_classes, missing, refused

try:
    import tritonclient.http as triton
except ModuleNotFoundError as error:
    missing(error)


def tensor(values=INPUT, binary=True, name="input", datatype="FP32"):
    input = triton.InferInput(name, list(values.shape), datatype)
    input.set_data_from_numpy(values, binary_data=binary)
    return input


with triton.InferenceServerClient(HTTP) as client:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("tiny") and client.is_model_ready("tiny", "1")
    assert not client.is_model_ready("none") and not client.is_model_ready("tiny", "2")
    server = client.get_server_metadata()
    assert server["name"] == "drsn-serve" and "binary_tensor_data" in server["extensions"]
    metadata = client.get_model_metadata("tiny")
    assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 8]}]
    assert [output["name"] for output in metadata["outputs"]] == [*OUTPUTS, "class_map"]
    config = client.get_model_config("tiny", "1")
    assert config["name"] == "tiny" and config["max_batch_size"] == 16

    for request, response in [(None, None), ("gzip", "gzip"), ("deflate", "deflate"), (None, "gzip")]:
        for binary in (True, False):
            outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in OUTPUTS]
            result = client.infer(
                "tiny", [tensor(binary=binary)], outputs=outputs, request_id="a",
                request_compression_algorithm=request, response_compression_algorithm=response,
            )
            assert result.get_response()["id"] == "a"
            check(result.as_numpy("probabilities"))
            assert result.as_numpy("logits").shape == (3, 2)
    result = client.infer("tiny", [tensor()], model_version="1", timeout=10_000_000, priority=1)
    check(result.as_numpy("probabilities"))
    for binary in (True, False):
        wanted = triton.InferRequestedOutput("probabilities", binary_data=binary, class_count=2)
        result = client.infer("tiny", [tensor()], outputs=[wanted])
        check_classes(result.as_numpy("probabilities"), 2)
        assert result.as_numpy("logits") is None

    stats = client.get_inference_statistics("tiny")["model_stats"][0]
    assert stats["inference_count"] >= 33 and stats["inference_stats"]["success"]["count"] >= 11
    assert client.get_inference_statistics()["model_stats"][0]["name"] == "tiny"

    refused(lambda: client.infer("none", [tensor()]), "404", "tiny")
    refused(lambda: client.infer("tiny", [tensor()], model_version="2"), "404", "version")
    refused(lambda: client.infer("tiny", [tensor(name="x")]), "400", "input")
    refused(lambda: client.infer("tiny", [tensor(INPUT.astype("float64"), datatype="FP64")]), "400", "FP32")
    refused(lambda: client.infer("tiny", [tensor(INPUT[:, :, :7])]), "400", "shape")
    unknown = [triton.InferRequestedOutput("x")]
    refused(lambda: client.infer("tiny", [tensor()], outputs=unknown), "400", "no output")
