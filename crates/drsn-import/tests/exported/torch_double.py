#!/usr/bin/env python3
"""Makes the model `torch_double` in this folder: a small DRSN of 64-bit floats with random weights, for
which ONNX Runtime has no convolutions, with PyTorch's own answers.

    pip install torch==2.15.0 onnx onnxscript
    crates/drsn-import/tests/exported/torch_double.py
"""

import json
import pathlib

import numpy
import torch
from torch import nn

FOLDER = pathlib.Path(__file__).parent / "torch_double"


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 6, 3, padding=1)
        self.gate = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6), nn.Sigmoid())
        self.last = nn.Linear(6, 4)

    def forward(self, x, inner=False):
        x = self.conv(x)
        mean_abs = x.abs().mean(2)
        tau = mean_abs * self.gate(mean_abs)
        shrunk = torch.sign(x) * torch.relu(x.abs() - tau.unsqueeze(2))
        answer = self.last(torch.relu(shrunk).mean(2))
        return (answer, tau, mean_abs) if inner else answer


torch.manual_seed(1)
model, inputs = Network().double().eval(), torch.randn(4, 1, 64).double()
FOLDER.mkdir(exist_ok=True)
torch.onnx.export(model, (inputs,), FOLDER / "model.onnx", dynamo=False, opset_version=17,
                  input_names=["input"], dynamic_axes={"input": {0: "batch"}})
with torch.no_grad():
    answer, tau, mean_abs = (x.float() for x in model(inputs, inner=True))
numpy.save(FOLDER / "input.npy", inputs.float().numpy())
numpy.savez(FOLDER / "expected.npz", out0=answer, probabilities=answer.softmax(1), tau0=tau,
            abs0=mean_abs)
notes = {"expect": {"action": "accept", "threshold_blocks": 1}}
(FOLDER / "notes.json").write_text(json.dumps(notes) + "\n")
