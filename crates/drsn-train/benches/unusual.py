#!/usr/bin/env python3
"""How well do scores tell changed inputs from unchanged ones? AUROC with 95 % bootstrap intervals.

Asks a running server for its input shift, and computes other scores from the same bundle's outputs:

    drsn-serve --models models &
    unusual.py models/bearing/1 --data CWRU --index crates/drsn-train/presets/cwru-48k.csv --fan-end
    unusual.py models/mnist/1 --data target/data/mnist --other target/data/fashion-mnist

Of several bundles the worst figure counts. Inputs of classes that a bundle does not have are a change,
too. The number behind ± is half of the interval. Needs numpy, scipy and onnxruntime.
"""

import argparse
import base64
import json
import pathlib
import urllib.request

import numpy as np
import onnxruntime

import changes


class Model:
    """A bundle, run as it is written, and the same model in a server."""

    def __init__(self, folder, server):
        self.manifest = json.loads((folder / "manifest.json").read_text())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession((folder / "model.onnx").read_bytes(), options)
        self.is_signal = self.manifest["input"]["kind"] == "signal"
        name, version = self.manifest["name"], self.manifest["version"]
        self.url = f"{server}/models/{name}/versions/{version}/classify?top_k=1"
        self.shift = self.manifest["baseline"]["shift"]

    def outputs(self, raw):
        names = [output.name for output in self.session.get_outputs()]
        prepared = self.prepared(raw)
        batches = [prepared[i : i + 100] for i in range(0, len(prepared), 100)]
        runs = [self.session.run(None, {"input": batch.astype(np.float32)}) for batch in batches]
        return {name: np.concatenate([run[at] for run in runs]) for at, name in enumerate(names)}

    def prepared(self, raw):
        if not self.is_signal:
            mean, deviation = (np.reshape(self.manifest["input"][k], (-1, 1, 1)) for k in ("mean", "std"))
            return (raw - mean) / deviation
        mean = raw.mean(-1, keepdims=True, dtype=np.float64)
        deviation = raw.std(-1, keepdims=True, dtype=np.float64)
        return (raw - mean) / np.maximum(deviation, 1e-8)

    def served(self, raw):
        """Of each raw input the score and p-value of the shift, and the p-value of the level."""
        found = []
        for i in range(0, len(raw), 50):
            batch = np.ascontiguousarray(raw[i : i + 50], "<f4")
            url = f"{self.url}&batch={len(batch)}" if self.is_signal else self.url
            headers = {"Content-Type": "application/octet-stream"}
            request = urllib.request.Request(url, batch.tobytes(), headers)
            with urllib.request.urlopen(request) as answer:
                for prediction in json.load(answer)["predictions"]:
                    shift = prediction["diagnostics"]["input_shift"]
                    level = prediction["diagnostics"]["input_level"] or {"p_value": np.nan}
                    found.append([shift["score"], shift["p_value"], level["p_value"]])
        return np.array(found).T


class Distance:
    """A squared Mahalanobis distance from the nearest centre, as in a manifest."""

    def __init__(self, fields):
        numbers = lambda text: np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)
        self.mean = numbers(fields["mean"])
        self.factor = np.zeros((len(self.mean), len(self.mean)))
        self.factor.T[np.triu_indices(len(self.mean))] = numbers(fields["factor"])
        self.centres = [numbers(centre) for centre in fields.get("centres", [])] or [0.0]

    def of(self, values):
        white = np.linalg.solve(self.factor, (values - self.mean).T).T
        return np.min([((white - centre) ** 2).sum(1) for centre in self.centres], axis=0)


