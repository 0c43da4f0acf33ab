/** One input and all that the network tells of it. */

import { bars, notices, verdict } from "./answer.js";
import { hasKey } from "./api.js";
import { baselineOf, isOfOneClass, ofClass } from "./baseline.js";
import { announce, h, show } from "./dom.js";
import { percent, seconds } from "./format.js";
import { HeatMap } from "./heatmap.js";
import { ask, fromSamples, samplesOf } from "./inputs.js";
import { OptionsForm } from "./options.js";
import { Picture } from "./picture.js";
import { problemNote } from "./problem.js";
import { RecordingView } from "./recording-view.js";
import { changesInWords, changesWithinWindow, placed, unlikeInWords } from "./segments.js";
import { showSnippets, snippets } from "./snippets.js";
import { Sources } from "./sources.js";
import { Tint } from "./tint.js";
import { usualParts } from "./usual.js";

function panel(title, ...content) {
  return h("section", { class: "panel" }, h("h3", {}, title), content);
}

export class Try {
  /** `shared` has the model, and keeps the input for the other views; `several` gets many files. */
  constructor(shared, several) {
    this.shared = shared;
    this.options = new OptionsForm(() => this.run());
    this.sources = new Sources({ one: (input) => this.take(input), several, failed: (problem) => this.#failed(problem) });
    this.heat = new HeatMap();
    this.picture = new Picture();
    this.tint = new Tint(() => this.#tinted());
    this.recording = new RecordingView((position) => this.#window(position));
    for (const part of ["input", "muted", "answer", "windowed", "usual", "request", "problem", "question"]) this[part] = h("div", { class: `part-${part}` });
    this.problem.setAttribute("role", "alert");
    this.optionsBox = h("details", { class: "options" }, h("summary", {}, "Options of the recording"), this.options.element);
    this.element = h("div", { class: "view try" },
      h("section", { class: "panel source" }, h("h2", { class: "hidden" }, "Input"), this.sources.element, this.optionsBox, this.problem, this.question),
      h("div", { class: "columns" },
        panel("Input", this.input),
        h("div", { class: "aside" }, panel("Answer", this.answer, this.windowed), panel("Is the input usual?", this.usual)),
        h("div", {}, panel("What the network muted", this.muted), panel("The same request", this.request))));
    this.#empty();
  }

  #empty() {
    show(this.input, h("p", { class: "empty" }, "The input is drawn here: choose a file, or use the test input."));
    show(this.answer, h("p", { class: "empty" }, "The class and its probability come here."));
    show(this.usual, h("p", { class: "empty" }, "Whether the input is like the training data, and the sensor is all right."));
    delete this.request.dataset.shown;
    show(this.request, h("p", { class: "empty" }, "The request for curl and Python, to copy."));
    show(this.windowed);
    show(this.muted, h("p", { class: "empty" }, "What each threshold did to each channel."));
  }

  /** Another model was chosen. */
  suit(model) {
    this.sources.suit(model);
    this.optionsBox.hidden = model.input.kind !== "signal";
    if (this.shared.input) this.run();
  }

  /** Takes a new input and classifies it, with the options of the one before if it is the same file again. */
  take(input, options = null) {
    const { input: before } = this.shared;
    if (options || before?.name !== input.name || before.folder !== input.folder) this.options.replace(options ?? {});
    this.shared.input = input;
    this.run();
  }

  async run() {
    const { input, model } = this.shared;
    if (!input || !model) return;
    this.cancel?.abort();
    const cancel = new AbortController();
    this.cancel = cancel;
    const options = { ...this.options.values };
    this.shared.options = options;
    this.element.setAttribute("aria-busy", "true");
    const isSignal = model.input.kind === "signal";
    try {
      // Drawing does not wait for the answer where the file can be read here.
      if (isSignal && input.type === "audio/wav") samplesOf(input, model, options).catch(() => null);
      if (!isSignal) await this.#showPicture(input);
      const [answer, baseline] = await Promise.all([ask(input, model, options, "full", cancel.signal), baselineOf(model)]);
      this.shared.answer = answer;
      this.baseline = baseline;
      await this.#tell(0, cancel);
    } catch (problem) {
      if (problem.name !== "AbortError" && this.cancel === cancel) this.#failed(problem);
    } finally {
      if (this.cancel === cancel) this.element.removeAttribute("aria-busy");
    }
  }

  /** Shows the answer to one of the file's inputs, and draws it. */
  async #tell(position, cancel) {
    const { answer, input, model, options } = this.shared, prediction = answer.predictions[position];
    this.shared.prediction = prediction;
    this.#answered(answer, prediction);
    if (model.input.kind !== "signal") return;
    const samples = await samplesOf(input, model, options, prediction.input);
    // Another input was chosen meanwhile.
    if (this.cancel !== cancel || this.shared.prediction !== prediction) return;
    show(this.input, this.recording.element, this.tint.element, h("p", { class: "note" }, this.#source(input, prediction)));
    this.recording.show(samples, model);
    this.recording.answer(prediction);
    this.#tinted();
  }

  /** Chooses among the inputs of a file that has several. */
  #chooser(count, position) {
    const choose = async (event) => {
      try {
        await this.#tell(Number(event.target.value), this.cancel);
      } catch (problem) {
        this.#failed(problem);
      }
    };
    const options = Array.from({ length: count }, (_, i) => h("option", { value: String(i), selected: i === position }, `input ${i + 1} of ${count}`));
    return h("select", { "aria-label": "Input of the file", onchange: choose }, options);
  }

  async #showPicture(input) {
    show(this.input, this.picture.canvas, this.tint.element, h("p", { class: "note" }, input.name));
    await this.picture.show(input.body, `The picture ${input.name}`);
  }

  #source(input, { input: { variable, channels } }) {
    const taken = variable ?? (channels?.length ? `channel ${channels.join(", ")}` : null);
    const told = input.about ?? taken;
    return told ? `${input.name}: ${told}` : input.name;
  }

  #answered(answer, prediction) {
    const { model, input, options } = this.shared;
    show(this.problem);
    show(this.question);
    const { name, version } = answer.model, several = answer.predictions.length;
    const windows = prediction.windows?.length;
    const words = `${name}, version ${version}${windows ? `; mean of ${windows.toLocaleString("en")} windows` : ""}; ${(answer.timing.inference_us / 1000).toFixed(1)} ms of inference`;
    const rate = model.input.sample_rate_hz;
    const time = (sample) => (rate ? seconds(sample / rate) : `sample ${sample}`);
    const change = windows ? changesInWords(prediction.windows, time) : changesWithinWindow(prediction.diagnostics?.map, time), unlike = unlikeInWords(prediction.diagnostics?.input_shift?.changes, time);
    const setRate = { rate_assumed: () => h("button", { type: "button", class: "small", onclick: () => this.#askRate() }, "Give the rate") };
    show(this.answer, verdict(prediction, words), change && h("p", {}, change), unlike && h("p", { class: "unlike" }, unlike), bars(prediction), notices(prediction, setRate), several > 1 && this.#chooser(several, prediction.input.index));
    show(this.windowed);
    show(this.muted, this.heat.element);
    this.#judged(prediction);
    this.#mapped(prediction.diagnostics?.map);
    showSnippets(this.request, snippets(location.origin, input, model, options, hasKey()), input);
    announce([`${prediction.label}, ${percent(prediction.probability)}`, unlike].filter(Boolean).join(". "));
  }

  /** Whether the input is usual, and what the thresholds did, beside what is usual. */
  #judged(prediction, ...before) {
    const { model } = this.shared;
    show(this.usual, before, usualParts(prediction, model, this.baseline));
    const isComparable = isOfOneClass(prediction), thresholds = ofClass(this.baseline?.thresholds, prediction.class_index);
    const instead = isComparable ? undefined : "The windows have several classes: choose one to compare its thresholds with what is usual for its class.";
    this.heat.show(prediction.diagnostics?.blocks ?? [], isComparable ? thresholds : null, instead);
  }

  #askRate() {
    this.optionsBox.open = true;
    this.options.inputs.get("sample_rate_hz").focus();
  }

  /** A window was chosen: its own answer, computed from its samples. */
  async #window(position) {
    const { model, prediction } = this.shared;
    const window = prediction.windows[position];
    const title = h("h4", {}, `Window ${position + 1} of ${prediction.windows.length}, from ${this.recording.timeline.words(window.start * this.recording.factor)}`);
    const back = h("button", { type: "button", class: "small", onclick: () => this.#whole() }, "Back to the whole recording");
    show(this.windowed, title, verdict(window, "this window alone"), back);
    const { rate } = this.recording;
    const converted = rate && model.input.sample_rate_hz && rate !== model.input.sample_rate_hz ? { resample: "true" } : {};
    const input = fromSamples(`window ${position + 1}`, this.recording.slice(window), rate, converted);
    try {
      const { predictions: [own] } = await ask(input, model, {}, "full");
      if (this.recording.bands.selected !== position) return;
      const change = changesWithinWindow(own.diagnostics?.map, (sample) => this.recording.timeline.words((window.start + sample) * this.recording.factor));
      show(this.windowed, title, verdict(own, "this window alone"), change && h("p", {}, change), bars(own), back);
      this.#judged(own, h("p", { class: "note" }, `Of window ${position + 1}:`));
      const map = own.diagnostics?.map;
      this.#mapped(map && placed(map, window.start, 1));
    } catch (problem) {
      show(this.windowed, title, problemNote(problem), back);
    }
  }

  #whole() {
    const { prediction } = this.shared;
    show(this.windowed);
    this.#judged(prediction);
    this.recording.waveform.mark(null);
    this.recording.answer(prediction);
    this.#mapped(prediction.diagnostics?.map);
  }

  /** Takes the activation map of the answer that is shown, if it has one. */
  #mapped(map) {
    this.map = map ?? null;
    this.tint.element.hidden = !map;
    this.#tinted();
  }

  /** Lays the map over the input, if it is wanted. */
  #tinted() {
    const { model } = this.shared, map = this.tint.isOn ? this.map : null;
    if (model.input.kind === "image") this.picture.overlay(map, model.input);
    else this.recording.overlay(map);
  }

  #failed(problem) {
    show(this.problem, problemNote(problem, () => this.run()));
    this.options.question(problem, this.question);
    if (!this.shared.prediction) this.#empty();
  }
}
