"""Compares exported models in tritonserver with golden outputs, Python's onnxruntime and drsn-serve.

Arguments: tritonserver's address, drsn-serve's, Triton's repository, drsn-serve's repository; then
the names of models in both.
"""

import json
import pathlib
import sys

MISSING_PACKAGES = 77
try:
    import numpy as np
    import onnxruntime
    import tritonclient.http as triton
except ModuleNotFoundError as error:
    print(f"not installed: {error.name}", file=sys.stderr)
    sys.exit(MISSING_PACKAGES)

TRITON, DRSN, EXPORTED, MODELS = sys.argv[1:5]


def prepared(raw, spec):
    """Raw pixels or samples, as the parameter drsn.input of an exported configuration says."""
    if spec["kind"] == "image":
        mean, std = (np.array(spec[name], np.float32).reshape(-1, 1, 1) for name in ("mean", "std"))
        return ((raw - mean) / std).astype(np.float32)
    assert spec["normalization"]["kind"] == "z-score"
    mean = raw.mean(axis=-1, keepdims=True, dtype=np.float64)
    deviation = raw.std(axis=-1, keepdims=True, dtype=np.float64)
    return ((raw - mean) / np.maximum(deviation, spec["normalization"]["epsilon"])).astype(np.float32)


def ask(client, model, values, outputs):
    tensor = triton.InferInput("input", list(values.shape), "FP32")
    tensor.set_data_from_numpy(values)
    wanted = [triton.InferRequestedOutput(name) for name in outputs]
    result = client.infer(model, [tensor], outputs=wanted)
    return {name: result.as_numpy(name) for name in outputs}


def same(what, found, expected, rtol, atol):
    """The bundles' tolerance: each element within a share of the tensor's largest."""
    for name, values in expected.items():
        distance, allowed = np.abs(found[name] - values).max(), rtol * np.abs(values).max() + atol
        assert found[name].shape == values.shape and distance <= allowed, (what, name, distance, allowed)
        print(f"{what} {name}: {distance:.2e} of {allowed:.2e}")


def check(exported, served, model):
    bundle = pathlib.Path(MODELS, model, "1")
    manifest, golden = (json.loads((bundle / f"{name}.json").read_text()) for name in ("manifest", "golden"))
    as_array = lambda tensor: np.array(tensor["data"], np.float32).reshape(tensor["shape"])
    inputs = as_array(golden["input"])
    expected = {name: as_array(tensor) for name, tensor in golden["outputs"].items()}
    tolerance = golden["tolerances"]["default"]

    config = exported.get_model_config(model)
    assert config["max_batch_size"] == 64 and "dynamic_batching" in config, config
    assert [output["name"] for output in config["output"]] == list(expected) or set(expected) == {
        output["name"] for output in config["output"]
    }
    same(f"{model}: tritonserver, golden", ask(exported, model, inputs, expected), expected, **tolerance)

    session = onnxruntime.InferenceSession(str(pathlib.Path(EXPORTED, model, "1", "model.onnx")))
    alone = dict(zip(expected, session.run(list(expected), {"input": inputs})))
    same(f"{model}: Python's onnxruntime, golden", alone, expected, **tolerance)

    tensor = triton.InferInput("input", list(inputs.shape), "FP32")
    tensor.set_data_from_numpy(inputs)
    wanted = [triton.InferRequestedOutput("probabilities", class_count=1)]
    classes = exported.infer(model, [tensor], outputs=wanted).as_numpy("probabilities").reshape(-1)
    for text, row in zip(classes, expected["probabilities"]):
        _, index, label = text.decode().split(":")
        assert int(index) == row.argmax() and label == manifest["classes"][int(index)], text

    # Clients of drsn-serve send raw numbers; Triton's clients prepare them.
    spec = json.loads(config["parameters"]["drsn.input"]["string_value"])
    raw = np.random.default_rng(7).random((5, *inputs.shape[1:]), np.float32)
    same(
        f"{model}: tritonserver, drsn-serve",
        ask(exported, model, prepared(raw, spec), expected),
        ask(served, model, raw, expected),
        **tolerance,
    )


with triton.InferenceServerClient(TRITON) as exported, triton.InferenceServerClient(DRSN) as served:
    for model in sys.argv[5:]:
        check(exported, served, model)
