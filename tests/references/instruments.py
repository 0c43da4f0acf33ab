"""Tables as scopes, loggers and telephones write them, each as its maker's manual describes it."""

import numpy as np

from common import case, generator

RATES = [50.0, 100.0, 1000.0, 12_000.0, 25_600.0, 48_000.0, 51_200.0]


class Measurement:
    """Signals as they are written, and the times of their samples."""

    def __init__(self, random):
        rng = generator(random)
        self.rate, self.rows = random.choice(RATES), random.choice([40, 70, 300, 700])
        self.channels = np.round(rng.normal(size=(random.choice([1, 1, 2, 3]), self.rows)), 5)
        self.times = np.arange(self.rows) / self.rate + random.choice([0, 0, -self.rows / self.rate / 2])

    @property
    def names(self):
        return [f"CH{channel + 1}" for channel in range(len(self.channels))]

    def cells(self, row, form="{:.5f}"):
        return [form.format(value) for value in self.channels[:, row]]

    def lines(self, line):
        return "".join(line(row) + "\n" for row in range(self.rows))

    def table(self, separator, factor=1.0, digits=9):
        """A time and its samples in each line."""
        return self.lines(lambda row: separator.join([f"{self.times[row] * factor:.{digits}f}", *self.cells(row)]))


def tektronix(random, m):
    """Settings beside the first samples of each channel."""
    notes = [("Record Length", f"{m.rows:e}"), ("Sample Interval", f"{1 / m.rate:.9e}"), ("Trigger Point", "1.0e+01"), ("", ""),
             ("Source", "CH1"), ("Vertical Units", "V"), ("Vertical Scale", "2.0e+00"), ("Firmware Version", "FV:v10.21")]
    blocks = lambda row, note: [
        f"{note[0]},{note[1]},,{m.times[row]:017.12f},{m.channels[channel, row]:10.5f}," for channel in range(len(m.channels))]
    return m.lines(lambda row: ",".join(blocks(row, notes[row] if row < len(notes) else ("", "")))), None


def rigol(random, m):
    """The interval between samples behind the names of the channels."""
    head = f"X,{','.join(m.names)},Start,Increment,\nSequence,{','.join('Volt' for _ in m.names)},-1.0e-03,{1 / m.rate:.9e}\n"
    return head + m.lines(lambda row: f"{row},{','.join(m.cells(row))},"), m.names


def rigol_without_times(random, m):
    head = f"{','.join(m.names)},t0 =-1.0e-03, tInc = {1 / m.rate:.9e},\n"
    return head + m.lines(lambda row: ",".join(m.cells(row)) + ",,"), m.names


def keysight(random, m):
    units = ",".join("Volt" for _ in m.names)
    return f"x-axis,{','.join(m.names)}\nsecond,{units}\n" + m.table(","), m.names


def pico(random, m):
    text = f"Time,{','.join(m.names)}\n(ms),{','.join('(V)' for _ in m.names)}\n\n" + m.table(",", 1e3, 6)
    return (text.replace(",", ";").replace(".", ",") if random.random() < 0.4 else text), m.names


def labview(random, m):
    """A LabVIEW measurement file, in segments or not, with or without a column of times for each channel."""
    separator, mode, several = "\t", random.choice(["No", "One", "Multi"]), random.random() < 0.4
    head = f"LabVIEW Measurement\t\nWriter_Version\t2\nReader_Version\t2\nSeparator\tTab\nDecimal_Separator\t.\nMulti_Headings\t" \
        f"{'Yes' if several else 'No'}\nX_Columns\t{mode}\nTime_Pref\tRelative\nDate\t2024/03/12\nTime\t10:12:13.1\n***End_of_Header***\t\n\t\n"
    wide = "\t\t" if mode == "Multi" else "\t"
    of_each = lambda key, value: key + wide.join(["", *[value] * len(m.names)]).replace("\t\t", "\t", 1) + "\t\n"

    def segment(first, end):
        names = [name for channel in m.names for name in (["X_Value", channel] if mode == "Multi" else [channel])]
        names = names if mode == "Multi" else ["X_Value", *names]
        text = f"Channels\t{len(m.names)}\t\n" + of_each("Samples", str(end - first)) + of_each("Y_Unit_Label", "g") \
            + of_each("X_Dimension", "Time") + of_each("X0", "0.0E+0") + of_each("Delta_X", f"{1 / m.rate:.9E}") \
            + "***End_of_Header***\t\t\n" + separator.join([*names, "Comment"]) + "\n"
        for row in range(first, end):
            time, cells = f"{row / m.rate:.9f}", m.cells(row)
            if mode == "Multi":
                cells = [cell for value in cells for cell in (time, value)]
            text += separator.join(cells if mode == "Multi" else [time if mode == "One" else "", *cells]) + "\n"
        return text + "\n"

    step = m.rows // random.randint(2, 4) if several else m.rows
    return (head + "".join(segment(at, min(at + step, m.rows)) for at in range(0, m.rows, step))).replace("\n", "\r\n"), m.names


