"""Arrays that NumPy writes: of every type, order and shape, alone and in archives."""

import numpy as np

from common import case, generator, oriented, signal

REAL = ["i1", "u1", "<i2", ">i2", "<u2", ">u2", "<i4", ">i4", "<u4", ">u4", "<i8", ">i8", "<u8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]
OTHER = ["<c8", ">c16", "?", "<U3", "S4", "<M8[us]", "<m8[s]", "g", "O", [("a", "<f4"), ("b", "<f4")], [("a", "<f8")], "V8"]
SHAPES = [
    (), (0,), (1,), (7,), (64,), (500,), (1, 80), (80, 1), (2, 80), (80, 2), (3, 3), (64, 65), (65, 64), (90, 64), (90, 65),
    (0, 5), (5, 0), (1, 1), (2, 1), (1, 2), (2, 3, 40), (1, 1, 80), (40, 3, 2), (2, 2, 2, 8),
]


def array(random):
    kind = random.choice(REAL) if random.random() < 0.8 else random.choice(OTHER)
    shape = random.choice(SHAPES)
    size = int(np.prod(shape, dtype=int))
    values = signal(random, max(size, 1))[:size].reshape(shape)
    if isinstance(kind, list):
        filled = np.zeros(shape, dtype=kind)
        for name in filled.dtype.names:
            filled[name] = values
        return filled
    if kind in ("<M8[us]", "<m8[s]"):
        return values.astype(np.int64).astype(kind)
    if kind == "V8":
        return np.zeros(shape, dtype=kind)
    with np.errstate(all="ignore"):
        filled = np.asarray(values * (1000 if random.random() < 0.5 else 1)).astype(kind)
    if filled.dtype.kind == "f" and size and random.random() < 0.05:
        filled.reshape(-1)[generator(random).integers(size)] = random.choice([np.nan, np.inf])
    return filled


def laid_out(random, values):
    """The same numbers in another order in memory."""
    how = random.choice(["C", "F", "strided", "reversed"])
    if how == "F":
        return np.asfortranarray(values)
    if how == "strided" and values.ndim:
        return np.repeat(values, 2, axis=-1)[..., ::2]
    if how == "reversed" and values.ndim:
        return values[::-1][::-1]
    return values


def channels(values):
    """What is in an array; None if it is no recording."""
    if values.dtype.kind not in "iuf" or values.dtype.itemsize > 8 or values.ndim not in (1, 2) or values.size == 0:
        return None
    return list(oriented(values))


def write(random, folder, number):
    if random.random() < 0.5:
        file = number + random.choice([".npy", ".npy", ".bin"])
        values = laid_out(random, array(random))
        with (folder / file).open("wb") as opened:
            version = random.choice([None, None, (1, 0), (2, 0), (3, 0)])
            np.lib.format.write_array(opened, values, version=version)
        again = np.load(folder / file, allow_pickle=True)
        return [case(file, channels(again), f"{values.dtype} {values.shape} {version}")]
    file = number + ".npz"
    names = random.sample(["x", "y", "DE_time", "fs", "signal", "a/b", "ä", "arr_0", "x.npy", "time"], random.randint(1, 4))
    arrays = {name: laid_out(random, array(random)) for name in names}
    random.choice([np.savez, np.savez_compressed])(folder / file, **arrays)
    archive = np.load(folder / file, allow_pickle=True)
    # NumPy takes "x" and "x.npy" for one name.
    return [
        case(file, channels(archive[name]), f"{name} of {[(n, str(a.dtype), a.shape) for n, a in arrays.items()]}", variable=name)
        for name in names if not {name, name + ".npy"} <= set(names) and not name.endswith(".npy")
    ]
