/** The waveform of one channel with its axes, and over it how much each stretch spoke for the class. */

import { canvas2d, h, onceAFrame, onResize } from "./dom.js";
import { number, ticks } from "./format.js";
import { classColour, onTheme, token } from "./palette.js";
import { movable } from "./timeline.js";

const AXIS = 18;
/** Height of the bar above what is unlike the training data. */
const BAR = 4;
/** Height of the strip below, which has the colours of the classes. */
const STRIP = 6;

/** Draws marks in time, and returns the height that is left for the picture. */
export function drawTimeAxis(context, timeline, width, height) {
  context.fillStyle = token("muted");
  context.strokeStyle = token("line");
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  context.beginPath();
  for (const [sample, text] of timeline.marks(width)) {
    const x = Math.round(timeline.x(sample, width)) + 0.5;
    context.moveTo(x, 0);
    context.lineTo(x, height - AXIS + 4);
    const room = context.measureText(text).width;
    if (x - room / 2 >= 0 && x + room / 2 <= width) context.fillText(text, x - room / 2, height);
  }
  context.stroke();
  return height - AXIS;
}

/** A smooth range of the samples in view, so that panning does not make the scale jump. */
function scaleOf(pyramid) {
  const [least, most] = pyramid.range(0, pyramid.samples.length) ?? [-1, 1];
  const room = (most - least || Math.abs(most) || 1) * 0.06;
  return [least - room, most + room];
}

/** Writes a number on a ground of its own, so that it is read before a dense signal, too. */
function drawOnGround(context, text, x, y) {
  context.fillStyle = token("panel");
  context.fillRect(x - 2, y - 7, context.measureText(text).width + 4, 14);
  context.fillStyle = token("muted");
  context.textBaseline = "middle";
  context.fillText(text, x, y);
}

export class Waveform {
  constructor(timeline, { clicked, label }) {
    Object.assign(this, { timeline, unlike: [] });
    this.canvas = h("canvas", { class: "waveform", tabIndex: 0, role: "slider", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "100", "aria-orientation": "horizontal" });
    this.draw = onceAFrame(() => this.#draw());
    movable(this.canvas, timeline, clicked);
    timeline.onChange(this.draw);
    onResize(this.canvas, this.draw);
    onTheme(this.draw);
  }

  /** Shows these samples. */
  show(pyramid) {
    this.pyramid = pyramid;
    this.scale = scaleOf(pyramid);
    this.draw();
  }

  /** Lays an activation map over the waveform: `{start, end, values, segments}` in samples of the timeline, or null. */
  overlay(map) {
    this.map = map;
    this.draw();
  }

  /** Marks one stretch, as `[from, to]` in samples, or none. */
  mark(stretch) {
    this.stretch = stretch;
    this.draw();
  }

  /** Tells where the recording is unlike the training data: `[{start, found, end}]` in samples; without an end to the last one. */
  changes(list) {
    this.unlike = list;
    this.draw();
  }

  #draw() {
    const { context, width, height } = canvas2d(this.canvas);
    if (!width || !this.pyramid) return;
    const { timeline } = this;
    const below = drawTimeAxis(context, timeline, width, height);
    if (this.map) this.#drawMap(context, width, below);
    if (this.stretch) this.#drawStretch(context, width, below);
    const [least, most] = this.scale;
    const y = (value) => below - ((value - least) / (most - least)) * below;
    this.#drawLines(context, width, y);
    for (const change of this.unlike) this.#drawChange(context, width, below, change);
    const isWhole = (value) => y(value) >= 8 && y(value) <= below - 8;
    for (const value of ticks(least, most, below / 45).filter(isWhole)) drawOnGround(context, number(Number(value.toPrecision(7))), 4, y(value));
    const [from, to] = [timeline.words(timeline.from), timeline.words(timeline.to)];
    this.canvas.setAttribute("aria-valuenow", String(Math.round((100 * timeline.from) / timeline.length)));
    this.canvas.setAttribute("aria-valuetext", `from ${from} to ${to}`);
  }

