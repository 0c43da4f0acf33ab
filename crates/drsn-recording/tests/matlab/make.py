"""Writes the files of this folder, and expected.json: the numbers that SciPy and NumPy read from them.

Run it in this folder with NumPy and SciPy: `python make.py`. The files are committed; it is only needed to add one.
"""

import json
import struct
from pathlib import Path

import numpy as np
import scipy.io
import scipy.sparse

HERE = Path(__file__).parent
ARRAYS = []
CASES = []
rng = np.random.default_rng(11)


def signal(length, seed=0):
    """Whole numbers, so that files and expectations are short."""
    return np.random.default_rng(seed).integers(-99, 99, size=(length, 1)).astype(float)


def expect(file, channels, source=None, variable=None, rate_variable=None, rate=None, notices=()):
    channels = [[int(x) if x == int(x) else float(str(np.float32(x))) for x in np.asarray(c).ravel()] for c in channels]
    if channels not in ARRAYS:
        ARRAYS.append(channels)
    CASES.append({
        "file": file, "variable": variable, "rate_variable": rate_variable, "array": ARRAYS.index(channels), "source": source,
        "sample_rate_hz": rate, "notices": list(notices) or None,
    })


def refuse(file, error, variable=None, rate_variable=None):
    CASES.append({"file": file, "variable": variable, "rate_variable": rate_variable, "error": error})


def load(file):
    return scipy.io.loadmat(HERE / file)


def bearing():
    """As the MFPT bearing data are kept."""
    content = {"bearing": {"sr": 97656.25, "gs": signal(300), "load": 270.0, "rate": 25, "name": "inner race", "notes": []}}
    for file, packed in (("bearing_plain.mat", False), ("bearing_packed.mat", True)):
        scipy.io.savemat(HERE / file, content, do_compression=packed, oned_as="column")
        loaded = load(file)["bearing"][0, 0]
        gs = [loaded["gs"]]
        expect(file, gs, "bearing.gs")
        for variable in ("gs", "bearing.gs", "bearing[0].gs", "bearing(1).gs"):
            expect(file, gs, "bearing.gs", variable)
        rate = float(loaded["sr"][0, 0])
        for rate_variable in ("bearing.sr", "sr", "bearing(1).sr"):
            expect(file, gs, "bearing.gs", None, rate_variable, rate)
        expect(file, [loaded["sr"]], "bearing.sr", "sr", "sr", rate)
        fields = "bearing.sr, bearing.gs, bearing.load, bearing.rate"
        none = f'it has no numeric variable named "%s" or ending with that name; it has {fields}'
        for variable in ("bearing", "bearing.x", "bearing[1].gs", "gs[0]", "gs(1)", "x.bearing.gs"):
            refuse(file, none % variable, variable)
        refuse(file, none % "fs", None, "fs")
        refuse(file, "the variable bearing.name is text, and no array of numbers", "name")
        refuse(file, "the variable bearing.name is text, and no array of numbers", None, "name")
        refuse(file, "the variable bearing.notes is empty, and no array of numbers", "notes")
        refuse(file, "the variable bearing.gs has 300 numbers, and a sample rate is one", None, "gs")


def paderborn():
    """As the Paderborn bearing data are kept, with fewer samples."""
    def entry(name, data, raster, unit):
        return (name, 1.0, f"Mess/{name}", raster, unit, data.T)
    kinds = [(field, object) for field in ("Name", "Type", "Path", "Raster", "Unit", "Data")]
    y = [entry(name, signal(length, seed), raster, unit) for seed, (name, length, raster, unit) in enumerate((
        ("force", 70, "Mech_4kHz", "N"), ("phase_current_1", 80, "HostService", "A"), ("phase_current_2", 80, "HostService", "A"),
        ("speed", 70, "Mech_4kHz", "rpm"), ("temp_2_bearing_module", 1, "Temp_1Hz", "C"), ("torque", 70, "Mech_4kHz", "Nm"),
        ("vibration_1", 3000, "HostService", "m/s^2")))]
    x = [entry("Time", np.arange(70.0)[:, None], "Mech_4kHz", "s"), entry("Time_1Hz", np.arange(5.0)[:, None], "Temp_1Hz", "s")]
    content = {"N15_M01_F10_KA01_1": {
        "Info": {"Date": "2015", "Location": []}, "X": np.array(x, dtype=kinds)[None],
        "Y": np.array(y, dtype=kinds)[None], "Description": {"General": {"Name": "KA01"}},
    }}
    file = "paderborn.mat"
    scipy.io.savemat(HERE / file, content, do_compression=True)
    loaded = load(file)["N15_M01_F10_KA01_1"][0, 0]["Y"]
    root = "N15_M01_F10_KA01_1"
    for variable in (f"{root}.Y[6].Data", f"{root}.Y(7).Data", "Y[6].Data", "Y(7).Data", f"{root}(1).Y(7).Data", "[6].Data"):
        expect(file, [loaded[0, 6]["Data"]], f"{root}.Y[6].Data", variable)
    expect(file, [loaded[0, 0]["Data"]], f"{root}.Y[0].Data", "Y(1).Data")
    likely = [f"{root}.X[0].Data"] + [f"{root}.Y[{i}].Data" for i in (0, 1, 2, 3, 5, 6)]
    refuse(file, f"the variable to read is ambiguous: name one of {', '.join(likely)}")
    data = [f"{root}.X[{i}].Data" for i in range(2)] + [f"{root}.Y[{i}].Data" for i in range(7)]
    refuse(file, f"the variable to read is ambiguous: name one of {', '.join(data)}", "Data")
    refuse(file, f"the variable {root}.Y[6].Name is text, and no array of numbers", "Y[6].Name")


