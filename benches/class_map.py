#!/usr/bin/env python3
"""Measures where the class activation map of the bearing model lies.

Half of a window of the normal bearing is replaced by the same half of a faulty bearing's, and the
share of the map's positive values in that half is printed for each fault:

    target/release/drsn-serve &
    benches/class_map.py ../shared/data/cwru

The folder has the recordings at 48 kHz of Case Western Reserve University; needs numpy and scipy.
"""

import argparse
import json
import pathlib
import urllib.request

import numpy
import scipy.io

WINDOW = 2048


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
    print(f"{'recording':40} {'mean share':>10} {'share >= 0.9':>12}")
    for path in sorted(options.folder.glob("48k_*.mat")):
        shares = []
        for half in (0, 1):
            inputs = windows(normal, options.count, random)
            part = slice(half * WINDOW // 2, (half + 1) * WINDOW // 2)
            inputs[:, part] = windows(drive_end(path), options.count, random)[:, part]
            shares += [share(prediction, half) for prediction in ask(options.url, inputs)]
        shares = numpy.array(shares)
        print(f"{path.stem:40} {shares.mean():10.2f} {(shares >= 0.9).mean():12.2f}")


if __name__ == "__main__":
    main()
