"""Compares what drsn-recording reads with what soundfile (libsndfile) and SciPy read, to the last bit of 32-bit floats.

Run it with NumPy, SciPy and soundfile: `python compare.py [VARIANTS OF EACH KIND] [SEED]`. It generates audio files of every kind
and has them read by the example `raw`, which cargo builds.
"""

import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import scipy.io.wavfile
import soundfile

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 60
rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
PCM = ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
KINDS = {
    # Format, subtypes, byte orders, ending.
    "wav": ("WAV", ["PCM_U8", *PCM], [None, "BIG"], "wav"),
    "extensible": ("WAVEX", ["PCM_U8", *PCM], [None], "wav"),
    "rf64": ("RF64", ["PCM_U8", *PCM], [None], "wav"),
    "wave64": ("W64", ["PCM_U8", *PCM], [None], "w64"),
    "aiff": ("AIFF", ["PCM_S8", "PCM_U8", *PCM], [None, "LITTLE"], "aiff"),
    "flac": ("FLAC", ["PCM_S8", "PCM_16", "PCM_24"], [None], "flac"),
}


def signal(most_channels):
    length = int(rng.choice([1, 2, 15, 63, 100, 4095, 4096, 4097, rng.integers(1, 20_000)]))
    channels = int(rng.integers(1, most_channels + 1))
    time = np.arange(length)[:, None]
    kind = rng.integers(6)
    if kind == 0:
        values = np.zeros((length, channels))
    elif kind == 1:
        values = np.full((length, channels), rng.uniform(-1, 1))
    elif kind == 2:
        values = np.sin(time * rng.uniform(0.001, 3, channels)) * rng.uniform(0, 1)
    elif kind == 3:
        values = rng.uniform(-1, 1, (length, channels))
    elif kind == 4:  # all but equal channels, which are stored as their difference
        values = np.sin(time / 9) * 0.7 + rng.normal(size=(length, channels)) / 3000
    else:  # bits at the end are unused
        values = np.round(rng.normal(size=(length, channels)) * 40) / 128
    return np.clip(values, -1, 1 - 2 ** -31)


def generate(folder):
    for kind, (format, subtypes, orders, ending) in KINDS.items():
        for number in range(COUNT):
            possible = [(s, o) for s in subtypes for o in orders if soundfile.check_format(format, s, o)]
            subtype, order = possible[rng.integers(len(possible))]
            path = folder / f"{kind}_{number}_{subtype}_{order}.{ending}"
            rate = int(rng.choice([1, 8000, 12_000, 44_100, 48_000, 51_200, 96_000, 192_000, rng.integers(1, 65_536)]))
            options = {"compression_level": rng.uniform(0, 1)} if kind == "flac" else {}
            soundfile.write(path, signal(8 if kind == "flac" else 12), rate, format=format, subtype=subtype, endian=order, **options)
            if kind != "flac" and number % 3 == 0:  # soundfile refuses FLAC that was cut
                data = path.read_bytes()
                spare = len(data) - data.find(b"SSND" if kind == "aiff" else b"data") - 24 - 16 * 12 * 8
                if spare > 0:
                    path.write_bytes(data[:len(data) - int(rng.integers(1, min(spare, 400) + 1))])
    for number, kind in enumerate([np.uint8, np.int16, np.int32, np.float32, np.float64] * (COUNT // 5)):
        scale = 100 if kind == np.uint8 else np.iinfo(kind).max / 2 if np.dtype(kind).kind == "i" else 1
        scipy.io.wavfile.write(folder / f"scipy_{number}_{np.dtype(kind).name}.wav", 48_000, (signal(4) * scale).astype(kind))
    codes = bytes(range(256))
    for code, name in ((6, "alaw"), (7, "ulaw")):
        head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 292, b"WAVE", b"fmt ", 16, code, 1, 8000, 8000, 1, 8, b"data", 256)
        (folder / f"law_{name}.wav").write_bytes(head + codes)


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        generate(folder)
        files = sorted(folder.iterdir())
        crate = Path(__file__).parents[2]
        subprocess.run(["cargo", "run", "-q", "--example", "raw", "--", *files], check=True, cwd=crate)
        counts, failures = {}, 0
        for file in files:
            expected, _ = soundfile.read(file, dtype="float32", always_2d=True)
            found = file.with_name(file.name + ".f32")
            kind = file.name.split("_")[0]
            counts[kind] = counts.get(kind, 0) + 1
            if not found.exists() or found.read_bytes() != expected.astype("<f4").tobytes():
                error = file.with_name(file.name + ".error")
                print(f"{file.name}: {error.read_text() if error.exists() else 'other samples'}; soundfile has {expected.shape}")
                failures += 1
        print(f"compared {counts} with libsndfile {soundfile.__libsndfile_version__}: {failures} differ")
        sys.exit(failures > 0)


main()
