"""Writes the recordings of this folder, and expected.json: the numbers that NumPy and SciPy read from them.

Run it in this folder with NumPy, SciPy, soundfile and SoX: `python make.py`. The files are committed; it is only needed to add one.
"""

import json
import struct
import subprocess
import zipfile
import zlib
from pathlib import Path

import numpy as np
import scipy.io
import scipy.io.wavfile
import scipy.sparse
import soundfile

HERE = Path(__file__).parent
EXPECTED = []
rng = np.random.default_rng(7)


def expect(file, channels, names=None, rate=None, variable=None):
    # The shortest decimals that give the same 32-bit floats.
    channels = [[float(str(np.float32(x))) for x in np.asarray(c)] for c in channels]
    EXPECTED.append({
        "file": file, "variable": variable, "channels": channels,
        "names": names or [None] * len(channels), "sample_rate_hz": rate, "error": None,
    })


def sound():
    """The other audio files, and files that were cut."""
    noise = np.random.default_rng(8)
    values = np.clip(noise.normal(size=(30, 2)) / 3, -1, 1 - 2 ** -15)
    values[0] = (-1, 1 - 2 ** -15)
    for file, format, subtype, endian in (
        ("rifx.wav", "WAV", "PCM_16", "BIG"), ("rifx_float.wav", "WAV", "FLOAT", "BIG"),
        ("rf64.wav", "RF64", "PCM_24", None), ("long.w64", "W64", "PCM_16", None), ("float.w64", "W64", "DOUBLE", None),
        ("alaw.aifc", "AIFF", "ALAW", None), ("ulaw.aifc", "AIFF", "ULAW", None), ("raw.aifc", "AIFF", "PCM_U8", None),
        ("8.aiff", "AIFF", "PCM_S8", None), ("16.aiff", "AIFF", "PCM_16", None), ("24.aif", "AIFF", "PCM_24", None),
        ("32.aiff", "AIFF", "PCM_32", None), ("sowt.aifc", "AIFF", "PCM_16", "LITTLE"), ("fl32.aifc", "AIFF", "FLOAT", None),
        ("fl64.aifc", "AIFF", "DOUBLE", None),
        ("8.flac", "FLAC", "PCM_S8", None), ("16.flac", "FLAC", "PCM_16", None), ("24.flac", "FLAC", "PCM_24", None),
    ):
        soundfile.write(HERE / file, values, 48000, format=format, subtype=subtype, endian=endian)
        expect_sound(file)
    # As BW64 is named after RF64, and differs in nothing that matters here.
    (HERE / "bw64.wav").write_bytes(b"BW64" + (HERE / "rf64.wav").read_bytes()[4:])
    expect("bw64.wav", soundfile.read(HERE / "rf64.wav")[0].T, rate=48000.0)
    # A tone, which is predicted by linear factors, and silence.
    tone = np.sin(np.arange(700) / 5)[:, None] * [0.9, 0.4] + noise.normal(size=(700, 2)) / 2000
    tone[400:] = 0
    soundfile.write(HERE / "tone.flac", tone, 192000, subtype="PCM_24", compression_level=1)
    expect_sound("tone.flac", samples=700)
    for file, source, cut, samples in (("cut.wav", "wav_pcm_16.wav", 8, 28), ("torn.wav", "wav_pcm_24.wav", 1, 29),
                                       ("cut.w64", "long.w64", 10, 27), ("cut.aiff", "16.aiff", 7, 28)):
        (HERE / file).write_bytes((HERE / source).read_bytes()[:-cut])
        expect_sound(file, f"the file declares 30 samples a channel and has {samples}: those were read", samples)


def refuse(file, error, variable=None):
    EXPECTED.append({
        "file": file, "variable": variable, "channels": None, "names": None,
        "sample_rate_hz": None, "error": error,
    })