class Scores:
    """All scores of inputs: the larger, the more unusual."""

    def __init__(self, model, training):
        self.model = model
        self.blocks = Distance(model.shift["distance"])
        self.features = Distance(model.shift["features"])
        step = max(1, len(training) // 5_000)
        self.known = unit(model.outputs(training[::step])["features"])

    def of(self, raw):
        outputs = self.model.outputs(raw)
        shift, p_values, level = self.model.served(raw)
        names = [block["mean_abs_output"] for block in self.model.manifest["blocks"]]
        magnitudes = np.concatenate([outputs[name] for name in names], axis=1)
        logits = outputs["logits"].astype(np.float64)
        largest = logits.max(1, keepdims=True)
        features = unit(outputs["features"])
        scores = {
            "input shift": shift,
            "block means": self.blocks.of(magnitudes),
            "features": self.features.of(features),
            "10th neighbour": self.neighbours(features),
            "energy": -(largest[:, 0] + np.log(np.exp(logits - largest).sum(1))),
            "largest probability": -outputs["probabilities"].max(1),
            "deviation": raw.reshape(len(raw), -1).std(1),
        }
        return scores | ({} if np.isnan(level).all() else {"input level": -level}), p_values

    def neighbours(self, features):
        """The squared distance from the tenth nearest training input, of features of unit length."""
        rows = []
        for i in range(0, len(features), 500):
            squares = 2 - 2 * features[i : i + 500] @ self.known.T
            rows.append(np.partition(squares, 9, axis=1)[:, 9])
        return np.concatenate(rows)


def unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def auroc(usual, changed):
    usual = np.sort(usual)
    below = np.searchsorted(usual, changed, "left") + np.searchsorted(usual, changed, "right")
    return below.mean() / 2 / len(usual)


def with_interval(usual, changed, seed, draws=300):
    """The AUROC, and half of its 95 % interval, by drawing inputs of both kinds with replacement."""
    random = np.random.default_rng(seed)
    areas = [
        auroc(random.choice(usual, len(usual)), random.choice(changed, len(changed)))
        for _ in range(draws)
    ]
    low, high = np.quantile(areas, [0.025, 0.975])
    return auroc(usual, changed), (high - low) / 2


def compared(bundle, options):
    """Of each change its name, the share of alarms, and each score's AUROC with its interval."""
    random = np.random.default_rng(options.seed)
    model = Model(bundle, options.server)
    source = (changes.Signals if model.is_signal else changes.Images)(model.manifest, options)
    level = model.manifest["baseline"]["alarm_level"]
    scores = Scores(model, source.training())
    usual, p_values = scores.of(source.test())
    yield "none", (p_values < level).mean(), {}
    for change, raw in source.changes(random):
        if options.only in change:
            found, p_values = scores.of(raw)
            areas = {name: with_interval(usual[name], found[name], options.seed) for name in usual}
            yield change, (p_values < level).mean(), areas


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundles", type=pathlib.Path, nargs="+", metavar="bundle")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the test data")
    parser.add_argument("--index", type=pathlib.Path, help="table of the recordings")
    parser.add_argument("--others", type=pathlib.Path, help="table of recordings of another load")
    parser.add_argument("--fan-end", action="store_true", help="the other sensor of CWRU's recordings")
    help_text = "another set of pictures; may be repeated"
    parser.add_argument("--other", type=pathlib.Path, action="append", default=[], help=help_text)
    parser.add_argument("--only", default="", help="only changes with this in their name")
    parser.add_argument("--server", default="http://127.0.0.1:8080")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = {}
    for bundle in options.bundles:
        for change, alarms, areas in compared(bundle, options):
            found.setdefault(change, []).append((alarms, areas))
    names = list(next((areas for rows in found.values() for _, areas in rows if areas), []))
    if not names:
        parser.error(f"no change has {options.only!r} in its name")
    print("| change | alarms | " + " | ".join(names) + " |")
    print("|---|---|" + "---|" * len(names))
    for change, rows in found.items():
        # The worst model counts: most alarms without a change, fewest with one.
        alarms = (max if change == "none" else min)(alarms for alarms, _ in rows)
        worst = [min(areas[name] for _, areas in rows) if rows[0][1] else None for name in names]
        cells = ["–" if cell is None else f"{cell[0]:.3f} ± {cell[1]:.3f}" for cell in worst]
        print(f"| {change} | {100 * alarms:.1f} % | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
