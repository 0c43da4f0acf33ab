#!/usr/bin/env python3
"""How well do scores tell changed inputs from unchanged ones? AUROC with 95 % bootstrap intervals.

Asks a running server for its input shift, and computes other scores from the same bundle's outputs:

    drsn-serve --models models &
    unusual.py bearing models/bearing/1 CWRU
    unusual.py mnist models/mnist/1 target/data/mnist --other target/data/fashion-mnist

Needs numpy, scipy and onnxruntime.
"""

import argparse
import base64
import csv
import json
import pathlib
import urllib.request

import numpy as np
import onnxruntime
import scipy.io
import scipy.ndimage
import scipy.signal

WINDOW = 2048
#: Fan-end channels that are not the drive-end one times 0.985.
FAN_END = ("normal_0", "B007_0", "IR007_0", "IR014_0", "OR007@6_0")


class Model:
    """A bundle, run as it is written, and the same model in a server."""

    def __init__(self, folder, server):
        self.manifest = json.loads((folder / "manifest.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession((folder / "model.onnx").read_bytes(), options)
        self.url = f"{server}/classify"
        self.distance = self.manifest["baseline"]["shift"]["distance"]

    def outputs(self, prepared):
        names = [output.name for output in self.session.get_outputs()]
        batches = [prepared[i : i + 100] for i in range(0, len(prepared), 100)]
        runs = [self.session.run(None, {"input": batch.astype(np.float32)}) for batch in batches]
        return {name: np.concatenate([run[at] for run in runs]) for at, name in enumerate(names)}

    def served(self, raw):
        """The score and the p-value of each raw input."""
        field = "signals" if self.manifest["input"]["kind"] == "signal" else "tensors"
        shifts = []
        for i in range(0, len(raw), 50):
            inputs = [row.tolist() for row in raw[i : i + 50].astype(np.float32)]
            if field == "signals":
                body = {"model": self.manifest["name"], "signals": inputs}
            else:
                body = {"model": self.manifest["name"], "tensors": [[image] for image in inputs]}
            request = urllib.request.Request(
                f"{self.url}?top_k=1", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request) as answer:
                predictions = json.load(answer)["predictions"]
            shifts += [prediction["diagnostics"]["input_shift"] for prediction in predictions]
        return np.array([[shift["score"], shift["p_value"]] for shift in shifts]).T

    def prepared(self, raw):
        if self.manifest["input"]["kind"] == "image":
            return raw[:, None]
        mean = raw.mean(1, keepdims=True, dtype=np.float64)
        deviation = raw.std(1, keepdims=True, dtype=np.float64)
        return ((raw - mean) / np.maximum(deviation, 1e-8))[:, None]

    def block_distance(self, outputs):
        """The squared Mahalanobis distance of all blocks' mean magnitudes."""
        mean, packed = (
            np.frombuffer(base64.b64decode(self.distance[key]), "<f4").astype(np.float64)
            for key in ("mean", "factor")
        )
        factor = np.zeros((len(mean), len(mean)))
        factor.T[np.triu_indices(len(mean))] = packed
        names = [block["mean_abs_output"] for block in self.manifest["blocks"]]
        magnitudes = np.concatenate([outputs[name] for name in names], axis=1)
        return (np.linalg.solve(factor, (magnitudes - mean).T) ** 2).sum(0)


class Scores:
    """All scores of inputs: the larger, the more unusual."""

    def __init__(self, model, training):
        self.model = model
        step = max(1, len(training) // 5_000)
        outputs = model.outputs(model.prepared(training[::step]))
        self.known = unit(outputs["features"])

    def of(self, raw):
        outputs = self.model.outputs(self.model.prepared(raw))
        served, p_values = self.model.served(raw)
        logits = outputs["logits"].astype(np.float64)
        largest = logits.max(1, keepdims=True)
        scores = {
            "served": served,
            "blocks": self.model.block_distance(outputs),
            "neighbours": self.neighbours(outputs["features"]),
            "energy": -(largest[:, 0] + np.log(np.exp(logits - largest).sum(1))),
            "probability": -outputs["probabilities"].max(1),
            "deviation": raw.reshape(len(raw), -1).std(1),
        }
        return scores, p_values

    def neighbours(self, features):
        """The squared distance from the tenth nearest training input, of features of unit length."""
        features = unit(features)
        rows = []
        for i in range(0, len(features), 500):
            squares = 2 - 2 * features[i : i + 500] @ self.known.T
            rows.append(np.partition(squares, 9, axis=1)[:, 9])
        return np.concatenate(rows)


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def auroc(usual, changed):
    usual = np.sort(usual)
    below = np.searchsorted(usual, changed, "left") + np.searchsorted(usual, changed, "right")
    return below.mean() / 2 / len(usual)


def interval(usual, changed, random, draws=300):
    """A 95 % interval, by drawing inputs of both kinds with replacement."""
    areas = [
        auroc(random.choice(usual, len(usual)), random.choice(changed, len(changed)))
        for _ in range(draws)
    ]
    return np.quantile(areas, [0.025, 0.975])


def pink(shape, random):
    """Noise whose power falls as 1/f, of deviation 1, over the last axes."""
    axes = tuple(range(1, len(shape)))
    frequencies = [np.fft.fftfreq(size) for size in shape[1:-1]] + [np.fft.rfftfreq(shape[-1])]
    radius = np.sqrt(sum(f**2 for f in np.meshgrid(*frequencies, indexing="ij")))
    radius.flat[0] = np.inf
    exponent = (len(shape) - 1) / 2
    spectrum = np.fft.rfftn(random.standard_normal(shape), axes=axes) / radius**exponent
    noise = np.fft.irfftn(spectrum, shape[1:], axes=axes)
    return noise / noise.std(axes, keepdims=True)


def at_decibels(raw, noise, decibels):
    level = raw.std(1, keepdims=True) / noise.std(1, keepdims=True) * 10 ** (-decibels / 20)
    return raw + noise * level


def windows(samples, hop):
    return np.stack([samples[i : i + WINDOW] for i in range(0, len(samples) - WINDOW + 1, hop)])


def channel(path, ending):
    variables = scipy.io.loadmat(path)
    names = [name for name in variables if name.endswith(ending)]
    # The recording of the sound bearing holds those of two loads.
    names = [name for name in names if "097" in name] or names
    return variables[names[0]].ravel().astype(np.float32)


def bearing(folder, _other, random):
    index = pathlib.Path(__file__).parents[1] / "presets" / "cwru-48k.csv"
    files = [row["file"] for row in csv.DictReader(index.open())]
    signals = [channel(folder / file, "DE_time") for file in files]
    training = np.concatenate([windows(s[: round(len(s) * 0.65)], 256) for s in signals])
    tests = [s[round(len(s) * 0.7) :] for s in signals]
    test = np.concatenate([windows(s, WINDOW) for s in tests])
    white = random.standard_normal(test.shape)
    seconds = np.arange(WINDOW) / 48_000
    hum = np.sin(2 * np.pi * 50 * seconds + random.uniform(0, 6.28, (len(test), 1)))
    lost = random.random(test.shape)
    held = test.copy()
    for i in range(1, WINDOW):
        held[:, i] = np.where(lost[:, i] < 0.1, held[:, i - 1], test[:, i])
    gaps = test.copy()
    for row, start in zip(gaps, random.integers(0, WINDOW - 64, len(gaps)), strict=True):
        row[start : start + 64] = 0
    limit = lambda share: np.quantile(np.abs(test), share, axis=1, keepdims=True)
    rate = lambda up, down: np.concatenate(
        [windows(scipy.signal.resample_poly(s, up, down).astype(np.float32), WINDOW) for s in tests]
    )
    fan_end = [f for f in files if any(name in f for name in FAN_END)]
    loads = lambda load: np.concatenate(
        [
            windows(scipy.signal.resample_poly(channel(path, "DE_time"), 4, 1), 4 * WINDOW)
            for path in sorted(folder.glob(f"12k_*_{load}_*.mat"))
        ]
    )
    return training, test, {
        "white noise, 10 dB": at_decibels(test, white, 10),
        "white noise, 5 dB": at_decibels(test, white, 5),
        "white noise, -5 dB": at_decibels(test, white, -5),
        "white noise only": white,
        "pink noise, 5 dB": at_decibels(test, pink(test.shape, random), 5),
        "salt, 1 %": np.where(lost < 0.01, test.max(1, keepdims=True), test),
        "clipped, 20 % of samples": np.clip(test, -limit(0.8), limit(0.8)),
        "clipped, 5 % of samples": np.clip(test, -limit(0.95), limit(0.95)),
        "lost, 10 % of samples": np.where(lost < 0.1, 0, test),
        "lost, 2 % of samples": np.where(lost < 0.02, 0, test),
        "lost, 64 samples in a row": gaps,
        "last value kept, 10 % of samples": held,
        "hum of 50 Hz, 10 dB": at_decibels(test, hum, 10),
        "hum of 50 Hz, 0 dB": at_decibels(test, hum, 0),
        "sample rate halved": rate(1, 2),
        "sample rate times 0.9": rate(9, 10),
        "sample rate times 1.25": rate(5, 4),
        "another sensor (fan end)": np.concatenate(
            [windows(channel(folder / f, "FE_time"), WINDOW) for f in fan_end]
        ),
        "gain doubled (seen by the level)": 2 * test,
        "other load, 12 kHz": loads(1),
    }


def idx(path):
    data = path.read_bytes()
    sizes = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def mnist(folder, other, random):
    scaled = lambda path: (idx(path) / np.float32(255)).astype(np.float32)
    training = scaled(folder / "train-images-idx3-ubyte")
    test = scaled(folder / "t10k-images-idx3-ubyte")[:2000]
    white, drawn = random.standard_normal(test.shape), random.random(test.shape)
    rows = np.sin(np.pi / 2 * np.arange(28)[:, None] + random.uniform(0, 6.28, (len(test), 1, 1)))

    def resized(factor):
        images = scipy.ndimage.zoom(test, (1, factor, factor), order=1)
        size = images.shape[1]
        if size > 28:
            cut = (size - 28) // 2
            return images[:, cut : cut + 28, cut : cut + 28]
        before = (28 - size) // 2
        around = (before, 28 - size - before)
        return np.pad(images, ((0, 0), around, around))

    changes = {
        "uniform noise of 0.5": test + 0.5 * random.random(test.shape),
        "Gaussian noise of 0.3": test + 0.3 * white,
        "Gaussian noise of 0.05": test + 0.05 * white,
        "pink noise of 0.1": test + 0.1 * pink(test.shape, random),
        "salt, 5 %": np.where(drawn < 0.05, 1, test),
        "salt, 1 %": np.where(drawn < 0.01, 1, test),
        "gain doubled": 2 * test,
        "gain times 0.7": 0.7 * test,
        "clipped at 0.8": np.minimum(test, 0.8),
        "lost, 10 % of pixels": np.where(drawn < 0.1, 0, test),
        "lost, 5 % of pixels": np.where(drawn < 0.05, 0, test),
        "hum of 0.1 over rows": test + 0.1 * rows,
        "three quarters of the size": resized(0.75),
        "1.25 times the size": resized(1.25),
        "upside down (no change of signal)": test[:, ::-1],
    }
    if other:
        changes["Fashion-MNIST"] = scaled(other / "t10k-images-idx3-ubyte")[:2000]
    return training, test, changes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_set", choices=["bearing", "mnist"])
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--other", type=pathlib.Path, help="Fashion-MNIST, for mnist")
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    source = {"bearing": bearing, "mnist": mnist}[arguments.data_set]
    training, test, changes = source(arguments.data, arguments.other, random)
    model = Model(arguments.bundle, arguments.server)
    level = model.manifest["baseline"]["alarm_level"]
    scores = Scores(model, training)
    usual, p_values = scores.of(test)
    names = [name for name in usual if name != "served"]
    print("| change | input shift | 95 % interval | alarms | " + " | ".join(names) + " |")
    print("|---|---|---|---|" + "---|" * len(names))
    print(f"| none | – | – | {100 * (p_values < level).mean():.1f} % |" + " – |" * len(names))
    for change, raw in changes.items():
        found, p_values = scores.of(raw)
        low, high = interval(usual["served"], found["served"], random)
        others = " | ".join(f"{auroc(usual[name], found[name]):.3f}" for name in names)
        area, alarms = auroc(usual["served"], found["served"]), 100 * (p_values < level).mean()
        print(f"| {change} | {area:.3f} | {low:.3f}–{high:.3f} | {alarms:.1f} % | {others} |")


if __name__ == "__main__":
    main()
