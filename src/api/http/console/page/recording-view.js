/** A recording to look into: overview, waveform, windows, spectrogram, and when which class begins. */

import { Bands } from "./bands.js";
import { h, show } from "./dom.js";
import { hertz, percent, seconds } from "./format.js";
import { classColour } from "./palette.js";
import { Pyramid } from "./pyramid.js";
import { changeInWords, placed, segments } from "./segments.js";
import { Spectrogram } from "./spectrogram.js";
import { Timeline } from "./timeline.js";
import { Overview, Waveform } from "./waveform.js";

const MOST_STRETCHES = 8;
/** Samples beside a window that is converted to another rate. */
const MORE = 4;

export class RecordingView {
  /** `chosen` is called with the position of a window. The parts are made once: what they show may be large. */
  constructor(chosen) {
    this.chosen = chosen;
    this.timeline = new Timeline();
    const label = "Waveform; arrow keys move and zoom, 0 shows all";
    this.waveform = new Waveform(this.timeline, { label, clicked: (sample) => this.bands.select(this.bands.at(sample)) });
    this.bands = new Bands(this.timeline, (position) => this.#select(position));
    this.overview = new Overview(this.timeline);
    this.spectrogram = new Spectrogram(this.timeline);
    this.stretches = h("div", { class: "stretches", id: "stretches" });
    this.waveform.canvas.setAttribute("aria-describedby", this.stretches.id);
    this.tools = h("div", { class: "bar-of-tools" });
    this.element = h("div", { class: "recording" }, this.tools, this.overview.canvas, this.waveform.canvas, this.bands.canvas, this.spectrogram.canvas, this.stretches);
  }

  /** Shows the samples of a recording. */
  show({ channels, rate }, model) {
    Object.assign(this, { channels, rate, model });
    const { timeline } = this, [{ length }] = channels;
    const button = (text, name, act) => h("button", { type: "button", class: "small", "aria-label": name, title: name, onclick: act }, text);
    const channel = channels.length > 1 && h("select", { "aria-label": "Channel shown", onchange: (event) => this.#channel(Number(event.target.value)) }, channels.map((_, i) => h("option", { value: String(i) }, `channel ${i}`)));
    const facts = rate ? `${seconds(length / rate)} at ${hertz(rate)}` : `${length.toLocaleString("en")} samples`;
    show(this.tools, h("span", { class: "note" }, facts), channel, h("span", { class: "gap" }),
      button("−", "Zoom out", () => timeline.zoom(2)), button("+", "Zoom in", () => timeline.zoom(0.5)), button("All", "Show all", () => timeline.set(0, length)));
    this.bands.canvas.hidden = true;
    this.waveform.mark(null);
    this.waveform.changes([]);
    this.#channel(0);
    timeline.reset(length, rate);
  }

  #channel(index) {
    const samples = this.channels[index], pyramid = new Pyramid(samples);
    this.waveform.show(pyramid);
    this.overview.show(pyramid);
    this.spectrogram.show(samples);
  }

  /** Samples of the file for each sample at the model's rate, in which windows are told. */
  get factor() {
    const models = this.model?.input.sample_rate_hz;
    return this.rate && models ? this.rate / models : 1;
  }

  /** Lays an activation map over the waveform, or none; its places are samples at the model's rate. */
  overlay(map) {
    this.waveform.overlay(map && placed(map, 0, this.factor));
  }

  /** Shows windows and stretches of a prediction. */
  answer(prediction) {
    const windows = prediction.windows ?? [], { factor } = this;
    const scaled = (entry) => ({ ...entry, start: entry.start * factor, end: entry.end * factor });
    this.bands.canvas.hidden = windows.length === 0;
    this.bands.show(windows.map(scaled));
    const changes = (prediction.diagnostics?.input_shift?.changes ?? []).map(({ start, found, end }) => ({ start: start * factor, found: found * factor, end: end === null ? null : end * factor }));
    this.waveform.changes(changes);
    this.#tellStretches(segments(windows).map(scaled), changes);
  }

  #tellStretches(list, changes) {
    if (!list.length) return show(this.stretches);
    const { timeline } = this, words = (sample) => timeline.words(sample);
    const unlike = (change) => h("button", { type: "button", class: "chip unlike", onclick: () => timeline.set(change.start, change.end ?? timeline.length) }, changeInWords(change, words));
    const one = (entry, i) => h("button", { type: "button", class: "chip", onclick: () => timeline.set(entry.start, entry.end) },
      h("span", { class: "dot", style: { "--swatch": classColour(entry.class_index) } }),
      `${i === 0 ? "from the start" : `from ${timeline.words(entry.start)}`}: ${entry.label} (${percent(entry.probability)})`);
    const rest = list.length - MOST_STRETCHES;
    return show(this.stretches, h("span", { class: "note" }, list.length === 1 ? "One class throughout:" : "In order:"), list.slice(0, MOST_STRETCHES).map(one), rest > 0 && h("span", { class: "note" }, `and ${rest} more stretches`), changes.slice(0, MOST_STRETCHES).map(unlike));
  }

  #select(position) {
    const { start, end } = this.bands.windows[position];
    this.waveform.mark([start, end]);
    this.chosen(position);
  }

  /** The samples of a window, each channel; if they will be converted, a few more, so that none is missing then. */
  slice(window) {
    const { factor, channels: [{ length }] } = this, more = factor === 1 ? 0 : MORE;
    const end = Math.min(length, Math.round(window.end * factor) + more);
    const start = Math.max(0, Math.min(Math.round(window.start * factor), end - Math.round((window.end - window.start) * factor) - more));
    return this.channels.map((channel) => channel.slice(start, end));
  }
}
