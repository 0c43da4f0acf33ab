#!/usr/bin/env python3
"""Makes the models `paddle_signal*` in this folder: a network of signals that PaddlePaddle exported, with its own
answers, and the same quantised by ONNX Runtime, with that one's.

    pip install paddlepaddle==3.3.1 paddle2onnx==2.1.0 packaging onnxruntime==1.31.1
    crates/drsn-import/tests/exported/paddle_signal.py

In `paddle_signal_qdq` convolutions compute with 8 bits. ONNX Runtime's optimised graph rounds some features to
the other side of a step than the graph as it is written.
"""

import json
import pathlib

import numpy
import onnx
import onnxruntime
import paddle
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from paddle import nn
from paddle.nn import functional

HERE = pathlib.Path(__file__).parent


class Unit(nn.Layer):
    def __init__(self, channels):
        super().__init__()
        self.features = nn.Sequential(
            nn.BatchNorm1D(channels), nn.ReLU(), nn.Conv1D(channels, channels, 3, 1, 1),
            nn.BatchNorm1D(channels), nn.ReLU(), nn.Conv1D(channels, channels, 3, 1, 1))
        self.scale = nn.Sequential(
            nn.Linear(channels, channels), nn.BatchNorm1D(channels), nn.ReLU(),
            nn.Linear(channels, channels), nn.Sigmoid())

    def forward(self, x):
        y = self.features(x)
        magnitude = paddle.abs(y)
        mean_abs = magnitude.mean(axis=2)
        tau = mean_abs * self.scale(mean_abs)
        self.seen = [(tau, mean_abs)]
        rest = functional.relu(magnitude - tau.unsqueeze(2))
        return paddle.sign(y) * rest + x


class Network(nn.Layer):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1D(1, 8, 7, 2, 3)
        self.units = nn.LayerList([Unit(8), Unit(8)])
        self.last = nn.Linear(8, 4)

    def forward(self, x):
        x = self.first(x)
        for unit in self.units:
            x = unit(x)
        return self.last(functional.relu(x).mean(axis=2))


class Calibration(CalibrationDataReader):
    def __init__(self, inputs):
        self.rest = iter(inputs)

    def get_next(self):
        batch = next(self.rest, None)
        return None if batch is None else {"input": batch[None]}


def write(name, inputs, answers, blocks):
    folder = HERE / name
    exponentials = numpy.exp(answers - answers.max(1, keepdims=True))
    arrays = {"out0": answers, "probabilities": exponentials / exponentials.sum(1, keepdims=True)}
    for number, (tau, mean_abs) in enumerate(blocks):
        arrays |= {f"tau{number}": tau, f"abs{number}": mean_abs}
    numpy.save(folder / "input.npy", inputs)
    numpy.savez(folder / "expected.npz", **arrays)
    notes = {"expect": {"action": "accept", "threshold_blocks": len(blocks)}}
    (folder / "notes.json").write_text(json.dumps(notes) + "\n")


def quantised_answers(path, inputs):
    """The answers of the quantised model, and what enters the subtraction of each threshold."""
    model = onnx.load(path)
    names = [name for node in model.graph.node if node.op_type == "Sub" for name in node.input]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    answers, *others = session.run(None, {"input": inputs})
    pairs = zip(others[::2], others[1::2])
    return answers, [(tau[:, :, 0], magnitude.mean(2)) for magnitude, tau in pairs]


def main():
    paddle.seed(1)
    random = numpy.random.default_rng(1)
    inputs = random.standard_normal((64, 1, 128)).astype("float32")
    network = Network()
    optimizer = paddle.optimizer.Adam(0.01, parameters=network.parameters())
    labels = paddle.to_tensor(random.integers(0, 4, 64))
    for _ in range(30):
        functional.cross_entropy(network(paddle.to_tensor(inputs)), labels).backward()
        optimizer.step()
        optimizer.clear_grad()
    network.eval()
    few = inputs[:4]
    for name in ["paddle_signal", "paddle_signal_qdq"]:
        (HERE / name).mkdir(exist_ok=True)
    spec = [paddle.static.InputSpec([None, 1, 128], "float32", "input")]
    answers = network(paddle.to_tensor(few)).numpy()
    blocks = [tuple(x.numpy() for x in unit.seen[0]) for unit in network.units]
    paddle.onnx.export(network, str(HERE / "paddle_signal" / "model"), input_spec=spec, opset_version=16)
    write("paddle_signal", few, answers, blocks)
    quantised = HERE / "paddle_signal_qdq" / "model.onnx"
    quantize_static(HERE / "paddle_signal" / "model.onnx", quantised, Calibration(inputs),
                    quant_format=QuantFormat.QDQ, op_types_to_quantize=["Conv"], per_channel=True, reduce_range=True)
    write("paddle_signal_qdq", few, *quantised_answers(quantised, few))


if __name__ == "__main__":
    main()
