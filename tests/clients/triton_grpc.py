"""tritonclient over gRPC."""

from checks import GRPC, INPUT, OUTPUTS, check, check_classes, missing, refused

try:
    import tritonclient.grpc as triton
except ModuleNotFoundError as error:
    missing(error)


def tensor(values=INPUT, name="input", datatype="FP32"):
    input = triton.InferInput(name, list(values.shape), datatype)
    input.set_data_from_numpy(values)
    return input


with triton.InferenceServerClient(GRPC) as client:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("tiny") and client.is_model_ready("tiny", "1")
    assert not client.is_model_ready("none") and not client.is_model_ready("tiny", "2")
    refused(lambda: client.get_model_metadata("none"), "NOT_FOUND", "tiny")
    assert client.get_server_metadata().name == "drsn-serve"
    metadata = client.get_model_metadata("tiny")
    assert metadata.versions == ["1"] and list(metadata.inputs[0].shape) == [-1, 1, 8]
    assert [output.name for output in metadata.outputs] == [*OUTPUTS, "class_map"]
    config = client.get_model_config("tiny").config
    assert config.max_batch_size == 16 and list(config.input[0].dims) == [1, 8]
    index = client.get_model_repository_index().models
    assert [(model.name, model.version, model.state) for model in index] == [("tiny", "1", "READY")]

    for compression in (None, "gzip"):
        outputs = [triton.InferRequestedOutput(name) for name in OUTPUTS]
        result = client.infer("tiny", [tensor()], outputs=outputs, request_id="a", compression_algorithm=compression)
        assert result.get_response().id == "a"
        check(result.as_numpy("probabilities"))
        assert result.as_numpy("logits").shape == (3, 2)
    check(client.infer("tiny", [tensor()], "1", timeout=10_000_000, client_timeout=10).as_numpy("probabilities"))
    wanted = [triton.InferRequestedOutput("probabilities", class_count=2)]
    check_classes(client.infer("tiny", [tensor()], outputs=wanted).as_numpy("probabilities"), 2)

    stats = client.get_inference_statistics("tiny").model_stats[0]
    assert stats.inference_count >= 12 and stats.inference_stats.success.count >= 4
    assert client.get_inference_statistics().model_stats[0].name == "tiny"

    refused(lambda: client.infer("none", [tensor()]), "NOT_FOUND", "tiny")
    refused(lambda: client.infer("tiny", [tensor(name="x")]), "INVALID_ARGUMENT", "input")
    refused(lambda: client.infer("tiny", [tensor(INPUT.astype("float64"), datatype="FP64")]), "INVALID_ARGUMENT", "FP32")
    refused(lambda: client.load_model("tiny"), "PERMISSION_DENIED")
    refused(lambda: client.unload_model("tiny"), "PERMISSION_DENIED")
