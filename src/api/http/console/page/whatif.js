/** What if the input were noisier, louder, off centre or had lost samples? Two answers side by side. */

import { bars, verdict } from "./answer.js";
import { h, onceAFrame, show } from "./dom.js";
import { number, percent } from "./format.js";
import { ask, fromFile, fromSamples, pixelsToCanvas, fromCanvas, sampleOf, samplesOf } from "./inputs.js";
import { rgb, scaleColour } from "./palette.js";
import { perturb } from "./perturb.js";
import { problemNote } from "./problem.js";
import { Pyramid } from "./pyramid.js";
import { Thumbnail } from "./thumbnail.js";
import { inWords } from "./usual.js";

/** Windows of a long recording that are changed: enough for a mean, few enough to follow a slider. */
const MOST_WINDOWS = 16;
const QUIET = 30;

const SLIDERS = {
  noise: { label: "Noise", min: -10, max: QUIET, step: 1, start: QUIET, words: (value) => (value >= QUIET ? "none" : `${number(value)} dB of signal to noise`) },
  gain: { label: "Gain", min: -20, max: 20, step: 1, start: 0, words: (value) => `${number(value)} dB` },
  offset: { label: "Offset", min: -3, max: 3, step: 0.1, start: 0, words: (value) => `${number(value)} standard deviations` },
  dropout: { label: "Lost samples", min: 0, max: 60, step: 1, start: 0, words: (value) => `${number(value)} %` },
};

/** The settings of the sliders as {@link perturb} takes them. */
export function changes({ noise, gain, offset, dropout }) {
  return { snr: noise >= QUIET ? null : noise, gain, offset, dropout: dropout / 100 };
}

