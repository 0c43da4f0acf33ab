#!/usr/bin/env python3
"""Draws the thresholds that a model chose for one or two inputs, as an SVG. Needs only Python 3.9.

    examples/plot_thresholds.py tests/data/seven.png --noise 0.5
    examples/plot_thresholds.py --model bearing --option sample_rate_hz=48000 normal.wav faulty.wav

A panel is a block of the network and a column a channel, sorted by the first input's threshold.
DRSN_API_KEY holds the key, if the server asks for one.
"""

import argparse
import math
import os
import random
import struct
import sys
import zlib
from xml.sax.saxutils import escape

from classify import Refused, address, classify, content_type_of

WIDTH, LEFT, RIGHT, PLOT = 960, 74, 32, 596
HEADER, PANEL, GAP, FOOTER = 214, 116, 54, 0
# The drawing has a background of its own, so that it is legible in light and dark pages.
PAPER, INK, QUIET, GRID = "#fcfbf8", "#23272d", "#5f6670", "#e6e3dc"
# Blue and vermilion of Okabe and Ito's palette, for colour-blind readers; shapes differ, too.
COLOURS = ("#0072b2", "#d55e00")
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', Helvetica, Arial, 'DejaVu Sans', sans-serif"


class Input:
    """An input: its name, its body, and, if it is a grey picture, its pixels in rows."""

    def __init__(self, name, body, content_type, pixels=None):
        self.name, self.body, self.content_type, self.pixels = name, body, content_type, pixels


def read(path):
    with open(path, "rb") as file:
        body = file.read()
    return Input(os.path.basename(path), body, content_type_of(path), grey_pixels(body))


def noisy(clean, share):
    """The picture with `share` times U(0, 1) added to each pixel, the same noise at each call."""
    if clean.pixels is None:
        raise Refused("--noise needs a PNG file with 8 bits of grey")
    uniform = random.Random(1).random
    pixels = [[value + share * uniform() for value in row] for row in clean.pixels]
    numbers = [value for row in pixels for value in row]
    body = struct.pack(f"<{len(numbers)}f", *numbers)
    return Input(f"{clean.name} + {share:g} · U(0, 1)", body, "application/octet-stream", pixels)


def grey_pixels(body):
    """The rows of a PNG file with 8 bits of grey, from 0 to 1; None for any other file."""
    if body[:8] != b"\x89PNG\r\n\x1a\n" or body[24:29] != b"\x08\x00\x00\x00\x00":
        return None
    width, height = struct.unpack(">II", body[16:24])
    data, position = b"", 8
    while position < len(body):
        length, kind = struct.unpack(">I4s", body[position : position + 8])
        if kind == b"IDAT":
            data += body[position + 8 : position + 8 + length]
        position += 12 + length
    data = zlib.decompress(data)
    rows, above = [], [0] * width
    for start in range(0, height * (width + 1), width + 1):
        row = unfiltered(data[start], data[start + 1 : start + 1 + width], above)
        rows.append([value / 255 for value in row])
        above = row
    return rows


