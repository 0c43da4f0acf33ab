#!/usr/bin/env python3
"""Compares the input shift with other scores of unusual inputs.

Disturbs test inputs of a served model, and prints for each disturbance how often a disturbed input has a
higher score than an undisturbed one (AUROC), with an interval of 95 % from 1,000 bootstrap samples:

    target/release/drsn-serve --models models &
    benches/detection.py models/bearing/1 --signals ../shared/data/cwru \\
        --index crates/drsn-train/presets/cwru-48k.csv --other-sensor FE_time
    benches/detection.py models/mnist/1 --images target/data/mnist --other target/data/fashion-mnist

Inputs of classes that the model does not have are the rows "class ... unseen". `shift` and `level` are the
server's; the others are computed from the outputs of the model. Needs numpy, scipy and onnxruntime.
"""

import argparse
import base64
import csv
import json
import pathlib
import urllib.request

import numpy
import onnxruntime
import scipy.io
import scipy.linalg
import scipy.signal
import scipy.special

SAMPLES = 1000
NEIGHBOURS = 50


class Signals:
    """Windows of recordings that were split in time, as the preset `bearing` does."""

    TRAINED, TESTED = 0.65, 0.7

    def __init__(self, folder, index, manifest):
        self.folder = folder
        self.window = manifest["input"]["window"]
        self.rate = manifest["input"]["sample_rate_hz"]
        self.channels = manifest["input"]["channels"]
        self.rows = self.table(index)
        self.variable = manifest["training"]["configuration"]["data"].get("variable")

    @staticmethod
    def table(index):
        with open(index, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def cut(self, row, variable, hop, start, end, length):
        """Windows of so many samples within a part of a recording."""
        path = self.folder / row["file"]
        if path.suffix == ".npy":
            samples = numpy.load(path)
        else:
            variables = scipy.io.loadmat(path)
            name = next((name for name in variables if name.endswith(variable)), None)
            if name is None:
                return numpy.zeros((0, self.channels, length))
            samples = variables[name].T
        count = samples.shape[1]
        part = samples[:, int(start * count):int(end * count)]
        starts = range(0, part.shape[1] - length + 1, hop)
        return numpy.stack([part[:, start:start + length] for start in starts])

    def windows(self, known, hop, start, end, variable=None, length=None, rows=None):
        rows = [row for row in rows or self.rows if row["label"] in known]
        length = length or self.window
        cut = [self.cut(row, variable or self.variable, hop, start, end, length) for row in rows]
        return numpy.concatenate(cut)

    def trained(self, known):
        return self.windows(known, 1024, 0.0, self.TRAINED)

    def tested(self, known):
        return self.windows(known, self.window, self.TESTED, 1.0)

    def disturbed(self, known, options):
        """Names of disturbances and windows with them; noise by its ratio to each window's RMS."""
        clean = self.tested(known)
        random = numpy.random.default_rng(1)
        rms = numpy.sqrt((clean ** 2).mean(axis=-1, keepdims=True))
        peak = numpy.abs(clean).max(axis=-1, keepdims=True)
        white = random.standard_normal(clean.shape)
        pink = pink_noise(random, clean.shape, (-1,))
        for decibels in (20, 10, 0, -5):
            yield f"white noise, {decibels} dB", clean + white * rms * 10 ** (-decibels / 20)
        for decibels in (10, 0):
            yield f"pink noise, {decibels} dB", clean + pink * rms * 10 ** (-decibels / 20)
        salt = random.random(clean.shape) < 0.01
        sign = random.choice([-1, 1], clean.shape)
        yield "1 % of the samples at the peak", numpy.where(salt, sign * peak, clean)
        yield "10 % of the samples zero", numpy.where(random.random(clean.shape) < 0.1, 0, clean)
        yield "clipping at half of the peak", clean.clip(-peak / 2, peak / 2)
        phase = random.random((len(clean), 1, 1))
        time = numpy.arange(self.window) / self.rate
        hum = numpy.sqrt(2) * numpy.sin(2 * numpy.pi * (50 * time + phase))
        yield "hum of 50 Hz, 1 RMS", clean + rms * hum
        yield "gain of 2", clean * 2
        yield "a hundredth of the gain", clean / 100
        long = self.windows(known, 2 * self.window, self.TESTED, 1.0, length=2 * self.window)
        yield "half the sample rate", scipy.signal.decimate(long, 2, axis=-1)
        short = self.windows(known, self.window, self.TESTED, 1.0, length=self.window // 2)
        yield "twice the sample rate", scipy.signal.resample(short, self.window, axis=-1)
        if options.other_sensor:
            yield "another sensor", self.windows(
                known, self.window, self.TESTED, 1.0, options.other_sensor
            )
        if self.channels > 1:
            yield "channels in reverse order", clean[:, ::-1]
            yield "first channel zero", clean * (numpy.arange(self.channels) > 0)[:, None]
        if options.others:
            rows = self.table(options.others)
            yield "other recordings", self.windows(known, self.window, 0.0, 1.0, rows=rows)
        for label in sorted({row["label"] for row in self.rows} - set(known)):
            yield f"class {label} unseen", self.windows([label], self.window, self.TESTED, 1.0)


class Images:
    """Pictures in IDX files, such as those of `drsn-train fetch mnist`."""

    def __init__(self, folder):
        self.folder = folder

    def read(self, part, labels=None):
        pixels = (self.folder / f"{part}-images-idx3-ubyte").read_bytes()
        count, height, width = numpy.frombuffer(pixels[4:16], ">u4")
        images = numpy.frombuffer(pixels[16:], "u1").reshape(count, 1, height, width) / 255
        classes = numpy.frombuffer((self.folder / f"{part}-labels-idx1-ubyte").read_bytes()[8:], "u1")
        return images if labels is None else images[numpy.isin(classes.astype(str), labels)]

    def trained(self, known):
        return self.read("train", known)[:10_000]

    def tested(self, known):
        return self.read("t10k", known)[:2_000]

    def disturbed(self, known, options):
        """Names of disturbances and pictures with them, from 0 (black) to 1 (white)."""
        clean = self.tested(known)
        random = numpy.random.default_rng(1)
        uniform = random.uniform(-0.5, 0.5, clean.shape)
        yield "uniform noise up to 0.5", (clean + uniform).clip(0, 1)
        white = random.standard_normal(clean.shape)
        for deviation in (0.1, 0.3):
            yield f"Gaussian noise of {deviation}", (clean + deviation * white).clip(0, 1)
        pink = pink_noise(random, clean.shape, (-2, -1))
        yield "pink noise of 0.1", (clean + 0.1 * pink).clip(0, 1)
        salt = random.random(clean.shape)
        yield "5 % of the pixels black or white", numpy.where(
            salt < 0.05, (salt < 0.025).astype(float), clean
        )
        yield "10 % of the pixels black", numpy.where(random.random(clean.shape) < 0.1, 0, clean)
        yield "half the contrast", clean / 2
        yield "twice the contrast", (2 * clean).clip(0, 1)
        halves = clean[..., ::2, ::2].repeat(2, axis=-2).repeat(2, axis=-1)
        yield "every other pixel repeated", halves
        yield "upside down", clean[..., ::-1, ::-1]
        if options.other:
            yield "another data set", Images(options.other).read("t10k")[:2_000]
        labels = (self.folder / "t10k-labels-idx1-ubyte").read_bytes()[8:]
        for label in sorted(set(map(str, labels)) - set(known)):
            yield f"class {label} unseen", self.tested([label])


def pink_noise(random, shape, axes):
    """Noise of deviation 1 whose power falls with the frequency along these axes."""
    spectrum = numpy.fft.fftn(random.standard_normal(shape), axes=axes)
    squares = sum(
        numpy.fft.fftfreq(shape[axis]).reshape([-1] + [1] * (-1 - axis)) ** 2 for axis in axes
    )
    amplitude = numpy.where(squares > 0, squares, numpy.inf) ** (-len(axes) / 4)
    noise = numpy.fft.ifftn(spectrum * amplitude, axes=axes).real
    return noise / noise.std(axis=axes, keepdims=True)


class Distance:
    """A squared Mahalanobis distance from the nearest of some centres, as in a manifest."""

    def __init__(self, fields):
        def numbers(text):
            return numpy.frombuffer(base64.b64decode(text), "<f4").astype(float)

        self.mean = numbers(fields["mean"])
        width = len(self.mean)
        transposed = numpy.zeros((width, width))
        transposed[numpy.triu_indices(width)] = numbers(fields["factor"])
        self.factor = transposed.T
        centres = fields.get("centres")
        self.centres = numpy.stack([numbers(c) for c in centres]) if centres else numpy.zeros((1, width))

    def of(self, values):
        white = scipy.linalg.solve_triangular(self.factor, (values - self.mean).T, lower=True).T
        return ((white[:, None, :] - self.centres) ** 2).sum(axis=-1).min(axis=1)


class Scores:
    """Scores of inputs, each of which is higher the more unusual an input is."""

    def __init__(self, bundle, manifest, url):
        self.session = onnxruntime.InferenceSession(bundle / "model.onnx")
        self.input, self.url = manifest["input"], f"{url}/models/{manifest['name']}/classify"
        shift = manifest["baseline"]["shift"]
        self.magnitudes = Distance(shift["distance"])
        self.features = Distance(shift["features"])
        self.neighbours = None

    def outputs(self, inputs):
        if self.input["kind"] == "signal":
            inputs = inputs - inputs.mean(axis=-1, keepdims=True)
            inputs = inputs / (inputs.std(axis=-1, keepdims=True) + 1e-12)
        else:
            mean, std = (numpy.reshape(self.input[key], (-1, 1, 1)) for key in ("mean", "std"))
            inputs = (inputs - mean) / std
        names = [output.name for output in self.session.get_outputs()]
        found = {name: [] for name in names}
        for start in range(0, len(inputs), 256):
            batch = inputs[start:start + 256].astype("f4")
            for name, values in zip(names, self.session.run(None, {"input": batch})):
                found[name].append(values)
        return {name: numpy.concatenate(values).astype(float) for name, values in found.items()}

    def directions(self, outputs):
        features = outputs["features"]
        return features / (numpy.linalg.norm(features, axis=1, keepdims=True) + 1e-12)

    def learn(self, inputs):
        self.neighbours = self.directions(self.outputs(inputs))

    def served(self, inputs):
        shift, level = [], []
        for start in range(0, len(inputs), 64):
            batch = inputs[start:start + 64]
            query = f"?batch={len(batch)}" if self.input["kind"] == "signal" else ""
            request = urllib.request.Request(
                self.url + query,
                data=batch.astype("<f4").tobytes(),
                headers={"content-type": "application/octet-stream"},
            )
            with urllib.request.urlopen(request) as response:
                for prediction in json.load(response)["predictions"]:
                    diagnostics = prediction["diagnostics"]
                    shift.append(diagnostics["input_shift"]["score"])
                    found = diagnostics["input_level"]
                    level.append(1 - found["p_value"] if found else numpy.nan)
        return numpy.array(shift), numpy.array(level)

    def of(self, inputs):
        outputs = self.outputs(inputs)
        directions = self.directions(outputs)
        magnitudes = [v for name, v in outputs.items() if name.startswith("mean_abs.")]
        shift, level = self.served(inputs)
        distances = 2 - 2 * directions @ self.neighbours.T
        scores = {
            "shift": shift,
            "magnitudes only": self.magnitudes.of(numpy.concatenate(magnitudes, axis=1)),
            "features only": self.features.of(directions),
            "largest probability": -outputs["probabilities"].max(axis=1),
            "energy": -scipy.special.logsumexp(outputs["logits"], axis=1),
            f"{NEIGHBOURS} neighbours": numpy.partition(distances, NEIGHBOURS - 1)[:, NEIGHBOURS - 1],
        }
        return scores if numpy.isnan(level).all() else scores | {"level": level}


def auroc(low, high):
    order = numpy.sort(low)
    below = numpy.searchsorted(order, high, "left") + numpy.searchsorted(order, high, "right")
    return below.mean() / (2 * len(low))


def interval(low, high):
    """The AUROC, and the quantiles 2.5 and 97.5 % of bootstrap samples."""
    random = numpy.random.default_rng(2)
    found = [auroc(random.choice(low, len(low)), random.choice(high, len(high))) for _ in range(SAMPLES)]
    return auroc(low, high), *numpy.quantile(found, [0.025, 0.975])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=pathlib.Path)
    parser.add_argument("--url", default="http://localhost:8080")
    parser.add_argument("--signals", type=pathlib.Path, help="folder of recordings")
    parser.add_argument("--index", type=pathlib.Path, help="table of the recordings")
    parser.add_argument("--other-sensor", help="end of a variable's name")
    parser.add_argument("--others", type=pathlib.Path, help="table of recordings of another load or place")
    parser.add_argument("--images", type=pathlib.Path, help="folder of IDX files")
    parser.add_argument("--other", type=pathlib.Path, help="folder of another set of pictures")
    parser.add_argument("--only", help="only disturbances with this in their name")
    options = parser.parse_args()
    manifest = json.loads((options.bundle / "manifest.json").read_text())
    known = manifest["classes"]
    if options.images:
        source = Images(options.images)
    else:
        source = Signals(options.signals, options.index, manifest)
    scores = Scores(options.bundle, manifest, options.url)
    scores.learn(source.trained(known))
    clean = scores.of(source.tested(known))
    print("| " + " | ".join(["disturbance", *clean]) + " |")
    print("|" + "---|" * (1 + len(clean)))
    for name, inputs in source.disturbed(known, options):
        if not len(inputs) or options.only and options.only not in name:
            continue
        found = scores.of(inputs)
        cells = [interval(clean[key], found[key]) for key in clean]
        print("| " + " | ".join([name, *(f"{a:.3f} ({b:.3f}–{c:.3f})" for a, b, c in cells)]) + " |", flush=True)


if __name__ == "__main__":
    main()
