"""Writes the recordings of this folder, and expected.json: the numbers that NumPy and SciPy read from them.

Run it in this folder with NumPy, SciPy and SoX: `python make.py`. The files are committed; it is only needed to add one.
"""

import json
import struct
import zlib
from pathlib import Path

import numpy as np
import scipy.io

HERE = Path(__file__).parent
EXPECTED = []
rng = np.random.default_rng(7)


def expect(file, channels, names=None, rate=None, variable=None):
    channels = [np.asarray(c, dtype=np.float64).tolist() for c in channels]
    EXPECTED.append({
        "file": file, "variable": variable, "channels": channels,
        "names": names or [None] * len(channels), "sample_rate_hz": rate, "error": None,
    })


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
        refuse(file, f"name the variable to be read: it could be {names}, complex, cube")
        refuse(file, f"name the variable to be read: it could be {names}", "E_time")
        refuse(file, 'it has no numeric variable named "BA_time" or ending so; '
               f"it has {names}, X097RPM, complex, cube", "BA_time")
        refuse(file, "the variable complex holds complex numbers: save their real part or magnitude", "complex")
        refuse(file, "the variable cube has more than two axes: save it as samples x channels", "cube")
    scipy.io.savemat(HERE / "wide.mat", {"wide": wide})
    expect("wide.mat", wide)
    scipy.io.savemat(HERE / "tall.mat", {"tall": wide.T, "rate": 48000.0})
    expect("tall.mat", wide)
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
    refuse("v73.mat", "it is a MAT-file of version 7.3 (HDF5), which is not read: save it with `-v7`")


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


mat()
(HERE / "expected.json").write_text("[\n" + ",\n".join(json.dumps(e) for e in EXPECTED) + "\n]\n")