def unfiltered(kind, line, above):
    """A row of bytes without its filter (PNG specification, section 9)."""
    row, left, corner = [], 0, 0
    for value, up in zip(line, above):
        nearest = min((left, up, corner), key=lambda candidate: abs(left + up - corner - candidate))
        left = (value + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
        corner = up
        row.append(left)
    return row


def ask(url, item):
    """The model, and what it says of an input."""
    answer = classify(url, item.body, item.content_type)
    prediction = answer["predictions"][0]
    blocks = prediction["diagnostics"]["blocks"]
    if not blocks:
        raise Refused("this model has no thresholds: its units are neither cw nor cs")
    return answer["model"], prediction


class Drawing:
    """The elements of an SVG."""

    def __init__(self):
        self.elements = []

    def add(self, element):
        self.elements.append(element)

    def text(self, x, y, words, size=13, fill=INK, anchor="start", weight=400, turn=None):
        turned = f' transform="rotate({turn} {x:g} {y:g})"' if turn else ""
        self.add(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{fill}" text-anchor="{anchor}" '
            f'font-weight="{weight}"{turned}>{escape(words)}</text>'
        )

    def line(self, x1, y1, x2, y2, stroke=GRID, width=1.0):
        self.add(
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" '
            f'stroke="{stroke}" stroke-width="{width}"/>'
        )

    def bar(self, x, y, width, fill):
        size = f'width="{width:.1f}" height="16" rx="3"'
        self.add(f'<rect x="{x}" y="{y}" {size} fill="{fill}"/>')

    def mark(self, series, x, y, radius):
        """A circle for the first input, a diamond for the second."""
        if series == 0:
            self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{COLOURS[0]}"/>')
        else:
            r = radius * 1.25
            path = f"M{x:.1f} {y - r:.1f}l{r:.1f} {r:.1f}l{-r:.1f} {r:.1f}l{-r:.1f} {-r:.1f}z"
            self.add(f'<path d="{path}" fill="{COLOURS[1]}"/>')

    def picture(self, pixels, x, y, side):
        """A grey picture as paths of 16 shades: some pages do not show images inside an SVG."""
        size = side / max(len(pixels), len(pixels[0]))
        shades = {}
        for row, line in enumerate(pixels):
            column = 0
            while column < len(line):
                shade, end = shade_of(line[column]), column + 1
                while end < len(line) and shade_of(line[end]) == shade:
                    end += 1
                shades.setdefault(shade, []).append(
                    f"M{column} {row}h{end - column}v1h{column - end}z"
                )
                column = end
        self.add(
            f'<g transform="translate({x} {y}) scale({size:.4f})" shape-rendering="crispEdges">'
        )
        for shade, runs in sorted(shades.items()):
            self.add(f'<path fill="#{shade:x}{shade:x}{shade:x}" d="{"".join(runs)}"/>')
        self.add("</g>")

    def svg(self, height, title, description):
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" font-family="{FONT}" fill="none">'
        )
        about = f"<title>{escape(title)}</title>\n<desc>{escape(description)}</desc>"
        paper = f'<rect width="{WIDTH}" height="{height}" rx="10" fill="{PAPER}"/>'
        return "\n".join([opening, about, paper, *self.elements, "</svg>", ""])


def shade_of(value):
    return round(15 * min(max(value, 0), 1))


def draw(model, inputs, predictions):
    """The whole picture."""
    drawing = Drawing()
    name = f"{model['name']}/{model['version']}"
    title = f"Soft thresholds of {name}" + (" for two inputs" if len(inputs) > 1 else "")
    drawing.text(LEFT - 42, 44, title, size=22, weight=600)
    words = "What each block subtracts from the magnitudes of its features, in their own unit"
    drawing.text(LEFT - 42, 68, words, 14, QUIET)
    for series, (item, prediction) in enumerate(zip(inputs, predictions)):
        describe(drawing, series, LEFT - 42 + series * 440, item, prediction)
    blocks = [prediction["diagnostics"]["blocks"] for prediction in predictions]
    for index in range(len(blocks[0])):
        top = HEADER + index * (PANEL + GAP)
        panel(drawing, top, [answer[index] for answer in blocks])
    height = HEADER + len(blocks[0]) * (PANEL + GAP) + FOOTER
    words = (
        "channel, sorted by the threshold of the first input"
        if len(inputs) > 1
        else "channel, sorted by threshold"
    )
    drawing.text(LEFT + PLOT / 2, height - GAP + 26, words, 13, QUIET, "middle")
    names = " and ".join(item.name for item in inputs)
    return drawing.svg(height, title, f"Thresholds of each channel of each block, for {names}")


def describe(drawing, series, left, item, prediction):
    """The legend of an input: picture, mark, name, class, input shift."""
    top = 90
    if item.pixels:
        drawing.picture(item.pixels, left, top, 68)
        left += 84
    drawing.mark(series, left + 6, top + 12, 6)
    drawing.text(left + 20, top + 17, item.name, 15, COLOURS[series], weight=600)
    drawing.text(
        left,
        top + 40,
        f"class {prediction['label']}, probability {prediction['probability']:.2%}",
        14,
    )
    shift = prediction["diagnostics"]["input_shift"]
    if shift:
        words = "alarm" if shift["alarm"] else "no alarm"
        figure = (
            f"p = {shift['p_value']:.2g}"
            if "p_value" in shift
            else f"{shift['alarm_share']:.0%} of windows"
        )
        drawing.text(left, top + 61, f"input shift: {words} ({figure})", 14, QUIET)


