"""Tables that pandas writes, with random options."""

import csv
import io

import numpy as np
import pandas as pd

from common import case, signal

NAMES = [
    "x", "accel", "ch1", "Channel A", "Vibration (g)", "Beschleunigung [m/s²]", "0", "1", "2020", "3.5", "drive_end", "DE_time",
    "temp °C", "a,b", "a;b", "a b", 'q"uote', "Spannung/V", "RPM", "T", "y", "value", "Value", "signal", "x.1", "nan", "e5", "-",
]


def frame(random):
    """A frame of signals, and the names of those of its columns that are no signals."""
    rows = random.choice([2, 3, 5, 12, 40, 90, 300])
    names = random.sample(NAMES, random.choice([1, 1, 1, 2, 3, 6]))
    columns = {name: signal(random, rows) for name in names}
    for name in names:
        if random.random() < 0.15:
            columns[name] = np.round(columns[name] * 100).astype(np.int64)
        if random.random() < 0.05:
            columns[name] = columns[name].astype(np.float32)
    others, rate = [], None
    if random.random() < 0.3:
        rate = random.choice([1.0, 50.0, 1000.0, 12_000.0, 48_000.0])
        name, factor = random.choice([("time [s]", 1), ("t_ms", 1e3), ("Time (us)", 1e6), ("Zeit (s)", 1)])
        columns = {name: np.arange(rows) / rate * factor, **columns}
        others.append(name)
    if random.random() < 0.1:
        columns["label"] = [random.choice(["good", "bad"]) for _ in range(rows)]
        others.append("label")
    if random.random() < 0.05:
        columns["flag"] = [random.random() < 0.5 for _ in range(rows)]
        others.append("flag")
    table = pd.DataFrame(columns)
    if random.random() < 0.08:
        table.iloc[random.randrange(rows), table.columns.get_loc(names[0])] = np.nan
    if random.random() < 0.1:
        stamps = pd.date_range("2024-02-29 23:59:59", periods=rows, freq=random.choice(["1ms", "100us", "1s", "250ms"]))
        table.index = stamps
    return table, names, others, rate


def options(random):
    separator = random.choice([",", ",", ",", ";", ";", "\t", "|", " ", ":"])
    chosen = {
        "sep": separator,
        "index": random.random() < 0.4,
        "header": random.random() < 0.8,
        "decimal": random.choice([".", ".", ".", ","]),
        "float_format": random.choice([None, None, "%.3f", "%.6e", "%g", "%.10f", "%8.3f", "%+.4f"]),
        "quoting": random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        "lineterminator": random.choice(["\n", "\n", "\r\n", "\r"]),
        "na_rep": random.choice(["", "NaN", "null", "-"]),
        "encoding": random.choice(["utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16", "latin-1"]),
        "quotechar": random.choice(['"', '"', '"', "'"]),
    }
    if chosen["index"] and random.random() < 0.3:
        chosen["index_label"] = random.choice(["index", "n", "sample", "time", False])
    return chosen


def write(random, folder, number):
    table, names, others, rate = frame(random)
    chosen = options(random)
    ending = random.choice([".csv", ".csv", ".csv", ".txt", ".tsv", ".dat", ".csv.gz"])
    file = number + ending
    preamble = random.random() < 0.1 and "# written by pandas\n# 2024-02-29\n" or ""
    text = io.StringIO(newline="")
    try:
        table.to_csv(text, **chosen)
        encoded = (preamble + text.getvalue()).encode(chosen["encoding"])
    except (UnicodeEncodeError, csv.Error):
        return []
    if ending.endswith(".gz"):
        import gzip
        encoded = gzip.compress(encoded)
    (folder / file).write_bytes(encoded)
    numbers = all(name.replace(".", "").isdigit() for name in names) and not others and not chosen["index"]
    whole = all(np.asarray(table[name].fillna(0.5) % 1 == 0).all() for name in names)
    if chosen["header"] and numbers and (whole or chosen["float_format"] in (None, "%g")):
        # Nobody can tell such names from samples of the same form.
        return []
    if chosen["decimal"] == "," and "," in names[0] and table.shape[1] == 1 and not chosen["index"]:
        # `a,b` above `0,5900` are two columns for everybody who does not know better.
        return []
    if len(table) < 12:
        # Rounded times say little of a rate.
        rate = None
    shown = {key: value for key, value in chosen.items() if value not in (None, False)}
    about = f"{shown} {table.shape} {names} {others}"
    # Read back with the same options, as the one who wrote it would; without a label, pandas finds the index itself.
    try:
        again = pd.read_csv(
            io.StringIO(text.getvalue()), sep=chosen["sep"], decimal=chosen["decimal"], quotechar=chosen["quotechar"],
            index_col=0 if chosen["index"] and chosen.get("index_label") is not False else None,
            header=0 if chosen["header"] else None, float_precision="round_trip", na_values=["-"],
        )
    except pd.errors.ParserError:
        # pandas cannot read some of its own files with \r as line end.
        return []
    if again.shape != table.shape:
        return []
    again.columns = table.columns
    try:
        signals = [again[name].astype(float).to_numpy() for name in names]
    except ValueError:
        if not table[names].isna().any(axis=None):
            # Nor numbers with blanks before them, behind \r.
            return []
        signals = None
    cases = [case(file, signals, about, names if chosen["header"] else None, rate if chosen["header"] else None)]
    if chosen["header"]:
        name = random.choice(names)
        if not name.isdigit() and "," not in name:
            at = names.index(name)
            cases.append(case(file, signals and [signals[at]], about, [name], None, channel=[name]))
    return cases