def nested():
    grid = np.empty((2, 3), dtype=[("d", object)])
    for row in range(2):
        for column in range(3):
            grid[row, column] = (signal(70, 10 * row + column),)
    runs = np.empty((1, 2), dtype=object)
    runs[0, 0] = {"x": signal(66, 40), "fs": np.int32(12000)}
    runs[0, 1] = {"x": signal(66, 41), "fs": np.int32(-5)}
    pair = np.empty((1, 3), dtype=object)
    pair[0, :] = ["left", signal(65, 42), np.zeros((0, 0))]
    deep = signal(64, 43)
    for level in range(10):
        deep = {f"d{level}": deep}
    content = {"grid": grid, "runs": runs, "pair": pair, "deep": deep, "X_gs": signal(64, 44), "truth": np.ones((1, 70), dtype=bool),
               "sparse": scipy.sparse.csc_matrix(np.eye(70)), "wave": {"z": signal(64, 45) + 1j, "cube": np.zeros((2, 2, 64))}}
    file = "nested.mat"
    scipy.io.savemat(HERE / file, content, do_compression=True)
    loaded = load(file)
    for place, (row, column) in enumerate((row, column) for column in range(3) for row in range(2)):
        expect(file, [loaded["grid"][row, column]["d"]], f"grid[{place}].d", f"grid({place + 1}).d")
    for variable in ("pair{2}", "pair[1]", "r{2}"):
        expect(file, [loaded["pair"][0, 1]], "pair[1]", variable)
    first = loaded["runs"][0, 0][0, 0]["x"]
    expect(file, [first], "runs[0].x", "runs{1}.x", "runs{1}.fs", 12000.0)
    expect(file, [loaded["X_gs"]], "X_gs", "gs")
    refuse(file, "the sample rate in runs[1].fs is -5, and must be positive and finite", "gs", "runs{2}.fs")
    refuse(file, "the variable to read is ambiguous: name one of runs[0].fs, runs[1].fs", "gs", "fs")
    refuse(file, "the variable wave.z has complex numbers: save their real part or magnitude", "wave.z")
    refuse(file, "the variable wave.cube has more than two axes: save it as samples x channels", "cube")
    refuse(file, "the variable deep.d9.d8.d7.d6.d5.d4.d3.d2 is too deep in structures, and no array of numbers", "d2")
    refuse(file, "the variable truth is an array of truth values, and no array of numbers", "truth")
    refuse(file, "the variable sparse is a sparse matrix, and no array of numbers", "sparse")
    refuse(file, "the variable pair[2] is empty, and no array of numbers", "pair{3}")


def nested_plain():
    """Without compression, so that tests that damage files reach all of it."""
    grid = np.empty((2, 2), dtype=[("n", object), ("d", object)])
    for place, (row, column) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        grid[row, column] = (f"no {place}", signal(64, 50 + place).astype(np.int8))
    cell = np.empty((1, 2), dtype=object)
    cell[0, :] = [{"sr": 8000.0, "gs": signal(66, 60).astype(np.int8)}, "right"]
    scipy.io.savemat(HERE / "nested_plain.mat", {"grid": grid, "deep": {"c": cell}})
    loaded = load("nested_plain.mat")
    expect("nested_plain.mat", [loaded["grid"][0, 1]["d"]], "grid[2].d", "grid(3).d", "sr", 8000.0)
    gs = loaded["deep"][0, 0]["c"][0, 0][0, 0]["gs"]
    expect("nested_plain.mat", [gs], "deep.c[0].gs", "gs", "deep.c{1}.sr", 8000.0)


def words():
    scipy.io.savemat(HERE / "words.mat", {"a": "text", "b": {}, "c": {"d": "text", "e": []}})
    refuse("words.mat", "it has no array of numbers: it has only text, empty structures and empty arrays")
    refuse("words.mat", "the variable c.d is text, and no array of numbers", "d")
    scipy.io.savemat(HERE / "words_4.mat", {"a": "text"}, format="4")
    refuse("words_4.mat", "it has no array of numbers: it has only text")