def panel(drawing, top, blocks):
    """One block: thresholds of its channels, and the share of its features that they set to zero."""
    bottom, first = top + PANEL, blocks[0]
    channels = [block["channel"] for block in blocks]
    order = sorted(range(len(channels[0])), key=lambda channel: channels[0][channel]["threshold"])
    highest = max(channel["threshold"] for series in channels for channel in series)
    step = tick_step(highest)
    scale = PANEL / max(highest * 1.04, step)
    drawing.text(LEFT, top - 14, first["name"], 14, weight=600)
    drawing.text(LEFT + PLOT, top - 14, f"{first['channels']} channels", 13, QUIET, "end")
    tick = 0
    while tick * step * scale <= PANEL + 0.5:
        y = bottom - tick * step * scale
        drawing.line(LEFT, y, LEFT + PLOT, y, GRID if tick else QUIET)
        drawing.text(LEFT - 8, y + 4, f"{tick * step:g}", 12, QUIET, "end")
        tick += 1
    drawing.text(LEFT - 46, top + PANEL / 2, "threshold τ", 12, QUIET, "middle", turn=-90)
    pitch = PLOT / len(order)
    radius = max(2.2, min(4.5, pitch * 0.36))
    for place, channel in enumerate(order):
        x = LEFT + (place + 0.5) * pitch
        heights = [bottom - series[channel]["threshold"] * scale for series in channels]
        drawing.line(
            x, max(heights) if len(heights) > 1 else bottom, x, min(heights), "#b9bcc0", 1.4
        )
        for series, y in enumerate(heights):
            drawing.mark(series, x, y, radius)
    zeroed(drawing, top, channels)


def zeroed(drawing, top, channels):
    """Bars: the share of a block's features that became exactly zero."""
    left = LEFT + PLOT + 48
    width = WIDTH - RIGHT - left
    drawing.text(left, top - 14, "features set to zero", 13, QUIET)
    for series, of_input in enumerate(channels):
        share = sum(channel["zeroed"] for channel in of_input) / len(of_input)
        y = top + 10 + series * 52
        drawing.bar(left, y, width, GRID)
        drawing.bar(left, y, share * width, COLOURS[series])
        drawing.text(left, y + 34, f"{share:.1%}", 14, COLOURS[series], weight=600)


def tick_step(highest):
    """A step of 1, 2 or 5 times a power of ten that gives two to five ticks above zero."""
    power = 10.0 ** math.floor(math.log10(highest / 3)) if highest > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= highest / 5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", help="one or two inputs: images or recordings")
    parser.add_argument("--server", default="http://localhost:8080")
    parser.add_argument("--model", help="name of the model; by default the server's default model")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="such as channel=0"
    )
    parser.add_argument(
        "--noise",
        type=float,
        metavar="SHARE",
        help="second input: the first with SHARE · U(0, 1) added",
    )
    parser.add_argument(
        "--out", default="thresholds.svg", help="file to write [default: thresholds.svg]"
    )
    arguments = parser.parse_args()
    if len(arguments.files) > (2 if arguments.noise is None else 1):
        parser.error("give one or two files, or one file and --noise")
    url = address(
        arguments.server, arguments.model, [*arguments.option, "diagnostics=full", "top_k=1"]
    )
    try:
        inputs = [read(path) for path in arguments.files]
        if arguments.noise is not None:
            inputs.append(noisy(inputs[0], arguments.noise))
        models, predictions = zip(*(ask(url, item) for item in inputs))
        with open(arguments.out, "w", encoding="utf-8") as file:
            file.write(draw(models[0], inputs, predictions))
    except (Refused, OSError) as error:
        sys.exit(str(error))
    print(f"{arguments.out}: thresholds of {' and '.join(item.name for item in inputs)}")


if __name__ == "__main__":
    main()
