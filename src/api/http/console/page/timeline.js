/** The stretch of a recording that is in view, which its waveform, bands and spectrogram share; zoom and pan by pointer and keyboard. */

import { number, seconds, ticks } from "./format.js";

export class Timeline {
  constructor() {
    this.listeners = new Set();
    this.reset(1, null);
  }

  /** Shows all of `length` samples at `rate` a second; without a rate the axis counts samples. */
  reset(length, rate) {
    Object.assign(this, { length, rate, from: 0, to: length, least: Math.min(length, 16) });
    this.#tell();
  }

  #tell() {
    for (const changed of this.listeners) changed();
  }

  onChange(changed) {
    this.listeners.add(changed);
  }

  /** Shows `from` to `to`, as far as there are samples. */
  set(from, to) {
    const span = Math.min(this.length, Math.max(this.least, to - from));
    const start = Math.min(this.length - span, Math.max(0, from));
    if (start === this.from && start + span === this.to) return;
    [this.from, this.to] = [start, start + span];
    this.#tell();
  }

  zoom(factor, at = (this.from + this.to) / 2) {
    this.set(at - (at - this.from) * factor, at + (this.to - at) * factor);
  }

  pan(samples) {
    this.set(this.from + samples, this.to + samples);
  }

  /** The horizontal place of a sample on a picture of this width, and the reverse. */
  x(sample, width) {
    return ((sample - this.from) / (this.to - this.from)) * width;
  }

  sample(x, width) {
    return this.from + (x / width) * (this.to - this.from);
  }

  /** A position in words. */
  words(sample) {
    return this.rate ? seconds(sample / this.rate) : `sample ${Math.round(sample).toLocaleString("en")}`;
  }

  /** Marks of the axis: places in samples with their texts. */
  marks(width) {
    const scale = this.rate || 1;
    const span = (this.to - this.from) / scale;
    const [unit, name] = !this.rate ? [1, ""] : span < 2e-3 ? [1e-6, " µs"] : span < 0.5 ? [1e-3, " ms"] : [1, " s"];
    const values = ticks(this.from / scale / unit, this.to / scale / unit, width / 90);
    return values.map((value) => [value * unit * scale, `${number(Number(value.toPrecision(7)))}${name}`]);
  }
}

/** Keys that move the view; returns whether it was one. */
function byKey(timeline, event) {
  const span = timeline.to - timeline.from;
  const moves = {
    ArrowLeft: () => timeline.pan(-span / 10), ArrowRight: () => timeline.pan(span / 10),
    PageUp: () => timeline.pan(-span), PageDown: () => timeline.pan(span),
    ArrowUp: () => timeline.zoom(0.7), ArrowDown: () => timeline.zoom(1 / 0.7),
    "+": () => timeline.zoom(0.7), "=": () => timeline.zoom(0.7), "-": () => timeline.zoom(1 / 0.7),
    Home: () => timeline.set(0, span), End: () => timeline.set(timeline.length - span, timeline.length),
    0: () => timeline.set(0, timeline.length),
  };
  if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return false;
  moves[event.key]();
  return true;
}

/** Lets pointer, wheel and keyboard on a canvas move the view. A click that does not drag calls `clicked` with a sample. */
export function movable(canvas, timeline, clicked = () => {}) {
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.clientX, from: timeline.from, to: timeline.to, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const by = event.clientX - drag.x;
    if (Math.abs(by) > 4) drag.moved = true;
    if (!drag.moved) return;
    const shift = (-by / canvas.clientWidth) * (drag.to - drag.from);
    timeline.set(drag.from + shift, drag.to + shift);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) clicked(timeline.sample(event.clientX - canvas.getBoundingClientRect().left, canvas.clientWidth));
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("wheel", (event) => {
    const isZoom = event.ctrlKey || event.metaKey || event.altKey;
    if (!isZoom && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
    event.preventDefault();
    const at = timeline.sample(event.clientX - canvas.getBoundingClientRect().left, canvas.clientWidth);
    if (isZoom) timeline.zoom(Math.exp(event.deltaY / 300), at);
    else timeline.pan((event.deltaX / canvas.clientWidth) * (timeline.to - timeline.from));
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    timeline.zoom(0.4, timeline.sample(event.clientX - canvas.getBoundingClientRect().left, canvas.clientWidth));
  });
  canvas.addEventListener("keydown", (event) => {
    if (byKey(timeline, event)) event.preventDefault();
  });
}