def audacity(random, m):
    return f"Sample Rate: {m.rate:.0f} Hz.\nSample values on linear scale.\n\n" + m.lines(lambda row: ",".join(m.cells(row))), None


def commented(random, m):
    mark = random.choice(["# ", "% ", "// ", "; "])
    rate = random.choice([f"Fs: {m.rate:.0f}", f"Sample Rate {m.rate:.0f}", f"sampling frequency = {m.rate / 1e3} kHz"])
    return f"{mark}measured today\n{mark}{rate}\n" + m.lines(lambda row: "\t".join(m.cells(row))), None


def own_times(random, m):
    """A column of times for each channel, as data loggers export."""
    names = ",".join(f"Time {n + 1} (s),{name}" for n, name in enumerate(m.names))
    pair = lambda row: ",".join(f"{m.times[row]:.9f},{cell}" for cell in m.cells(row))
    return names + "\n" + m.lines(pair), m.names


def dates(random, m):
    stamp = lambda row: f"2024-03-12 10:{12 + int(row / m.rate) // 60:02d}:{row / m.rate % 60:012.9f}"
    head = random.choice(["", ",".join(["stamp", *m.names]) + "\n"])
    return head + m.lines(lambda row: ",".join([stamp(row), *m.cells(row)])), m.names if head else None


def durations(random, m):
    head = ",".join(["Time", *m.names]) + "\n"
    return head + m.lines(lambda row: ",".join([f"{row / m.rate:.9f} sec", *m.cells(row)])), m.names


def telephone(random, m):
    start = 1_700_000_000_000_000_000
    head = ",".join(["time", "seconds_elapsed", *m.names]) + "\n"
    row = lambda row: ",".join([str(start + round(row / m.rate * 1e9)), f"{row / m.rate:.9f}", *m.cells(row)])
    return head + m.lines(row), m.names


def footer(random, m):
    return ",".join(["time (ms)", *m.names]) + "\n" + m.table(",", 1e3, 6) + random.choice(["EOF\n", "\nend of file\n", "END"]), m.names


def line_a_channel(random, m):
    """As MATLAB writes a row vector, which must be longer than there can be channels."""
    m.rate = None
    return "\n".join(",".join(f"{value:.5f}" for value in channel) for channel in m.channels) + "\n", None


STYLES = [tektronix, rigol, rigol_without_times, keysight, pico, labview, labview, audacity, commented, own_times, dates, durations,
          telephone, footer, line_a_channel]


def write(random, folder, number):
    measurement, style = Measurement(random), random.choice(STYLES)
    text, names = style(random, measurement)
    encoding = random.choice(["utf-8", "utf-8", "utf-8", "utf-16", "utf-16-le", "utf-16-be"])
    # Without a mark or a name, nothing but the ending tells that it is a text.
    file = number + (".csv" if encoding.startswith("utf-16") else random.choice([".csv", ".txt", ".lvm", ".wav", ""]))
    (folder / file).write_bytes(text.encode(encoding))
    # Some forty columns can be channels.
    wide = style is line_a_channel and measurement.rows <= 64 and len(measurement.channels) * 8 > measurement.rows
    about = f"{style.__name__} {measurement.channels.shape} {measurement.rate} {encoding}"
    return [case(file, None if wide else list(measurement.channels), about, names, measurement.rate)]
