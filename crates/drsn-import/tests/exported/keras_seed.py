#!/usr/bin/env python3
"""Makes the models `keras_*` in this folder: the network of examples/seed_keras.py, trained briefly on
noisy digits and exported by Keras 3, with Keras's own probabilities, thresholds and mean magnitudes.

    pip install keras==3.15.1 tensorflow-cpu==2.21.0 tf2onnx==1.17.0 pillow
    crates/drsn-import/tests/exported/keras_seed.py target/data/mnist

`keras_seed` is exported as it is. In `keras_seed_kept` the batch normalisations are nodes of their own,
so that their statistics can be checked.
"""

import json
import pathlib
import sys

import keras
import numpy

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[3] / "examples"))
import seed_keras  # noqa: E402


def arrays(model, inputs):
    """What the network answers, with its threshold and the magnitudes before it."""
    multiplied = next(x for x in model.layers if isinstance(x, keras.layers.Multiply))
    pooled = next(x for x in model.layers if isinstance(x, keras.layers.GlobalAveragePooling2D))
    inner = keras.Model(model.inputs, [model.output, multiplied.output, pooled.output])
    probabilities, tau, mean_abs = (numpy.asarray(x) for x in inner.predict(inputs, verbose=0))
    return {"out0": probabilities, "probabilities": probabilities, "tau0": tau, "abs0": mean_abs}


def write(name, model, inputs):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    model.export(folder / "model.onnx", format="onnx", verbose=False)
    numpy.save(folder / "input.npy", inputs)
    numpy.savez(folder / "expected.npz", **arrays(model, inputs))
    notes = {"expect": {"action": "accept", "threshold_blocks": 1}}
    (folder / "notes.json").write_text(json.dumps(notes) + "\n")


def main():
    keras.utils.set_random_seed(1)
    random = numpy.random.default_rng(1)
    images, labels = seed_keras.read(pathlib.Path(sys.argv[1]), "train")
    images, labels = images[:20000], labels[:20000]
    images = images + 0.5 * random.random(images.shape, "float32")
    model = seed_keras.network()
    model.compile("adam", loss="sparse_categorical_crossentropy")
    model.fit(images, labels, batch_size=100, epochs=1, verbose=2)
    inputs = images[:4]
    write("keras_seed", model, inputs)
    seed_keras.keep_normalizations(model)
    write("keras_seed_kept", model, inputs)


if __name__ == "__main__":
    main()
