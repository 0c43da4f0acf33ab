"""Shared by the scripts: inputs, the answer of POST /classify as reference, and the exit code for missing packages."""

import json
import sys
import urllib.request

MISSING_PACKAGES = 77


def missing(error):
    print(f"not installed: {error.name}", file=sys.stderr)
    sys.exit(MISSING_PACKAGES)


try:
    import numpy as np
except ModuleNotFoundError as error:
    missing(error)

HTTP, GRPC = sys.argv[1:3]
LABELS = ["plus", "minus"]
OUTPUTS = ["probabilities", "logits", "threshold.stage1.block1", "mean_abs.stage1.block1"]
# Three inputs of one channel and 8 samples.
INPUT = np.sin(np.arange(24, dtype=np.float32)).reshape(3, 1, 8) * 3


def classified():
    """Probabilities of INPUT by POST /classify, in the order of the classes."""
    body = json.dumps({"signals": INPUT.tolist()}).encode()
    request = urllib.request.Request(f"http://{HTTP}/classify", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    rows = [sorted(p["probabilities"], key=lambda c: c["class_index"]) for p in answer["predictions"]]
    return np.array([[c["probability"] for c in row] for row in rows], dtype=np.float32)


def check(found, expected=None):
    expected = classified() if expected is None else expected
    found = np.asarray(found, dtype=np.float32).reshape(expected.shape)
    assert np.allclose(found, expected, rtol=1e-5, atol=1e-6), (found, expected)


def check_classes(texts, count):
    """`value:index:label`, the largest first."""
    probabilities = classified()
    texts = np.asarray(texts).reshape(len(INPUT), count)
    for row, expected in zip(texts, probabilities):
        order = np.argsort(-expected, kind="stable")
        for text, index in zip(row, order):
            text = text.decode() if isinstance(text, bytes) else text
            value, position, label = text.split(":")
            assert int(position) == index and label == LABELS[index], text
            assert abs(float(value) - expected[index]) < 1e-6, text


def refused(call, *words):
    try:
        call()
    except Exception as error:  # Each client has exceptions of its own.
        text = str(error)
        assert all(word in text for word in words), text
        return
    raise AssertionError("the call was answered, and should have been refused")
