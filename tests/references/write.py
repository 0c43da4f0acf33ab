"""Writes files of one kind with random content and options, and cases.json: what the program that wrote each reads from it.

python write.py KIND COUNT SEED FOLDER

KIND is a module beside this one. A case is an object: the file, what chooses a part of it, and the channels, their names and
the sample rate that are right, or null for channels that no reader of real signals can know.
Exits with 77 if a package is missing.
"""

import importlib
import json
import sys
import warnings
from pathlib import Path

import random


def main(kind, count, seed, folder):
    try:
        module = importlib.import_module(kind)
    except ImportError as error:
        print(f"{error}: pip install -r tests/requirements.txt", file=sys.stderr)
        return 77
    warnings.simplefilter("ignore")
    cases = []
    for number in range(int(count)):
        # Each file has a seed of its own, so that one can be written again alone.
        cases += module.write(random.Random(f"{kind} {seed} {number}"), Path(folder), f"{number}")
    (Path(folder) / "cases.json").write_text(json.dumps(cases, allow_nan=True).replace("NaN", "null"))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