  #drawLines(context, width, y) {
    const { timeline, pyramid } = this;
    const perPixel = (timeline.to - timeline.from) / width;
    context.strokeStyle = token("signal");
    context.fillStyle = token("signal");
    context.lineWidth = 1.2;
    context.beginPath();
    if (perPixel < 1) {
      const start = Math.max(0, Math.floor(timeline.from) - 1), end = Math.min(pyramid.samples.length, Math.ceil(timeline.to) + 2);
      for (let i = start; i < end; i += 1) context.lineTo(timeline.x(i + 0.5, width), y(pyramid.samples[i]));
      context.stroke();
      return;
    }
    for (let x = 0; x < width; x += 1) {
      const range = pyramid.range(timeline.from + x * perPixel, timeline.from + (x + 1) * perPixel + 1);
      if (!range) continue;
      const top = y(range[1]), bottom = y(range[0]);
      context.fillRect(x, top, 1, Math.max(1, bottom - top));
    }
  }

  /** A tint for each pixel: the mean of the numbers that lie in it. */
  #drawMap(context, width, height) {
    const { start, end, values } = this.map, { timeline } = this;
    const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value ?? 0)), 1e-12);
    const [speaksFor, against] = [token("for"), token("against")];
    const step = (end - start) / values.length, place = (x) => (timeline.sample(x, width) - start) / step;
    for (let x = 0; x < width; x += 1) {
      const from = Math.max(0, Math.floor(place(x))), to = Math.min(values.length, Math.max(from + 1, Math.floor(place(x + 1))));
      const here = values.slice(from, to).filter((value) => value !== null);
      if (!here.length || place(x + 1) <= 0) continue;
      const mean = here.reduce((sum, value) => sum + value, 0) / here.length;
      context.globalAlpha = 0.5 * (Math.abs(mean) / most);
      context.fillStyle = mean > 0 ? speaksFor : against;
      context.fillRect(x, 0, 1, height);
    }
    context.globalAlpha = 1;
    if (this.map.segments?.length > 1) this.#drawSegments(context, width, height);
  }

  /** A strip in the colours of the classes, where each of them is. */
  #drawSegments(context, width, height) {
    for (const { start, end, class_index } of this.map.segments) {
      const [from, to] = [start, end].map((sample) => this.timeline.x(sample, width));
      context.fillStyle = classColour(class_index);
      context.fillRect(from, height - STRIP, to - from, STRIP);
    }
  }

  /** A bar above what is unlike the training data, with lines where it begins, where that was certain, and where it ends. */
  #drawChange(context, width, height, { start, found, end }) {
    const { timeline } = this, x = (sample) => timeline.x(sample, width);
    const left = Math.max(0, x(start)), right = Math.min(width, x(end ?? timeline.length));
    if (right <= 0 || left >= width) return;
    context.fillStyle = context.strokeStyle = token("alarm");
    context.fillRect(left, 0, right - left, BAR);
    context.lineWidth = 1.5;
    for (const [sample, dashes] of [[start, []], [found, [2, 4]], [end, []]]) {
      if (sample === null) continue;
      context.setLineDash(dashes);
      context.beginPath();
      context.moveTo(x(sample), 0);
      context.lineTo(x(sample), height);
      context.stroke();
    }
    context.setLineDash([]);
    context.lineWidth = 1;
    const after = this.#drawLabel(context, "unlike the training data", left, right);
    this.#drawLabel(context, "certain", Math.max(after, x(found)), right);
  }

  /** Words above the signal, if they have room; returns where they end. */
  #drawLabel(context, words, left, right) {
    const room = context.measureText(words).width + 14;
    if (right - left < room) return left;
    context.fillStyle = token("panel");
    context.fillRect(left + 4, BAR + 3, room - 8, 15);
    context.fillStyle = token("alarm");
    context.textBaseline = "top";
    context.fillText(words, left + 7, BAR + 5);
    return left + room;
  }

  #drawStretch(context, width, height) {
    const [left, right] = this.stretch.map((sample) => this.timeline.x(sample, width));
    context.fillStyle = token("mark");
    context.fillRect(left, 0, Math.max(2, right - left), height);
  }
}

/** The whole recording in a narrow strip, with a frame around what is in view. */
export class Overview {
  constructor(timeline) {
    this.timeline = timeline;
    this.canvas = h("canvas", { class: "overview", "aria-hidden": "true" });
    this.draw = onceAFrame(() => this.#draw());
    timeline.onChange(this.draw);
    onResize(this.canvas, this.draw);
    onTheme(() => { this.picture = null; this.draw(); });
    const move = (event) => {
      if (!(event.buttons & 1)) return;
      const box = this.canvas.getBoundingClientRect(), half = (timeline.to - timeline.from) / 2;
      const at = ((event.clientX - box.left) / box.width) * timeline.length;
      timeline.set(at - half, at + half);
    };
    this.canvas.addEventListener("pointerdown", (event) => { this.canvas.setPointerCapture(event.pointerId); move(event); });
    this.canvas.addEventListener("pointermove", move);
  }

  show(pyramid) {
    this.pyramid = pyramid;
    this.picture = null;
    this.draw();
  }

  #draw() {
    const { context, width, height } = canvas2d(this.canvas);
    if (!width || !this.pyramid) return;
    if (this.picture?.width !== this.canvas.width) this.#paint(width, height);
    context.drawImage(this.picture, 0, 0, width, height);
    const { from, to, length } = this.timeline;
    const left = (from / length) * width, right = (to / length) * width;
    context.fillStyle = token("veil");
    context.fillRect(0, 0, left, height);
    context.fillRect(right, 0, width - right, height);
    context.strokeStyle = token("accent");
    context.lineWidth = 1.5;
    context.strokeRect(left + 0.75, 0.75, Math.max(2, right - left - 1.5), height - 1.5);
  }

  /** Draws the strip once; while the view moves, only the frame is drawn anew. */
  #paint(width, height) {
    this.picture = new OffscreenCanvas(this.canvas.width, this.canvas.height);
    const context = this.picture.getContext("2d");
    context.scale(this.canvas.width / width, this.canvas.height / height);
    context.fillStyle = token("signal");
    const [least, most] = scaleOf(this.pyramid), step = this.timeline.length / width;
    for (let x = 0; x < width; x += 1) {
      const range = this.pyramid.range(x * step, (x + 1) * step);
      if (!range) continue;
      const [bottom, top] = range.map((value) => height - ((value - least) / (most - least)) * height);
      context.fillRect(x, top, 1, Math.max(1, bottom - top));
    }
  }
}