def mat():
    signal = rng.normal(size=(100, 1))
    wide = rng.normal(size=(2, 80))
    everything = {
        "X097_DE_time": signal, "X097_FE_time": -signal, "X097RPM": np.array([[1796]]),
        "text": "not a number", "cell": np.array([1, "a"], dtype=object), "struct": {"a": signal[:3]},
        "truth": signal > 0, "sparse": scipy.sparse.csc_matrix(np.eye(3)), "complex": signal + 1j,
        "cube": np.zeros((2, 3, 70)),
    }
    for file, compress in (("all_plain.mat", False), ("all_compressed.mat", True)):
        scipy.io.savemat(HERE / file, everything, do_compression=compress, oned_as="column")
        loaded = scipy.io.loadmat(HERE / file)
        expect(file, [loaded["X097_DE_time"].ravel()], ["X097_DE_time"], variable="DE_time")
        expect(file, [loaded["X097RPM"].ravel()], ["X097RPM"], variable="X097RPM")
        names = "X097_DE_time, X097_FE_time"
        refuse(file, f"the variable to read is ambiguous: name one of {names}, complex, cube")
        refuse(file, f"the variable to read is ambiguous: name one of {names}", "E_time")
        refuse(file, 'it has no numeric variable named "BA_time" or ending with that name; '
               f"it has {names}, X097RPM, complex, cube, cell[0], struct.a", "BA_time")
        expect(file, [loaded["struct"][0, 0]["a"].ravel()], ["struct.a"], variable="a")
        refuse(file, "the variable complex has complex numbers: save their real part or magnitude", "complex")
        refuse(file, "the variable cube has more than two axes: save it as samples x channels", "cube")
    scipy.io.savemat(HERE / "wide.mat", {"wide": wide})
    expect("wide.mat", wide)
    scipy.io.savemat(HERE / "tall.mat", {"tall": wide.T, "rate": 48000.0})
    expect("tall.mat", wide)
    channels, samples = wide.shape
    EXPECTED[-1]["notice"] = (
        f"its shape is [{samples}, {channels}], and it was read as {channels} channels of {samples} samples: "
        "the longer axis is time"
    )
    for kind in ("f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"):
        dtype = np.dtype(kind)
        if dtype.kind == "f":
            values = rng.normal(size=70).astype(dtype)
        else:
            info = np.iinfo(dtype)
            values = rng.integers(info.min, info.max, size=70, dtype=dtype, endpoint=True)
        scipy.io.savemat(HERE / f"{kind}.mat", {"x": values}, do_compression=True, oned_as="row")
        expect(f"{kind}.mat", [scipy.io.loadmat(HERE / f"{kind}.mat")["x"].ravel()], ["x"])
    big_endian_mat(signal.ravel())
    (HERE / "v73.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n")
    refuse("v73.mat", "it is a MAT-file of version 7.3 (HDF5), which is not supported: save it with `-v7`")


def big_endian_mat(signal):
    """SciPy writes only the machine's byte order; it reads both, which checks this."""
    values = (signal * 100).astype(">i2")  # a double array whose numbers are stored in 16 bits, as MATLAB does
    part = lambda kind, data: struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)
    body = part(6, struct.pack(">II", 6, 0)) + part(5, struct.pack(">ii", 1, len(values)))
    body += struct.pack(">HH4s", 1, 1, b"b") + part(3, values.tobytes())
    element = part(14, body)
    packed = zlib.compress(element)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    for file, data in (("big_endian.mat", element), ("big_endian_compressed.mat", struct.pack(">II", 15, len(packed)) + packed)):
        (HERE / file).write_bytes(header + data)
        loaded = scipy.io.loadmat(HERE / file)["b"].ravel()
        assert (loaded == values).all()
        expect(file, [loaded], ["b"])


def npy():
    values = rng.normal(size=(2, 20)) * 100
    for descr in ("<f8", ">f8", "<f4", ">f4", "<f2", ">f2", "<i2", ">i4", "<u4", "|i1", "|u1", ">i8", "<u8", ">u2"):
        dtype = np.dtype(descr)
        file = "npy_" + descr.replace("<", "le_").replace(">", "be_").replace("|", "") + ".npy"
        array = (np.abs(values) if dtype.kind == "u" else values).astype(dtype)
        np.save(HERE / file, array)
        assert np.load(HERE / file).dtype == dtype
        expect(file, np.load(HERE / file))
    np.save(HERE / "fortran.npy", np.asfortranarray(values))
    expect("fortran.npy", values)
    np.save(HERE / "line.npy", values[0])
    expect("line.npy", values[:1])
    with open(HERE / "version2.npy", "wb") as file:
        np.lib.format.write_array(file, values, version=(2, 0))
    expect("version2.npy", values)
    with open(HERE / "version3.npy", "wb") as file:
        np.lib.format.write_array(file, values, version=(3, 0))
    expect("version3.npy", values)
    np.save(HERE / "three.npy", values.reshape(2, 4, 5))
    refuse("three.npy", "it has the shape [2, 4, 5], and a recording has [samples] or [channels, samples]")
    for file, array, name in (
        ("object.npy", np.array([1, "a"], dtype=object), "|O"), ("truth.npy", values > 0, "|b1"),
        ("complex.npy", values + 1j, "<c16"), ("text.npy", np.array(["a", "bc"]), "<U2"),
        ("fields.npy", np.zeros(3, dtype=[("a", "f4"), ("b", "i2")]), "with fields"),
    ):
        np.save(HERE / file, array)
        refuse(file, f"its numbers have NumPy's type {name}, which is not supported: convert it to float32")
    np.save(HERE / "tall.npy", np.zeros((66, 65), dtype=np.int8))
    refuse("tall.npy", "its shape is [66, 65], and neither axis is clearly the channels: "
           "save it as [channels, samples], with at most as many channels as samples")


