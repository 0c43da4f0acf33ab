"""Writes the files of this folder: three inputs of two channels and four samples, with labels of every kind.

Run it in this folder with NumPy and SciPy: `python make.py`. The files are committed; it is only needed to add one.
"""

import numpy as np
import scipy.io

X = np.arange(24, dtype=np.float64).reshape(3, 2, 4)
TEXTS = np.array(["new", "worn ß", "new"])

np.savez(
    "kinds.npz",
    X=X, fortran=np.asfortranarray(X.astype(np.float32)), big=X.astype(">i2"),
    integers=np.array([20240315001, -3, 20240315001]), floats=np.array([0.0, 1.5, np.nan]), truths=np.array([True, False, True]),
    texts=TEXTS, big_texts=TEXTS.astype(">U6"), bytes=np.array([b"a", b"bc", b"a"]), objects=np.array(["a", "b", "a"], dtype=object),
    complex=X * 1j, empty=np.array(["", "", ""], dtype="U0"),
)
np.savez_compressed("packed.npz", X=X, texts=TEXTS)

cell = np.empty((3, 1), dtype=object)
cell[:, 0] = ["new", "worn ß", "new"]
mixed = np.empty((1, 3), dtype=object)
mixed[0, :] = [1.0, "worn", ""]
wrong = np.empty((1, 2), dtype=object)
wrong[0, :] = ["a", np.array([1.0, 2.0])]
content = {
    "X": X, "integers": np.array([[7], [-3], [7]], dtype=np.int32), "truths": np.array([True, False, True]), "texts": TEXTS,
    "cell": cell, "mixed": mixed, "wrong": wrong, "complex": X * 1j, "structure": {"a": 1.0},
}
for name, packed in (("plain.mat", False), ("packed.mat", True)):
    scipy.io.savemat(name, content, do_compression=packed, oned_as="column")
scipy.io.savemat("four.mat", {"X": X[:, 0], "texts": np.array(["new", "worn", "new"]), "y": np.array([1.0, 2.0, 1.0])}, format="4")
np.save("X_train.npy", X)
