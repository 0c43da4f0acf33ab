"""Sounds that libsndfile and Python's wave module write, in every format and subtype that they have."""

import wave

import numpy as np
import soundfile

from common import case, generator, signal

ENDINGS = {"WAV": ".wav", "WAVEX": ".wav", "RF64": ".rf64", "W64": ".w64", "AIFF": ".aiff", "FLAC": ".flac"}


def with_wave(random, folder, number):
    file = number + ".wav"
    width, channels = random.choice([1, 2, 3, 4]), random.choice([1, 1, 2, 3, 8])
    rate, frames = random.choice([8000, 12_000, 44_100, 51_200]), random.choice([0, 1, 2, 50, 300])
    values = generator(random).integers(0, 256, size=frames * channels * width, dtype=np.uint8)
    with wave.open(str(folder / file), "wb") as opened:
        opened.setnchannels(channels)
        opened.setsampwidth(width)
        opened.setframerate(rate)
        opened.writeframes(values.tobytes())
    return file, f"wave {8 * width} bits {channels} x {frames}"


def with_soundfile(random, folder, number):
    # MAT-files have arrays, whose numbers are not scaled to [-1, 1).
    formats = [format for format in soundfile.available_formats() if not format.startswith("MAT")]
    format = random.choice(list(ENDINGS) * 3 + formats)
    subtype = random.choice(list(soundfile.available_subtypes(format)))
    endian = random.choice(["FILE", "FILE", "LITTLE", "BIG", "CPU"])
    channels, rate = random.choice([1, 1, 2, 3, 8]), random.choice([8000, 12_000, 44_100, 48_000, 51_200])
    frames = random.choice([0, 1, 2, 50, 300, 5000])
    values = np.stack([signal(random, max(frames, 1))[:frames] for _ in range(channels)], axis=1)
    largest = np.abs(values).max(initial=0)
    if largest > 0.999:
        values /= largest * 1.001
    file = number + ENDINGS.get(format, "." + format.lower())
    if not soundfile.check_format(format, subtype, endian):
        endian = "FILE"
    try:
        soundfile.write(folder / file, values, rate, subtype, endian, format)
    except (soundfile.LibsndfileError, ValueError, TypeError, AssertionError):
        # Some formats take fewer channels than they are given.
        return None
    return file, f"{format} {subtype} {endian} {channels} x {frames}"


def write(random, folder, number):
    written = random.choice([with_wave, with_soundfile, with_soundfile])(random, folder, number)
    if written is None:
        return []
    file, about = written
    try:
        values, rate = soundfile.read(folder / file, always_2d=True, dtype="float64")
    except (soundfile.LibsndfileError, TypeError, RuntimeError):
        return [case(file, None, about + " (soundfile cannot read it)")]
    if random.random() < 0.15:
        tag = b"ID3\x04\0\0\0\0" + bytes([random.randrange(128), random.randrange(128)])
        size = tag[-2] * 128 + tag[-1]
        (folder / file).write_bytes(tag + bytes(size) + (folder / file).read_bytes())
        about += f" behind a tag of {size}"
    return [case(file, list(values.T), about, None, float(rate))]
