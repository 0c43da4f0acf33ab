#!/usr/bin/env python3
"""Measures where the class activation map of the bearing model lies.

Half of a window of the normal bearing is replaced by the same half of a faulty bearing's. Printed are the
share of the map's positive values in the faulty half; the shares of windows that are classified as the
fault, as normal and as another class, and the share of the last that alarms by the input shift; and, of
windows classified as the fault or as normal, the share of the map in that class's half:

    target/release/drsn-serve &
    benches/class_map.py ../shared/data/cwru

The folder has the recordings at 48 kHz of Case Western Reserve University; needs numpy and scipy.
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


def share(prediction, half):
    values = numpy.array(prediction["diagnostics"]["map"]["values"], dtype=float).clip(0)
    middle = len(values) // 2
    halves = values[:middle].sum(), values[middle:].sum()
    return halves[half] / sum(halves)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--url", default="http://localhost:8080")
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    random = numpy.random.default_rng(1)
    normal = drive_end(options.folder / "normal_0_97.mat")
    with open(INDEX, encoding="utf-8", newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    titles = ("fault's half", "fault", "normal", "other", "which alarm", "its own half")
    print(f"{'recording':30}" + "".join(f"{title:>14}" for title in titles))
    for path in sorted(options.folder.glob("48k_*.mat")):
        shares, own, alarms, found = [], [], [], collections.Counter()
        for half in (0, 1):
            inputs = windows(normal, options.count, random)
            part = slice(half * WINDOW // 2, (half + 1) * WINDOW // 2)
            inputs[:, part] = windows(drive_end(path), options.count, random)[:, part]
            for prediction in ask(options.url, inputs):
                label, in_half = prediction["label"], share(prediction, half)
                shares.append(in_half)
                found[label] += 1
                if label in ("normal", labels[path.name]):
                    own.append(1 - in_half if label == "normal" else in_half)
                else:
                    alarms.append(prediction["diagnostics"]["input_shift"]["alarm"])
        counts = [found[label] / found.total() for label in (labels[path.name], "normal")]
        cells = [shares, counts[:1], counts[1:], [1 - sum(counts)], alarms, own]
        means = [f"{numpy.mean(cell):14.2f}" if cell else f"{'–':>14}" for cell in cells]
        print(f"{path.stem:30}" + "".join(means))


if __name__ == "__main__":
    main()