def level_4():
    for kind in ("f8", "f4", "i4", "i2", "u2", "u1"):
        dtype = np.dtype(kind)
        values = rng.normal(size=64).astype(dtype) if dtype.kind == "f" else rng.integers(
            np.iinfo(dtype).min, np.iinfo(dtype).max, size=64, dtype=dtype, endpoint=True)
        file = f"v4_{kind}.mat"
        content = {"label": "x", "x": values, "fs": 25600.5, "s": scipy.sparse.csc_matrix(np.eye(9))}
        scipy.io.savemat(HERE / file, content, format="4", oned_as="row")
        assert load(file)["x"].dtype == dtype
        expect(file, [load(file)["x"]], "x", None, "fs", 25600.5)
    refuse("v4_f8.mat", "the variable label is text, and no array of numbers", "label")
    refuse("v4_f8.mat", "the variable s is a sparse matrix, and no array of numbers", "s")
    refuse("v4_f8.mat", 'it has no numeric variable named "y" or ending with that name; it has x, fs', "y")
    wide = np.hstack([signal(70, 1), signal(70, 2)])
    scipy.io.savemat(HERE / "v4_two.mat", {"both": wide, "z": signal(64, 3) + 1j}, format="4")
    expect("v4_two.mat", load("v4_two.mat")["both"].T, "both", "both",
           notices=["its shape is [70, 2], and it was read as 2 channels of 70 samples: the longer axis is time"])
    refuse("v4_two.mat", "the variable to read is ambiguous: name one of both, z")
    refuse("v4_two.mat", "the variable z has complex numbers: save their real part or magnitude", "z")
    # SciPy writes only the machine's byte order; it reads both, which checks this.
    values = np.arange(-35, 35)
    head = lambda order, kind: struct.pack(order + "5i", kind, 1, len(values), 0, 2) + b"x\0"
    (HERE / "v4_big_endian.mat").write_bytes(head(">", 1030) + values.astype(">i2").tobytes())
    assert (load("v4_big_endian.mat")["x"] == values).all()
    expect("v4_big_endian.mat", [load("v4_big_endian.mat")["x"]], "x")
    for name, order, kind in (("VAX", "<", 2000), ("Cray", ">", 4000)):
        file = f"v4_{name.lower()}.mat"
        (HERE / file).write_bytes(head(order, kind) + bytes(8 * len(values)))
        refuse(file, f"its numbers are those of a {name}, which is not supported: save it on another machine, with `-v7`")


def numpy_files():
    column = signal(80)
    np.save(HERE / "column.npy", column)
    expect("column.npy", [column])
    two = np.hstack([column, signal(80, 1)])
    for file, array in (("two_columns.npy", two), ("two_columns_fortran.npy", np.asfortranarray(two))):
        np.save(HERE / file, array)
        expect(file, two.T, notices=["its shape is [80, 2], and it was read as 2 channels of 80 samples: the longer axis is time"])
    arrays = {"x": column, "run.sr": np.array(97656.25), "one": np.array([[25600]]), "big": np.array(2**40 + 1), "zero": np.array(0.0),
              "infinite": np.array(np.inf), "label": np.array("x"), "none": np.zeros(0)}
    for file, save in (("rates.npz", np.savez), ("rates_packed.npz", np.savez_compressed)):
        save(HERE / file, **arrays)
        loaded = np.load(HERE / file)
        for name, ending in (("run.sr", "sr"), ("one", "one"), ("big", "big")):
            expect(file, [column], "x", None, ending, float(loaded[name].item()))
        refuse(file, "the sample rate in zero is 0, and must be positive and finite", None, "zero")
        refuse(file, "the sample rate in infinite is inf, and must be positive and finite", None, "infinite")
        refuse(file, "the variable x has 80 numbers, and a sample rate is one", None, "x")
        refuse(file, "the variable none has 0 numbers, and a sample rate is one", None, "none")
        refuse(file, "the variable label is of NumPy's type <U1, and no array of numbers", None, "label")


for make in (bearing, paderborn, nested, nested_plain, words, level_4, numpy_files):
    make()
for path in HERE.glob("*.mat"):
    # Without the date, so that the same files come out each time.
    data = path.read_bytes()
    if data.startswith(b"MATLAB"):
        path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(116) + data[116:])
line = lambda values: "[\n" + ",\n".join(json.dumps(value, separators=(",", ":")) for value in values) + "\n]"
cases = [{key: value for key, value in case.items() if value is not None} for case in CASES]
(HERE / "expected.json").write_text(f'{{"arrays": {line(ARRAYS)},\n"cases": {line(cases)}}}\n')