def npz():
    values = rng.normal(size=(2, 70)).astype(np.float32)
    arrays = {"X1_DE_time": values, "X1_FE_time": np.asfortranarray(values[::-1]), "rate": np.array(12000.0),
              "label": np.array("ball")}
    for file, save in (("stored.npz", np.savez), ("deflated.npz", np.savez_compressed)):
        save(HERE / file, **arrays)
        expect(file, values, variable="DE_time")
        expect(file, values[::-1], variable="X1_FE_time")
        refuse(file, "the variable to read is ambiguous: name one of X1_DE_time, X1_FE_time")
        refuse(file, "the variable label is of NumPy's type <U4, and no array of numbers", variable="label")
    np.savez(HERE / "single.npz", values[0, :20])
    expect("single.npz", values[:1, :20], ["arr_0"])
    with zipfile.ZipFile(HERE / "bzip2.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.write(HERE / "line.npy", "x.npy")
    refuse("bzip2.npz", "x is compressed by method 12, which is not supported: save it with numpy.savez_compressed")


def expect_sound(file, notice=None, samples=30):
    """Expected numbers are soundfile's (libsndfile's)."""
    read, rate = soundfile.read(HERE / file, always_2d=True)
    assert len(read) == samples, file
    expect(file, read.T, rate=float(rate))
    EXPECTED[-1]["notice"] = notice


def wav():
    """Expected numbers are soundfile's (libsndfile's), as 64-bit floats."""
    values = np.clip(rng.normal(size=(30, 2)) / 3, -1, 1 - 2 ** -15)
    values[0] = (-1, 1 - 2 ** -15)
    made = []
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        for kind in ("WAV", "WAVEX"):
            file = f"{kind}_{subtype}.wav".lower()
            soundfile.write(HERE / file, values, 48000, subtype=subtype, format=kind)
            made.append(file)
    for kind in (np.uint8, np.int16, np.int32, np.float32, np.float64):
        scaled = values if np.dtype(kind).kind == "f" else values * 100 + (100 if kind == np.uint8 else 0)
        file = f"scipy_{np.dtype(kind).name}.wav"
        scipy.io.wavfile.write(HERE / file, 12000, scaled.astype(kind)[:, 0])
        made.append(file)
    source = HERE / "wav_pcm_32.wav"
    for bits in (8, 16, 24, 32):
        file = f"sox_{bits}.wav"
        subprocess.run(["sox", "-D", source, "-b", str(bits), HERE / file], check=True)
        made.append(file)
    piped = subprocess.run(["sox", "-D", source, "-b", "16", "-t", "wav", "-"], check=True, capture_output=True)
    (HERE / "sox_pipe.wav").write_bytes(piped.stdout)
    made.append("sox_pipe.wav")
    for encoding in ("u-law", "a-law"):
        subprocess.run(["sox", "-V1", source, "-c", "1", "-e", encoding, "-b", "8", HERE / f"sox_{encoding}.wav"], check=True)
        made.append(f"sox_{encoding}.wav")
    for file in made:
        expect_sound(file)
    for encoding, bits, codec in (("ms-adpcm", 4, "Microsoft ADPCM"), ("ima-adpcm", 4, "IMA ADPCM"), ("gsm-full-rate", 16, "GSM 6.10")):
        file = f"sox_{encoding}.wav"
        arguments = ["-e", encoding] + ([] if bits == 16 else ["-b", str(bits)])
        subprocess.run(["sox", "-V1", source, "-c", "1", *arguments, HERE / file], check=True)
        refuse(file, f"it is a WAV file of {codec}, which is not supported: "
               "save it as PCM of 8, 16, 24 or 32 bits, or as floats")


def csv():
    values = rng.normal(size=(30, 2)).astype(np.float32)
    np.savetxt(HERE / "savetxt.csv", values, header="two channels, of noise")  # blanks between columns
    expect("savetxt.csv", np.loadtxt(HERE / "savetxt.csv").T)
    np.savetxt(HERE / "comma.csv", values, delimiter=",", fmt="%.9g", header="de,fe", comments="")
    expect("comma.csv", np.loadtxt(HERE / "comma.csv", delimiter=",", skiprows=1).T, ["de", "fe"])
    german = "\r\n".join(
        ["Zeit [s];Antrieb;Lüfter"] + [f"{i / 1000};{a:.9g};{b:.9g}".replace(".", ",") for i, (a, b) in enumerate(values)])
    (HERE / "german.csv").write_bytes(b"\xef\xbb\xbf" + german.encode() + b"\r\n\r\n")
    expect("german.csv", [[float(f"{x:.9g}") for x in column] for column in values.T], ["Antrieb", "Lüfter"], 1000.0)
    (HERE / "tabs.tsv").write_text("t (s)\tx\n" + "".join(f"{i}\t{x:.9g}\n" for i, x in enumerate(values[:, 0])))
    expect("tabs.tsv", [[float(f"{x:.9g}") for x in values[:, 0]]], ["x"], 1.0)


for make in (mat, npy, npz, wav, csv, sound):
    make()
for path in HERE.glob("*.mat"):
    # Without the date, so that the same files come out each time.
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + path.read_bytes()[116:])
(HERE / "expected.json").write_text("[\n" + ",\n".join(json.dumps({k: v for k, v in e.items() if v is not None}) for e in EXPECTED) + "\n]\n")
