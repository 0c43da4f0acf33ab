"""Signals and cases, for all kinds of files."""

import numpy as np


def generator(random):
    """NumPy's random numbers from Python's."""
    return np.random.default_rng(random.getrandbits(64))


def signal(random, length):
    """Samples as sensors give them, or as nobody expects them."""
    rng = generator(random)
    time = np.arange(length)
    shape = random.choice(["noise", "noise", "sine", "whole", "small", "large", "ramp", "flat", "steps", "positive"])
    return {
        "noise": lambda: rng.normal(size=length),
        "sine": lambda: np.sin(time * rng.uniform(0.01, 3)) * rng.uniform(0.1, 50),
        "whole": lambda: rng.integers(-999, 999, size=length).astype(float),
        "small": lambda: rng.normal(size=length) * 1e-7,
        "large": lambda: rng.normal(size=length) * 1e9,
        "ramp": lambda: time * rng.choice([0.5, 1.0, 0.001]) + rng.integers(0, 3),
        "flat": lambda: np.full(length, float(rng.integers(-2, 3))),
        "steps": lambda: rng.integers(0, 2, size=length).astype(float),
        "positive": lambda: rng.uniform(0, 5000, size=length),
    }[shape]()


def rounded(values):
    """The nearest 32-bit floats, which Python writes without loss."""
    with np.errstate(all="ignore"):
        return [float(x) for x in np.asarray(values, dtype=np.float64).ravel().astype(np.float32)]


def case(file, channels, about, names=None, rate=None, **options):
    """`channels` is None if a reader must not give numbers without a word."""
    channels = None if channels is None else [rounded(channel) for channel in channels]
    if channels is not None and not all(np.isfinite(channel).all() and len(channel) for channel in channels):
        channels = None
    return {"file": file, "channels": channels, "names": names, "rate": rate, "about": about, "options": options}


def oriented(array):
    """The channels of an array of one or two axes: the longer axis is time, and the last one of two equal ones."""
    array = np.atleast_2d(array)
    return array.T if array.shape[0] > array.shape[1] else array
