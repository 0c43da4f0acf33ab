/** The options of a recording: a form, and what the server's own sentence asks for. */

import { h, show } from "./dom.js";

const FIELDS = [
  { name: "channel", label: "Channel", hint: "name or position", size: 12 },
  { name: "variable", label: "Variable", hint: "of MAT and NPZ files", size: 14 },
  { name: "sample_rate_hz", label: "Sample rate", hint: "Hz", size: 9, number: true },
  { name: "overlap", label: "Overlap", hint: "0 to 0.95", size: 7, number: true },
  { name: "skip_lines", label: "Lines to skip", hint: "of tables", size: 7, number: true },
];

/** What a refusal asks for: a field with choices, if the sentence lists any. */
export function asked({ detail, code }) {
  if (code !== "invalid_argument") return null;
  const list = (pattern) => detail.match(pattern)?.[1].split(/,\s*/).map((name) => name.replaceAll('"', "").trim());
  if (/resample=true/.test(detail)) return { name: "resample", choices: ["true"], words: ["Convert to the model's rate"] };
  if (/variable/.test(detail)) return { name: "variable", choices: list(/name one of (.+)$/) ?? list(/; it has (.+)$/) ?? [] };
  if (/option channel|channel named|no channel/.test(detail)) return { name: "channel", choices: list(/channels? \(([^)]+)\)/) ?? list(/; it has (.+)$/) ?? [...Array(Number(detail.match(/has (\d+) channels/)?.[1] ?? 0)).keys()].map(String) };
  if (/sample_rate_hz|sample rate/.test(detail)) return { name: "sample_rate_hz", choices: [] };
  return null;
}

export class OptionsForm {
  /** `changed` is called when an option has a new value. */
  constructor(changed) {
    this.values = {};
    this.inputs = new Map();
    const field = ({ name, label, hint, size, number }) => {
      const input = h("input", { type: "text", inputMode: number ? "decimal" : "text", size, placeholder: hint, id: `option-${name}`, autocomplete: "off", spellcheck: false,
        onchange: () => this.set(name, input.value) });
      this.inputs.set(name, input);
      return h("div", { class: "field" }, h("label", { for: `option-${name}` }, label), input);
    };
    this.resample = h("input", { type: "checkbox", id: "option-resample", onchange: () => this.set("resample", this.resample.checked ? "true" : "") });
    this.element = h("div", { class: "fields" }, FIELDS.map(field), h("div", { class: "field check" }, this.resample, h("label", { for: "option-resample" }, "Convert the rate")));
    this.changed = changed;
  }

  /** Gives an option a value; an empty one takes it away. */
  set(name, value) {
    const text = String(value).trim();
    if (text) this.values[name] = text;
    else delete this.values[name];
    this.#write();
    this.changed();
  }

  /** Forgets all options without telling so. */
  clear() {
    this.values = {};
    this.#write();
  }

  #write() {
    for (const [name, input] of this.inputs) input.value = this.values[name] ?? "";
    this.resample.checked = this.values.resample === "true";
  }

  /** Puts the field that a refusal asks for beside its sentence. */
  question(problem, place) {
    const wanted = asked(problem);
    if (!wanted) return show(place);
    const { name, choices, words } = wanted;
    if (choices.length) {
      const label = name === "resample" ? null : h("span", { class: "note" }, `Choose a ${name}:`);
      return show(place, label, choices.slice(0, 24).map((choice, i) => h("button", { type: "button", class: "chip", onclick: () => this.set(name, choice) }, words?.[i] ?? choice)));
    }
    const input = h("input", { type: "text", size: 12, "aria-label": FIELDS.find((field) => field.name === name)?.label ?? name, placeholder: name === "sample_rate_hz" ? "samples a second" : "" });
    const give = (event) => { event.preventDefault(); this.set(name, input.value); };
    return show(place, h("form", { class: "ask", onsubmit: give }, input, h("button", { type: "submit" }, "Use it")));
  }
}
