"""Test inputs of a model, and changes of them, for `unusual.py`."""

import csv
from fractions import Fraction

import numpy as np
import scipy.io
import scipy.ndimage
import scipy.signal

#: Pictures that are tested.
PICTURES = 2_000
#: Recordings at 48 kHz of Case Western Reserve University whose fan-end channel is not the drive-end
#: one times 0.985.
FAN_END = ("normal_0", "B007_0", "IR007_0", "IR014_0", "OR007@6_0")


def pink(shape, random, axes):
    """Noise of deviation 1 with equal power in each octave, over the last axes."""
    frequencies = [np.fft.fftfreq(size) for size in shape[-axes:-1]] + [np.fft.rfftfreq(shape[-1])]
    radius = np.sqrt(sum(f**2 for f in np.meshgrid(*frequencies, indexing="ij")))
    radius.flat[0] = np.inf
    over = tuple(range(-axes, 0))
    spectrum = np.fft.rfftn(random.standard_normal(shape), axes=over) / radius ** (axes / 2)
    noise = np.fft.irfftn(spectrum, shape[-axes:], axes=over)
    return noise / noise.std(over, keepdims=True)


def unseen(labels, known):
    return sorted(set(labels) - set(known))


class Signals:
    """Windows of recordings that were split in time, as the preset `bearing` does."""

    TRAINED, TESTED = 0.65, 0.7

    def __init__(self, manifest, options):
        self.folder, self.options = options.data, options
        self.known, self.window = manifest["classes"], manifest["input"]["window"]
        self.rate = manifest["input"]["sample_rate_hz"]
        self.variable = manifest["training"]["configuration"]["data"].get("variable")
        self.rows = self.table(options.index)

    @staticmethod
    def table(path):
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def recording(self, row, variable=None):
        """`[C, T]`."""
        path = self.folder / row["file"]
        if path.suffix == ".npy":
            return np.load(path).astype(np.float32)
        variables = scipy.io.loadmat(path)
        names = [name for name in variables if name.endswith(variable or self.variable)]
        return variables[names[0]].T.astype(np.float32)

    def at_models_rate(self, row):
        ratio = Fraction(self.rate) / Fraction(row.get("sample_rate_hz") or self.rate)
        up, down = ratio.numerator, ratio.denominator
        return scipy.signal.resample_poly(self.recording(row), up, down, axis=1)

    def cut(self, samples, hop=None):
        """Windows, `[N, C, L]`."""
        starts = range(0, samples.shape[1] - self.window + 1, hop or self.window)
        return np.stack([samples[:, start : start + self.window] for start in starts])

    def tests(self, labels):
        recordings = [self.recording(row) for row in self.rows if row["label"] in labels]
        return [samples[:, round(self.TESTED * samples.shape[1]) :] for samples in recordings]

    def training(self):
        recordings = [self.recording(row) for row in self.rows if row["label"] in self.known]
        parts = [samples[:, : round(self.TRAINED * samples.shape[1])] for samples in recordings]
        return np.concatenate([self.cut(part, 256) for part in parts])

    def test(self):
        return np.concatenate([self.cut(samples) for samples in self.tests(self.known)])

    def at_rate(self, up, down):
        resampled = [scipy.signal.resample_poly(s, up, down, axis=1) for s in self.tests(self.known)]
        return np.concatenate([self.cut(samples) for samples in resampled])

    def changes(self, random):
        test = self.test()
        deviation = test.std(-1, keepdims=True)
        lost = random.random(test.shape)

        def with_noise(noise, decibels):
            level = deviation / noise.std(-1, keepdims=True) * 10 ** (-decibels / 20)
            return test + noise * level

        def clipped(share):
            limit = np.quantile(np.abs(test), share, axis=-1, keepdims=True)
            return np.clip(test, -limit, limit)

        white = random.standard_normal(test.shape)
        for decibels in (10, 5, -5):
            yield f"white noise, {decibels} dB", with_noise(white, decibels)
        yield "white noise only", white
        yield "pink noise, 5 dB", with_noise(pink(test.shape, random, 1), 5)
        yield "salt, 1 %", np.where(lost < 0.01, test.max(-1, keepdims=True), test)
        yield "clipped, 20 % of samples", clipped(0.8)
        yield "clipped, 5 % of samples", clipped(0.95)
        yield "lost, 10 % of samples", np.where(lost < 0.1, 0, test)
        yield "lost, 2 % of samples", np.where(lost < 0.02, 0, test)
        yield "lost, 64 samples in a row", self.with_gaps(test, random)
        yield "last value kept, 10 % of samples", self.held(test, lost < 0.1)
        phase = random.uniform(0, 6.28, (len(test), 1, 1))
        hum = np.sin(2 * np.pi * 50 * np.arange(self.window) / self.rate + phase)
        for decibels in (10, 0):
            yield f"hum of 50 Hz, {decibels} dB", with_noise(hum, decibels)
        for name, up, down in (("halved", 1, 2), ("times 0.9", 9, 10), ("times 1.25", 5, 4)):
            yield f"sample rate {name}", self.at_rate(up, down)
        yield "gain doubled (seen by the level)", 2 * test
        yield from self.other_signals(test)

    def other_signals(self, test):
        """Signals of other sensors, recordings and classes."""
        if test.shape[1] > 1:
            yield "channels in reverse order", test[:, ::-1]
            yield "last channel in place of all", test[:, -1:].repeat(test.shape[1], 1)
        if self.options.fan_end:
            rows = [row for row in self.rows if any(name in row["file"] for name in FAN_END)]
            recordings = [self.recording(row, "FE_time") for row in rows if row["label"] in self.known]
            yield "another sensor (fan end)", np.concatenate([self.cut(s) for s in recordings])
        if self.options.others:
            rows = self.table(self.options.others)
            recordings = [self.at_models_rate(row) for row in rows]
            is_resampled = any(float(row.get("sample_rate_hz") or self.rate) != self.rate for row in rows)
            yield "another load" + ", resampled" * is_resampled, np.concatenate([self.cut(samples) for samples in recordings])
        for label in unseen((row["label"] for row in self.rows), self.known):
            yield f"unseen class {label}", np.concatenate([self.cut(s) for s in self.tests([label])])

    @staticmethod
    def with_gaps(test, random):
        gaps = test.copy()
        starts = random.integers(0, test.shape[-1] - 64, len(gaps))
        for row, start in zip(gaps, starts, strict=True):
            row[..., start : start + 64] = 0
        return gaps

    @staticmethod
    def held(test, where):
        held = test.copy()
        for i in range(1, test.shape[-1]):
            held[..., i] = np.where(where[..., i], held[..., i - 1], test[..., i])
        return held


