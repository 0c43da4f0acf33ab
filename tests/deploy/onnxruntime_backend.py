"""Stands in for Triton's ONNX backend, which nvidia-pytriton does not contain.

It is Triton's Python backend with Python's onnxruntime. As <backends>/onnxruntime/model.py, Triton
uses it for every model whose configuration says `backend: "onnxruntime"`.
"""

import json
import os
import sys

# Triton's Python is the system's and ignores PYTHONPATH: the tests' packages go before its own.
sys.path.insert(0, os.environ["DRSN_SITE_PACKAGES"])

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        config = json.loads(args["model_config"])
        self.outputs = [output["name"] for output in config["output"]]
        file = os.path.join(args["model_repository"], args["model_version"], "model.onnx")
        self.session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        given = {output.name: output.shape[1:] for output in self.session.get_outputs()}
        said = {output["name"]: [int(size) for size in output["dims"]] for output in config["output"]}
        assert said == given, f"the configuration says {said}, and the network gives {given}"

    def execute(self, requests):
        # Requests that Triton batched arrive together, and are one batch for the network.
        inputs = [np.from_dlpack(triton.get_input_tensor_by_name(request, "input")) for request in requests]
        results = self.session.run(self.outputs, {"input": np.concatenate(inputs)})
        ends = np.cumsum([len(values) for values in inputs])[:-1]
        rows = zip(*(np.split(result, ends) for result in results))
        return [self.response(request, dict(zip(self.outputs, row))) for request, row in zip(requests, rows)]

    @staticmethod
    def response(request, values):
        # By DLPack: this Triton was built for NumPy 1, whose arrays have another layout.
        wanted = request.requested_output_names()
        return triton.InferenceResponse([triton.Tensor.from_dlpack(name, values[name]) for name in wanted])
