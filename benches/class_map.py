#!/usr/bin/env python3
"""Measures where the class activation map of the bearing model lies.

Half of a window of the normal bearing is replaced by the same half of a faulty bearing's, or gets a train of
impulses. Printed are the share of the map's positive values in the faulty half; the shares of windows that
are classified as the fault (impulses: as any fault), as normal and as another class, and the share of the
last that alarms by the input shift; and, of windows classified as the fault or as normal, the share of the
map in that class's half:

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
SAMPLE_RATE_HZ = 48_000
# Strokes a second of an outer and of an inner race at 1,797 turns a minute.
STROKES_HZ = {"outer race": 107.4, "inner race": 162.2}
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


def impulses(rate_hz, random, count):
    """Decaying oscillations of 3.5 kHz with peaks of 1, as strokes of a fault excite a bearing's housing."""
    time = numpy.arange(WINDOW) / SAMPLE_RATE_HZ
    since = (time + random.uniform(0, 1 / rate_hz, (count, 1))) % (1 / rate_hz)
    return numpy.exp(-since / 1e-3) * numpy.sin(2 * numpy.pi * 3500 * since)


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
        samples, label = drive_end(path), labels[path.name]
        faulty = lambda inputs: windows(samples, options.count, random)
        measure(path.stem, faulty, {label}, normal, random, options)
    faults = set(labels.values()) - {"normal"}
    for race, rate in STROKES_HZ.items():
        for peak in (5, 10):
            strokes = lambda inputs: inputs + peak * normal.std() * impulses(rate, random, options.count)
            measure(f"{race}, peaks of {peak} RMS", strokes, faults, normal, random, options)


def measure(title, faulty, right, normal, random, options):
    """Prints a line of windows of which one half is of what `faulty` makes of them."""
    shares, own, alarms, found = [], [], [], collections.Counter()
    for half in (0, 1):
        inputs = windows(normal, options.count, random)
        part = slice(half * WINDOW // 2, (half + 1) * WINDOW // 2)
        inputs[:, part] = faulty(inputs)[:, part]
        for prediction in ask(options.url, inputs):
            label, in_half = prediction["label"], share(prediction, half)
            shares.append(in_half)
            found["fault" if label in right else label if label == "normal" else "other"] += 1
            if label in right or label == "normal":
                own.append(1 - in_half if label == "normal" else in_half)
            else:
                alarms.append(prediction["diagnostics"]["input_shift"]["alarm"])
    counts = [[found[kind] / found.total()] for kind in ("fault", "normal", "other")]
    cells = [shares, *counts, alarms, own]
    means = [f"{numpy.mean(cell):14.2f}" if cell else f"{'–':>14}" for cell in cells]
    print(f"{title:30}" + "".join(means))


if __name__ == "__main__":
    main()