class Images:
    """Pictures in IDX files, or in the files of CIFAR-10, as `drsn-train fetch` writes them."""

    def __init__(self, manifest, options):
        self.folder, self.options, self.known = options.data, options, manifest["classes"]

    @staticmethod
    def read(folder, part):
        """Pictures from 0 (black) to 1 (white), `[N, C, H, W]`, and their labels as text."""
        files = sorted(folder.glob({"train": "data_batch_?.bin", "t10k": "test_batch.bin"}[part]))
        if files:
            rows = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, 3073) for file in files])
            classes = (folder / "batches.meta.txt").read_text().split()
            pixels, labels = rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]
        else:
            data = (folder / f"{part}-images-idx3-ubyte").read_bytes()
            sizes = [int.from_bytes(data[i : i + 4], "big") for i in (4, 8, 12)]
            pixels = np.frombuffer(data, np.uint8, offset=16).reshape(sizes)[:, None]
            labels = np.fromfile(folder / f"{part}-labels-idx1-ubyte", np.uint8)[8:]
            path = folder / "classes.txt"
            classes = path.read_text().splitlines() if path.exists() else list("0123456789")
        return (pixels / np.float32(255)).astype(np.float32), np.array(classes)[labels]

    def of_classes(self, part, classes):
        images, labels = self.read(self.folder, part)
        return images[np.isin(labels, classes)]

    def training(self):
        return self.of_classes("train", self.known)

    def test(self):
        return self.of_classes("t10k", self.known)[:PICTURES]

    def changes(self, random):
        test = self.test()
        white = random.standard_normal(test.shape)
        drawn = random.random((len(test), 1, *test.shape[2:]))
        yield "uniform noise of 0.5", test + 0.5 * random.random(test.shape)
        for deviation in (0.3, 0.05):
            yield f"Gaussian noise of {deviation}", test + deviation * white
        yield "pink noise of 0.1", test + 0.1 * pink(test.shape, random, 2)
        yield "salt, 5 %", np.where(drawn < 0.05, 1, test)
        yield "salt, 1 %", np.where(drawn < 0.01, 1, test)
        yield "gain doubled", 2 * test
        yield "gain times 0.7", 0.7 * test
        yield "clipped at 0.8", np.minimum(test, 0.8)
        yield "lost, 10 % of pixels", np.where(drawn < 0.1, 0, test)
        yield "lost, 5 % of pixels", np.where(drawn < 0.05, 0, test)
        phase = random.uniform(0, 6.28, (len(test), 1, 1, 1))
        rows = np.sin(np.pi / 2 * np.arange(test.shape[2])[:, None] + phase)
        yield "hum of 0.1 over rows", test + 0.1 * rows
        yield "three quarters of the size", self.resized(test, 0.75)
        yield "1.25 times the size", self.resized(test, 1.25)
        yield "upside down (no change of signal)", test[:, :, ::-1]
        for folder in self.options.other:
            images = self.read(folder, "t10k")[0][:PICTURES].mean(1, keepdims=True)
            yield folder.name, self.of_size(images, test.shape[2]).repeat(test.shape[1], 1)
        for label in unseen(self.read(self.folder, "t10k")[1], self.known):
            yield f"unseen class {label}", self.of_classes("t10k", [label])

    def resized(self, test, factor):
        return self.of_size(scipy.ndimage.zoom(test, (1, 1, factor, factor), order=1), test.shape[2])

    @staticmethod
    def of_size(images, wanted):
        """Square pictures with a black border, or without one."""
        size = images.shape[2]
        if size > wanted:
            cut = (size - wanted) // 2
            return images[..., cut : cut + wanted, cut : cut + wanted]
        before = (wanted - size) // 2
        around = (before, wanted - size - before)
        return np.pad(images, ((0, 0), (0, 0), around, around))
