"""MAT-files that SciPy writes: versions 4 and 5, packed or not, with structures and cells in each other."""

import numpy as np
import scipy.io
import scipy.sparse

from common import case, signal

TYPES = ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8", "f8", "f8"]
SHAPES = [(1, 1), (70, 1), (1, 70), (70, 2), (2, 70), (3, 3), (90, 64), (90, 65), (65, 90), (0, 0), (0, 4), (5,), (80,), (2, 3, 4), ()]
NAMES = ["x", "DE_time", "X097_FE_time", "gs", "fs", "Data", "time", "a", "RPM", "y2", "signal"]


def numbers(random):
    shape = random.choice(SHAPES)
    size = int(np.prod(shape, dtype=int))
    with np.errstate(all="ignore"):
        return signal(random, max(size, 1))[:size].reshape(shape).astype(random.choice(TYPES))


def leaf(random):
    other = random.random()
    if other < 0.75:
        return numbers(random)
    return random.choice([
        "text", "", numbers(random).astype(complex) + 1j, scipy.sparse.csc_matrix(np.eye(4)), np.ones((70, 1), dtype=bool),
        float("nan"), 3.5, 7, np.array(["ab", "cd"]),
    ])


def tree(random, depth):
    """A leaf, a structure, an array of structures or a cell."""
    if depth == 0 or random.random() < 0.4:
        return leaf(random)
    kind = random.choice(["structure", "structure", "cell", "array"])
    if kind == "structure":
        return {name: tree(random, depth - 1) for name in random.sample(NAMES, random.randint(1, 3))}
    if kind == "cell":
        cell = np.empty(random.choice([(1, 2), (2, 1), (2, 2), (1, 1), (3,)]), dtype=object)
        for index in np.ndindex(cell.shape):
            cell[index] = tree(random, depth - 1)
        return cell
    names = random.sample(NAMES, random.randint(1, 2))
    array = np.empty(random.choice([(1, 2), (2, 1), (1, 3), (2, 2)]), dtype=[(name, object) for name in names])
    for index in np.ndindex(array.shape):
        for name in names:
            array[index][name] = leaf(random)
    return array


def leaves(path, value):
    """The paths of all values in what SciPy has read, and the values."""
    if isinstance(value, np.ndarray) and value.dtype.names:
        several = value.size != 1
        for place, element in enumerate(value.ravel(order="F")):
            inner = f"{path}[{place}]" if several else path
            for name in value.dtype.names:
                yield from leaves(f"{inner}.{name}", element[name])
    elif isinstance(value, np.ndarray) and value.dtype == object:
        for place, element in enumerate(value.ravel(order="F")):
            yield from leaves(f"{path}[{place}]", element)
    else:
        yield path, value


def channels(value):
    """The channels of what SciPy has read; None if it is no array of real numbers."""
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or value.ndim != 2 or value.size == 0:
        return None
    rows, columns = value.shape
    return list(value.T if rows >= columns else value)


def write(random, folder, number):
    file = number + random.choice([".mat", ".mat", ".dat"])
    version = random.choice(["4", "5", "5", "5"])
    names = random.sample(NAMES, random.randint(1, 4))
    if version == "4":
        content = {name: leaf(random) for name in names}
        for name, value in content.items():
            if np.ndim(value) > 2 or np.size(value) == 0 or getattr(value, "dtype", None) in ("i8", "u8", "i1", "u4"):
                content[name] = signal(random, 70)
        extra = {"format": "4"}
    else:
        content = {name: tree(random, random.randint(0, 3)) for name in names}
        extra = {"do_compression": random.random() < 0.5, "long_field_names": random.random() < 0.3}
    try:
        scipy.io.savemat(folder / file, content, oned_as=random.choice(["row", "column"]), appendmat=False, **extra)
    except (TypeError, ValueError):
        # SciPy cannot write an empty text in version 4.
        return []
    # SciPy warns of logical values only by their type: all are read as what MATLAB would have.
    read = scipy.io.loadmat(folder / file, appendmat=False, chars_as_strings=True)
    found = [(path, value) for name in names for path, value in leaves(name, read[name])]
    truth = {name for name in names if version == "5" and getattr(content[name], "dtype", None) == bool}
    cases = []
    for path, value in random.sample(found, min(len(found), 6)):
        right = None if path in truth or path.split("[")[0].split(".")[0] in truth else channels(value)
        about = f"version {version} {path} {getattr(value, 'dtype', type(value))} {np.shape(value)}"
        cases.append(case(file, right, about, variable=path))
    return cases
