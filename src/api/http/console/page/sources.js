/** Where inputs come from: files, a paste, the model's sample, the pad, the microphone. */

import { h, show } from "./dom.js";
import { hertz } from "./format.js";
import { chosenFiles, dropped, fromFile, fromSamples, sampleOf } from "./inputs.js";
import { Microphone } from "./microphone.js";
import { Pad } from "./pad.js";

/** A recording from the microphone ends by itself after this many seconds. */
const LONGEST = 120;

/** Lets files be dropped on an element; `given` gets `[file, folder]` pairs. */
export function droppable(element, given) {
  let depth = 0;
  const mark = () => element.classList.toggle("over", depth > 0);
  element.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; mark(); });
  element.addEventListener("dragleave", () => { depth -= 1; mark(); });
  element.addEventListener("dragover", (event) => event.preventDefault());
  element.addEventListener("drop", async (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    given(await dropped(event.dataTransfer));
  });
}

export class Sources {
  /** `one` gets an input, `several` gets pairs of a file and its folder, `failed` an error. */
  constructor({ one, several, failed }) {
    Object.assign(this, { one, several, failed });
    this.file = h("input", { type: "file", multiple: true, hidden: true, id: "files", "aria-label": "Files", onchange: () => { this.#files(chosenFiles(this.file.files)); this.file.value = ""; } });
    this.drawButton = h("button", { type: "button", "aria-expanded": "false", onclick: () => this.#toggle() }, "Draw");
    this.micButton = h("button", { type: "button", onclick: () => this.#record() }, "Record");
    this.pad = new Pad(one);
    this.more = h("div", { class: "more", hidden: true }, this.pad.element);
    this.hint = h("p", { class: "note" });
    this.element = h("div", { class: "drop" },
      h("div", { class: "bar-of-tools" }, h("button", { type: "button", class: "primary", onclick: () => this.file.click() }, "Choose files"), this.file,
        h("button", { type: "button", onclick: () => this.#try(() => sampleOf(this.model)) }, "Use a test input"), this.drawButton, this.micButton),
      this.hint, this.more);
    droppable(this.element, (pairs) => this.#files(pairs));
  }

  /** Offers what suits this model. */
  suit(model) {
    this.model = model;
    const { kind, channels, shape, sample_rate_hz: rate } = model.input;
    this.drawButton.hidden = kind !== "image";
    this.micButton.hidden = kind !== "signal" || channels !== 1 || !rate || !navigator.mediaDevices;
    if (kind !== "image") this.#toggle(false);
    const wants = kind === "image" ? `pictures; this model sees ${shape[2]} × ${shape[1]} pixels` : `recordings (WAV, MAT, CSV, NPY, FLAC …); this model sees ${shape[1].toLocaleString("en")} samples at a time${rate ? ` at ${hertz(rate)}` : ""}`;
    show(this.hint, `Drop or paste ${wants}. Several files become a table.`);
  }

  #files(pairs) {
    if (pairs.length > 1) this.several(pairs);
    else if (pairs.length) this.#try(() => fromFile(...pairs[0]));
  }

  /** Passes on an input, or why there is none: a file can be gone, or not be readable. */
  async #try(make) {
    try {
      this.one(await make());
    } catch (problem) {
      this.failed(problem);
    }
  }

  /** What was pasted: files, or numbers as a table. */
  paste(data) {
    const files = [...data.files];
    const text = data.getData("text/plain").trim();
    if (files.length) this.#files(files.map((file) => [file, null]));
    else if (/^[\d+\-.]/.test(text)) this.#try(() => fromFile(new File([text.replace(/[ ,;\t]+/g, "\n")], "pasted.csv")));
  }

  #toggle(open = this.more.hidden) {
    this.more.hidden = !open;
    this.drawButton.setAttribute("aria-expanded", String(open));
  }

  async #record() {
    if (this.microphone) {
      const { samples, rate } = await this.#ended();
      if (!samples.length) return;
      const convert = rate === this.model.input.sample_rate_hz ? {} : { resample: "true" };
      this.one(fromSamples("microphone", [samples], rate, convert));
      return;
    }
    this.microphone = new Microphone();
    try {
      await this.microphone.start((length, loudness) => {
        this.micButton.textContent = `Stop (${length.toFixed(1)} s)`;
        this.micButton.style.setProperty("--loud", `${Math.round(100 * Math.min(1, loudness))}%`);
        if (length > LONGEST) this.#record();
      });
      this.micButton.classList.add("recording");
    } catch (error) {
      this.microphone = null;
      this.failed(new Error(`The microphone cannot be used: ${error.message}. Allow it in the browser, or choose a file.`));
    }
  }

  async #ended() {
    const microphone = this.microphone;
    this.microphone = null;
    this.micButton.textContent = "Record";
    this.micButton.classList.remove("recording");
    return microphone.stop();
  }
}
