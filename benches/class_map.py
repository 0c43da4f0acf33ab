#!/usr/bin/env python3
"""Measures where the class activation map of the bearing model lies, and whether its segments are right.

Half of a window of the normal bearing is replaced by the same half of a faulty bearing's. Printed are the
shares of windows that are classified as the fault, as normal and as another class, and the share of the last
that alarms by the input shift; of windows classified as the fault or as normal, the share of the map's
positive values that lies in that class's half, of all values and of those in segments of that class; and the
share of all samples whose segment has the right class:

    target/release/drsn-serve &
    benches/class_map.py ../shared/data/cwru

With --at the other recording begins there, a share of the window's length. The folder has the recordings at
48 kHz of Case Western Reserve University; needs numpy and scipy.
"""

import argparse
import collections
import csv
import json
import pathlib
import urllib.request

import numpy
import scipy.io

WINDOW = 2048
INDEX = pathlib.Path(__file__).parents[1] / "crates/drsn-train/presets/cwru-48k.csv"


def drive_end(path):
    """The samples of the sensor at the drive end, of which the model has not seen the last 30 %."""
    variables = scipy.io.loadmat(path)
    name = next(name for name in variables if name.endswith("DE_time"))
    samples = variables[name][:, 0]
    return samples[int(0.7 * len(samples)):]


def windows(samples, count, random):
    starts = random.integers(0, len(samples) - WINDOW, count)
    return numpy.stack([samples[start:start + WINDOW] for start in starts])


def ask(url, signals):
    request = urllib.request.Request(
        f"{url}/models/bearing/classify?diagnostics=full&batch={len(signals)}",
        data=signals.astype("<f4").tobytes(),
        headers={"content-type": "application/octet-stream"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["predictions"]


class Answer:
    """What an answer says of a window whose normal part and faulty part meet at the sample `middle`."""

    def __init__(self, prediction, middle, faulty_first):
        self.label = prediction["label"]
        self.alarm = prediction["diagnostics"]["input_shift"]["alarm"]
        self.map = prediction["diagnostics"]["map"]
        self.before = numpy.arange(WINDOW) < middle
        self.faulty = self.before if faulty_first else ~self.before
        self.labels = numpy.full(WINDOW, "", dtype=object)
        for segment in self.map.get("segments", []):
            self.labels[segment["start"]:segment["end"]] = segment["label"]

    def in_own_half(self, among):
        """The share of the map that lies in the part of the predicted class, among some samples."""
        values = numpy.array(self.map["values"], dtype=float).clip(0)
        at = numpy.arange(WINDOW) / self.map["step"]
        values = values[at.astype(int).clip(0, len(values) - 1)] * among
        own = ~self.faulty if self.label == "normal" else self.faulty
        return (values * own).sum() / values.sum() if values.sum() > 0 else None

    def samples_right(self, fault):
        return (self.labels == numpy.where(self.faulty, fault, "normal")).mean()


def measure(title, fault, samples, normal, random, options):
    """Prints a line of windows of which one part is of a faulty bearing."""
    own, own_segments, alarms, right, found = [], [], [], [], collections.Counter()
    middle = int(options.at * WINDOW)
    for faulty_first in (True, False):
        inputs = windows(normal, options.count, random)
        part = slice(0, middle) if faulty_first else slice(middle, WINDOW)
        inputs[:, part] = windows(samples, options.count, random)[:, part]
        for prediction in ask(options.url, inputs):
            answer = Answer(prediction, middle, faulty_first)
            found[answer.label if answer.label in (fault, "normal") else "other"] += 1
            right.append(answer.samples_right(fault))
            if answer.label in (fault, "normal"):
                own.append(answer.in_own_half(numpy.ones(WINDOW)))
                own_segments.append(answer.in_own_half(answer.labels == answer.label))
            else:
                alarms.append(answer.alarm)
    counts = [[found[kind] / found.total()] for kind in (fault, "normal", "other")]
    cells = [*counts, alarms, own, [share for share in own_segments if share is not None], right]
    means = [f"{numpy.mean(cell):14.2f}" if cell else f"{'–':>14}" for cell in cells]
    print(f"{title:30}" + "".join(means))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--url", default="http://localhost:8080")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--at", type=float, default=0.5)
    options = parser.parse_args()
    random = numpy.random.default_rng(1)
    normal = drive_end(options.folder / "normal_0_97.mat")
    with open(INDEX, encoding="utf-8", newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    titles = ("fault", "normal", "other", "which alarm", "map", "in segments", "samples right")
    print(f"{'recording':30}" + "".join(f"{title:>14}" for title in titles))
    for path in sorted(options.folder.glob("48k_*.mat")):
        measure(path.stem, labels[path.name], drive_end(path), normal, random, options)


if __name__ == "__main__":
    main()