export class WhatIf {
  constructor(shared) {
    this.shared = shared;
    this.values = {};
    this.run = onceAFrame(() => this.#run());
    this.problem = h("div", { role: "alert" });
    const slider = ([name, { label, min, max, step, start, words }]) => {
      const told = h("output", { for: `slider-${name}` }, words(start));
      const input = h("input", { type: "range", id: `slider-${name}`, min, max, step, value: start, "aria-valuetext": words(start),
        oninput: () => { this.values[name] = Number(input.value); told.textContent = words(this.values[name]); input.setAttribute("aria-valuetext", told.textContent); this.run(); } });
      this.values[name] = start;
      return h("div", { class: "slider" }, h("label", { for: `slider-${name}` }, label), input, told);
    };
    this.sliders = h("div", { class: "sliders" }, Object.entries(SLIDERS).map(slider));
    this.model = h("select", { id: "other-model", onchange: () => this.run() });
    this.file = h("input", { type: "file", hidden: true, "aria-label": "Another file", onchange: () => this.#other(this.file.files[0]) });
    this.same = h("button", { type: "button", class: "small", hidden: true, onclick: () => this.#other(null) }, "Back to the same input");
    this.left = h("section", { class: "panel side" });
    this.right = h("section", { class: "panel side" });
    this.effect = h("section", { class: "panel" });
    this.unsampled = h("div", { role: "alert" });
    this.empty = h("section", { class: "panel" }, h("h2", {}, "What if"), h("p", { class: "empty" }, "What would noise, another gain, an offset or lost samples do? Choose an input in ", h("a", { href: "#try" }, "Try"), ", or use the model's test input."), h("button", { type: "button", onclick: () => this.#sample() }, "Use a test input"), this.unsampled);
    this.body = h("div", {},
      h("section", { class: "panel" }, h("h2", {}, "What if"), this.sliders,
        h("div", { class: "bar-of-tools" }, h("button", { type: "button", onclick: () => this.#reset() }, "Reset"), h("label", { for: "other-model" }, "Compared with model"), this.model, h("button", { type: "button", onclick: () => this.file.click() }, "Compare with another file"), this.file, this.same), this.problem),
      h("div", { class: "columns even" }, this.left, this.right), this.effect);
    this.element = h("div", { class: "view whatif" }, this.empty, this.body);
  }

  /** The models to compare with. */
  models(list) {
    const chosen = this.model.value;
    show(this.model, list.map(({ name }) => h("option", { value: name }, name)));
    this.model.value = list.some(({ name }) => name === chosen) ? chosen : this.shared.model?.name;
  }

  suit(model) {
    this.model.value = model.name;
    if (this.isShown) this.shown(true);
  }

  async shown(isShown) {
    this.isShown = isShown;
    const { input } = this.shared;
    this.empty.hidden = Boolean(input);
    this.body.hidden = !input;
    if (!isShown || !input) return;
    try {
      if (this.base !== input || this.baseOf !== this.shared.model) await this.#begin(input);
      this.run();
    } catch (problem) {
      show(this.problem, problemNote(problem, () => this.shown(true)));
    }
  }

  async #sample() {
    try {
      this.shared.input = await sampleOf(this.shared.model);
      show(this.unsampled);
      this.shown(true);
    } catch (problem) {
      show(this.unsampled, problemNote(problem, () => this.#sample()));
    }
  }

  async #other(file) {
    this.second = file ? await fromFile(file) : null;
    this.same.hidden = !file;
    this.file.value = "";
    this.run();
  }

  #reset() {
    for (const [name, { start }] of Object.entries(SLIDERS)) {
      const input = this.sliders.querySelector(`#slider-${name}`);
      input.value = start;
      input.dispatchEvent(new Event("input"));
    }
  }

  /** Reads the samples or pixels that are changed. */
  async #begin(input) {
    const { model, options } = this.shared;
    Object.assign(this, { base: input, baseOf: model });
    if (input.isImage) {
      this.pixels = await pixelsOf(input.body);
      this.part = null;
      return;
    }
    const { channels, rate } = await samplesOf(input, model, options ?? {}, this.shared.prediction?.input);
    const models = model.input.sample_rate_hz, most = Math.ceil(MOST_WINDOWS * model.input.window * (rate && models ? rate / models : 1));
    this.part = { channels: channels.map((channel) => channel.slice(0, most)), rate, cut: channels[0].length > most };
    const converted = rate && models && rate !== models ? { resample: "true" } : {};
    this.original = fromSamples(input.name, this.part.channels, rate, converted);
  }

  /** The input with the changes of the sliders. */
  async #changed() {
    const how = changes(this.values);
    if (this.part) {
      const { options: { sample_rate_hz: _, ...options } } = this.original;
      return fromSamples(`${this.base.name}, changed`, perturb(this.part.channels, how), this.part.rate, options);
    }
    const { planes, width, height } = this.pixels;
    const flat = new Float32Array(planes.length * width * height);
    perturb(planes, how).forEach((plane, i) => flat.set(plane, i * width * height));
    return fromCanvas(`${this.base.name}, changed`, pixelsToCanvas(flat, { channels: planes.length, width, height }));
  }

  /** Asks for both answers; while one request is on its way, the newest settings wait for it. */
  async #run() {
    if (!this.base) return;
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    try {
      const { model } = this.shared, other = this.shared.models.find(({ name }) => name === this.model.value) ?? model;
      const original = this.part ? this.original : this.base;
      const changed = this.second ?? await this.#changed();
      const [a, b] = await Promise.all([ask(original, model, {}, "full"), ask(changed, other, {}, "full")]);
      show(this.problem);
      await this.#side(this.left, "Original", original, model, a.predictions[0]);
      await this.#side(this.right, this.second ? this.second.name : "Changed", changed, other, b.predictions[0], a.predictions[0]);
      this.#tell(a.predictions[0], b.predictions[0], model === other);
    } catch (problem) {
      show(this.problem, problemNote(problem, () => this.run()));
    } finally {
      this.busy = false;
      if (this.again) { this.again = false; this.run(); }
    }
  }

  async #side(place, title, input, model, prediction, before) {
    place.thumbnail ??= new Thumbnail();
    const words = `${model.name}${prediction.windows?.length ? `; mean of the ${this.part?.cut && input !== this.second ? "first " : ""}${prediction.windows.length} windows` : ""}`;
    if (input.samples) place.thumbnail.signal(new Pyramid(input.samples.channels[0]));
    else if (input.isImage) await place.thumbnail.picture(input.body);
    show(place, h("h3", {}, title), place.thumbnail.canvas, verdict(prediction, words), bars({ ...prediction, probabilities: prediction.probabilities.slice(0, 5) }, before), before && h("p", { class: "note" }, "The mark in each bar is where the original was."),
      h("p", { class: "note" }, inWords(prediction.diagnostics, model.input.kind === "signal")));
  }

  /** What the thresholds did in both. */
  #tell(a, b, isSame) {
    const blocks = a.diagnostics?.blocks ?? [], others = b.diagnostics?.blocks ?? [];
    if (!isSame || !blocks.length) {
      return show(this.effect, h("h3", {}, "Shrinkage"), h("p", { class: "note" }, blocks.length ? "Two models have different channels, so their thresholds cannot be compared one by one." : "This network has no thresholds."));
    }
    const mean = (block, of) => block.channel.reduce((sum, channel) => sum + (of(channel) ?? 0), 0) / block.channel.length;
    const strip = (block, name) => h("div", { class: "strip", role: "img", "aria-label": `${name}: share set to zero, channel by channel` }, block.channel.map(({ zeroed }) => h("span", { style: { "--cell": rgb(scaleColour(zeroed ?? 0)) } })));
    const pair = (of, text) => (block, i) => h("td", { class: "numeric" }, `${text(of(block))} → ${text(of(others[i]))}`);
    const columns = [["τ, mean", pair((block) => block.threshold.mean, number)], ["τ as a share of A", pair((block) => block.scale?.mean ?? null, percent)], ["set to zero", pair((block) => mean(block, ({ zeroed }) => zeroed), percent)]];
    const rows = blocks.map((block, i) => h("tr", {}, h("th", { scope: "row" }, block.name), columns.map(([, cell]) => cell(block, i)), h("td", { class: "strips" }, strip(block, "original"), strip(others[i], "changed"))));
    return show(this.effect, h("h3", {}, "Shrinkage: original → changed"), h("div", { class: "wide", tabIndex: 0, role: "region", "aria-label": "Thresholds of both" }, h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "block"), columns.map(([name]) => h("th", { scope: "col", class: "numeric" }, name)), h("th", { scope: "col" }, "by channel"))), h("tbody", {}, rows))),
      h("p", { class: "note" }, "By channel: the share set to zero, above in the original and below in the changed input."));
  }
}

/** A picture's colours as planes of numbers from 0 to 1; one plane if it is grey. */
async function pixelsOf(blob) {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, 512 / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale))];
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const planes = [0, 1, 2].map((c) => Float32Array.from({ length: width * height }, (_, i) => data[4 * i + c] / 255));
  const isGrey = planes[0].every((value, i) => value === planes[1][i] && value === planes[2][i]);
  return { planes: isGrey ? planes.slice(0, 1) : planes, width, height };
}
