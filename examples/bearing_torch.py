"""The network of models/bearing/1 as a PyTorch program, exported with its weights.

    python bearing_torch.py models/bearing/1/model.onnx bearing.onnx
    drsn-serve import bearing.onnx --labels labels.txt --normalize z-score --out models/bearing_torch/1

Needs torch and onnx. Shows a DRSN-CW of one dimension as PyTorch programs write it, and what an
imported network costs beside the bundle of drsn-train (docs/import.md).
"""

import inspect
import sys

import onnx
import onnx.numpy_helper
import torch
from torch import nn
from torch.nn import functional

STAGES = [(16, 16, 2), (16, 32, 4), (32, 48, 2)]


class Shrinkage(nn.Module):
    """Channel-wise thresholds: tau = sigmoid(...) x mean |x|."""

    def __init__(self, channels):
        super().__init__()
        self.squeeze = nn.Linear(channels, channels)
        self.excite = nn.Linear(channels, channels)

    def forward(self, x):
        magnitude = torch.abs(x)
        mean = magnitude.mean(dim=2)
        scale = torch.sigmoid(self.excite(functional.relu(self.squeeze(mean))))
        threshold = (scale * mean).unsqueeze(2)
        return torch.sign(x) * functional.relu(magnitude - threshold)


class Block(nn.Module):
    """A residual block with shrinkage; the shortcut keeps every stride-th sample."""

    def __init__(self, before, channels, stride, length):
        super().__init__()
        self.norm1 = nn.BatchNorm1d(before)
        self.conv1 = nn.Conv1d(before, channels, 3, stride)
        self.conv2 = nn.Conv1d(channels, channels, 3, padding=1)
        self.shrinkage = Shrinkage(channels)
        self.stride, self.added = stride, channels - before
        # Padding as TensorFlow's "same": the odd sample at the end.
        total = max((-(-length // stride) - 1) * stride + 3 - length, 0)
        self.padding = (total // 2, total - total // 2)

    def forward(self, x):
        y = functional.pad(functional.relu(self.norm1(x)), self.padding)
        y = self.shrinkage(self.conv2(functional.relu(self.conv1(y))))
        shortcut = x[:, :, :: self.stride]
        if self.added:
            shortcut = functional.pad(shortcut, (0, 0, self.added // 2, self.added - self.added // 2))
        return y + shortcut


class Bearing(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(1, 16, 8, 2, padding=3)
        length, blocks = 1024, []
        for before, channels, stride in STAGES:
            blocks.append(Block(before, channels, stride, length))
            length //= stride
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm1d(48)
        self.logits = nn.Linear(48, 10)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.logits(functional.relu(self.norm(x)).mean(dim=2))


def name_in_bundle(name):
    """What drsn-train calls a parameter of this network."""
    for number in range(len(STAGES)):
        name = name.replace(f"blocks.{number}.", f"stage{number + 1}.block1.")
    if "norm" in name:
        for ours, theirs in (("running_mean", "mean"), ("running_var", "variance")):
            name = name.replace(ours, theirs)
        name = name.replace(".weight", ".gamma").replace(".bias", ".beta")
    return name.replace("shrinkage.", "")


def main(bundle, target):
    stored = onnx.load(bundle).graph.initializer
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in stored}
    network = Bearing()
    weights = network.state_dict()
    for name in weights:
        if not name.endswith("num_batches_tracked"):
            values = torch.tensor(stored[name_in_bundle(name)].tolist())
            # drsn-train multiplies by matrices from the left, PyTorch by their transposes.
            weights[name] = values.T if values.ndim == 2 else values
    network.load_state_dict(weights)
    network.eval()
    # PyTorch before 2.5 has no other.
    has_choice = "dynamo" in inspect.signature(torch.onnx.export).parameters
    older_exporter = {"dynamo": False} if has_choice else {}
    torch.onnx.export(
        network,
        torch.zeros(1, 1, 2048),
        target,
        input_names=["signal"],
        output_names=["logits"],
        dynamic_axes={"signal": {0: "batch"}, "logits": {0: "batch"}},
        **older_exporter,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
