#!/usr/bin/env python3
"""The first published DRSN program, rebuilt in Keras 3: trains on noisy MNIST and exports ONNX.

    pip install keras tensorflow-cpu tf2onnx pillow
    examples/seed_keras.py target/data/mnist --epochs 1
    drsn-serve import drsn.onnx --labels 0,1,2,3,4,5,6,7,8,9 --out models/seed/1 \
        --scale 0-255 --std 170 --sample digits/7/*.png --expect out.npy --check-statistics digits

It prints the accuracy with the running statistics of batch normalisation, with those of each test
batch, which the first program printed, and with the mean of the statistics over batches of training
data, which are exported. With --running the running statistics are exported, as Keras does it.
"""

import argparse
import pathlib

import keras
import numpy
from keras import layers, ops
from PIL import Image


def read(folder, part):
    pixels = (folder / f"{part}-images-idx3-ubyte").read_bytes()[16:]
    labels = (folder / f"{part}-labels-idx1-ubyte").read_bytes()[8:]
    images = numpy.frombuffer(pixels, numpy.uint8).reshape(-1, 28, 28, 1).astype("float32") / 255
    return images, numpy.frombuffer(labels, numpy.uint8).astype(int)


def decay():
    return keras.regularizers.l2(1e-4)


def convolution(channels, stride=1):
    return layers.Conv2D(channels, 3, strides=stride, padding="same",
                         kernel_initializer="he_normal", kernel_regularizer=decay())


def dense(width, **options):
    options = {"kernel_initializer": "he_normal"} | options
    return layers.Dense(width, kernel_regularizer=decay(), **options)


def activated(x):
    return layers.ReLU()(layers.BatchNormalization()(x))


def unit(x, channels, stride):
    shortcut = layers.AveragePooling2D(1, stride)(x)
    y = convolution(channels, stride)(activated(x))
    y = convolution(channels)(activated(y))
    magnitude = layers.Lambda(ops.abs)(y)
    mean = layers.GlobalAveragePooling2D()(magnitude)
    scale = dense(channels)(mean)
    scale = dense(channels, activation="sigmoid", kernel_initializer="glorot_uniform")(
        activated(scale))
    threshold = layers.Reshape((1, 1, channels))(layers.multiply([mean, scale]))
    rest = layers.subtract([magnitude, threshold])
    rest = layers.maximum([rest, layers.subtract([rest, rest])])
    return layers.add([layers.multiply([layers.Lambda(ops.sign)(y), rest]), shortcut])


def network():
    inputs = layers.Input((28, 28, 1))
    x = activated(unit(convolution(8)(inputs), 8, 2))
    outputs = dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs)


def keep_normalizations(model):
    """Makes the exporter write each batch normalisation as one node, with mean and variance."""
    import tensorflow

    def keep(norm):
        def call(x, training=None, mask=None):
            four = x if len(x.shape) == 4 else tensorflow.reshape(x, (-1, 1, 1, x.shape[-1]))
            y = tensorflow.compat.v1.nn.fused_batch_norm(
                four, norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance,
                epsilon=norm.epsilon, is_training=False)[0]
            return tensorflow.reshape(y, tensorflow.shape(x))
        norm.call = call

    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            keep(layer)
    model.make_predict_function(force=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mnist", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--running", action="store_true", help="export the running statistics")
    options = parser.parse_args()
    keras.utils.set_random_seed(1)
    random = numpy.random.default_rng(1)
    (images, labels), (tests, answers) = (read(options.mnist, p) for p in ("train", "t10k"))
    images, tests = (x + 0.5 * random.random(x.shape, "float32") for x in (images, tests))

    model = network()
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images, labels, batch_size=100, epochs=options.epochs, verbose=2)

    def accuracy():
        return (model.predict(tests, batch_size=500, verbose=0).argmax(1) == answers).mean()

    print(f"accuracy with running statistics: {accuracy():.4f}")
    running = model.get_weights()
    # This changes the running statistics.
    batches = [model(tests[at:at + 100], training=True) for at in range(0, len(tests), 100)]
    found = numpy.concatenate([ops.convert_to_numpy(batch) for batch in batches]).argmax(1)
    print(f"accuracy with those of each test batch: {(found == answers).mean():.4f}")
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    for number in range(100):
        for norm in norms:
            norm.momentum = number / (number + 1)
        model(images[number * 200:(number + 1) * 200], training=True)
    print(f"accuracy with the mean over training batches: {accuracy():.4f}")
    if options.running:
        model.set_weights(running)

    pixels = (255 / 1.5 * tests[:3000, ..., 0]).round().astype("uint8")
    for number, picture in enumerate(pixels):
        folder = pathlib.Path("digits", str(answers[number]))
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number:04}.png")
    sevens = pixels[answers[:3000] == 7, ..., None].astype("float32") * 1.5 / 255
    keep_normalizations(model)
    numpy.save("out.npy", model.predict(sevens, verbose=0))
    model.export("drsn.onnx", format="onnx")


if __name__ == "__main__":
    main()
