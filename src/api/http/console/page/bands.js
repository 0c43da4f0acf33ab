/** The windows of a recording as bands: their class by colour, their confidence by height, alarms above them. */

import { canvas2d, h, onceAFrame, onResize } from "./dom.js";
import { percent } from "./format.js";
import { classColour, onTheme, token } from "./palette.js";
import { movable } from "./timeline.js";

const ALARMS = 7;

export class Bands {
  /** `chosen` is called with the position of a window. */
  constructor(timeline, chosen) {
    Object.assign(this, { timeline, chosen, windows: [], selected: -1 });
    this.canvas = h("canvas", { class: "bands", tabIndex: 0, role: "slider", "aria-label": "Windows of the recording; left and right choose one", "aria-valuemin": "1" });
    this.draw = onceAFrame(() => this.#draw());
    movable(this.canvas, timeline, (sample) => this.select(this.at(sample)));
    this.canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (by === undefined || !this.windows.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.select(Math.min(this.windows.length - 1, Math.max(0, this.selected + by)));
    }, { capture: true });
    timeline.onChange(this.draw);
    onResize(this.canvas, this.draw);
    onTheme(this.draw);
  }

  /** Shows windows with `start` and `end` in samples of the timeline. */
  show(windows) {
    this.windows = windows;
    this.selected = -1;
    this.canvas.setAttribute("aria-valuemax", String(windows.length));
    this.canvas.setAttribute("aria-valuetext", "no window chosen");
    this.draw();
  }

  /** The position of the first window with this sample, or -1. */
  at(sample) {
    return this.windows.findIndex(({ start, end }) => sample >= start && sample < end);
  }

  select(position) {
    if (position < 0 || position === this.selected) return;
    this.selected = position;
    const { start, end, label, probability } = this.windows[position];
    if (end < this.timeline.from || start > this.timeline.to) {
      const half = (this.timeline.to - this.timeline.from) / 2;
      this.timeline.set(start - half, start + half);
    }
    this.canvas.setAttribute("aria-valuenow", String(position + 1));
    this.canvas.setAttribute("aria-valuetext", `window ${position + 1}: ${label}, ${percent(probability)}`);
    this.draw();
    this.chosen(position);
  }

  #draw() {
    const { context, width, height } = canvas2d(this.canvas);
    if (!width || !this.windows.length) return;
    const { timeline } = this, room = height - ALARMS;
    const perPixel = (timeline.to - timeline.from) / width;
    const span = this.windows[0].end - this.windows[0].start;
    context.fillStyle = token("sunken");
    context.fillRect(0, ALARMS, width, room);
    if (span / perPixel < 2.5) this.#drawDense(context, width, room);
    else this.#drawSingle(context, width, room);
    const chosen = this.windows[this.selected];
    if (!chosen) return;
    const left = timeline.x(chosen.start, width), right = timeline.x(chosen.end, width);
    context.strokeStyle = token("text");
    context.lineWidth = 2;
    context.strokeRect(left + 1, ALARMS + 1, Math.max(2, right - left - 2), room - 2);
  }

  /** The windows in view; they are in the order of their ends. */
  *#inView() {
    const { windows, timeline } = this;
    let [low, high] = [0, windows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (windows[middle].end > timeline.from) high = middle;
      else low = middle + 1;
    }
    for (; low < windows.length && windows[low].start <= timeline.to; low += 1) yield windows[low];
  }

  #drawSingle(context, width, room) {
    for (const window of this.#inView()) {
      const left = this.timeline.x(window.start, width), right = this.timeline.x(window.end, width);
      const tall = room * window.probability;
      context.fillStyle = classColour(window.class_index);
      context.fillRect(left + 0.5, ALARMS + room - tall, right - left - 1, tall);
      if (!window.input_shift?.alarm) continue;
      context.fillStyle = token("alarm");
      context.fillRect(left + 0.5, 0, right - left - 1, ALARMS - 3);
    }
  }

  /** Several windows to a pixel: each column shows the shares of their classes, and whether any of them alarms. */
  #drawDense(context, width, room) {
    const columns = Array.from({ length: Math.ceil(width) }, () => ({ all: 0, classes: new Map(), alarm: false }));
    for (const window of this.#inView()) {
      const x = Math.floor(this.timeline.x((window.start + window.end) / 2, width));
      const column = columns[Math.min(columns.length - 1, Math.max(0, x))];
      column.all += 1;
      column.classes.set(window.class_index, (column.classes.get(window.class_index) ?? 0) + window.probability);
      column.alarm ||= Boolean(window.input_shift?.alarm);
    }
    let last = null;
    for (const [x, own] of columns.entries()) {
      const column = own.all ? own : last;
      if (!column) continue;
      last = column;
      let bottom = ALARMS + room;
      for (const [index, sum] of [...column.classes].sort(([a], [b]) => a - b)) {
        const tall = (room * sum) / column.all;
        context.fillStyle = classColour(index);
        context.fillRect(x, bottom - tall, 1, tall);
        bottom -= tall;
      }
      if (own.alarm) { context.fillStyle = token("alarm"); context.fillRect(x, 0, 1, ALARMS - 3); }
    }
  }
}
