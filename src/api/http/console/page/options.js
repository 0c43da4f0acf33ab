/** The options of a recording: a form, and what the server's own sentence asks for. */

import { h, show } from "./dom.js";

const FIELDS = [
  { name: "channel", label: "Channel", hint: "name or position", size: 12 },
  { name: "variable", label: "Variable", hint: "of MAT and NPZ files", size: 18 },
  { name: "sample_rate_hz", label: "Sample rate", hint: "Hz", size: 9, number: true },
  { name: "overlap", label: "Overlap", hint: "0 to 0.95", size: 7, number: true },
  { name: "skip_lines", label: "Lines to skip", hint: "of tables", size: 7, number: true },
];

/** Choices beyond this many are left out. */
const MOST_CHOICES = 24;

/** What a refusal asks for: a field with choices, if the sentence lists any. */
export function asked({ detail, code }) {
  if (code !== "invalid_argument" || detail.includes("leave it out")) return null;
  const list = (pattern) => detail.match(pattern)?.[1].split(/,\s*/).map((name) => name.replaceAll('"', "").trim());
  if (/resample=true/.test(detail)) return { name: "resample", choices: ["true"], words: ["Convert to the model's rate"] };
  if (/variable/.test(detail)) return { name: "variable", choices: list(/name one of (.+)$/) ?? list(/; it has (.+)$/) ?? [] };
  if (/option channel|channel named|no channel/.test(detail)) return { name: "channel", choices: list(/channels? \(([^)]+)\)/) ?? positions(detail) ?? list(/; it has (.+)$/) ?? [] };
  if (/sample_rate_hz|sample rate/.test(detail)) return { name: "sample_rate_hz", choices: [] };
  return null;
}

/** The positions of channels without names. */
function positions(detail) {
  const [, last] = detail.match(/channels 0 to (\d+)/) ?? [], [, all] = detail.match(/has (\d+) channels/) ?? [];
  const most = last ? Number(last) + 1 : Number(all);
  return most ? [...Array(Math.min(most, MOST_CHOICES)).keys()].map(String) : null;
}

/** Where a variable's name can be cut: the server takes the ending of a name for the name. */
const SEPARATOR = /[_./ ]/;

/** The longest ending that two names share, from a separator on; all of it if they are the same. */
function sharedEnding(one, other) {
  if (one === other) return one;
  let length = 0;
  while (length < Math.min(one.length, other.length) && one.at(-1 - length) === other.at(-1 - length)) length += 1;
  const ending = length ? one.slice(-length) : "", cut = ending.search(SEPARATOR);
  return cut < 0 ? "" : ending.slice(cut + 1);
}

/** Choices that two files have in common, if a question is the same for both; null if they have none. */
function inCommon(name, ours, theirs) {
  if (!ours.length && !theirs.length) return [];
  const isOne = (list, ending) => ending && list.filter((choice) => choice.endsWith(ending)).length === 1;
  const endings = ours.flatMap((choice) => theirs.map((other) => sharedEnding(choice, other)).filter((ending) => isOne(ours, ending) && isOne(theirs, ending)));
  const common = name === "variable" ? [...new Set(endings)] : ours.filter((choice) => theirs.includes(choice));
  return common.length ? common : null;
}

/** What files ask for, each question once: `[{name, choices, words, rows}]`. Rows have the `problem` of their file. */
export function questions(rows) {
  const found = [];
  for (const row of rows) {
    const wanted = row.problem && asked(row.problem);
    if (!wanted) continue;
    const same = found.find(({ name, choices }) => name === wanted.name && inCommon(name, choices, wanted.choices));
    if (same) Object.assign(same, { choices: inCommon(same.name, same.choices, wanted.choices), rows: [...same.rows, row] });
    else found.push({ ...wanted, rows: [row] });
  }
  return found;
}

/** Buttons for the choices, or a field, for what a refusal asks for; `give` gets the value. */
export function choicesOf({ name, choices, words }, give) {
  if (choices.length) return choices.slice(0, MOST_CHOICES).map((choice, i) => h("button", { type: "button", class: "chip", onclick: () => give(choice) }, words?.[i] ?? choice));
  const input = h("input", { type: "text", size: 12, "aria-label": FIELDS.find((field) => field.name === name)?.label ?? name, placeholder: name === "sample_rate_hz" ? "samples a second" : "" });
  return h("form", { class: "ask", onsubmit: (event) => { event.preventDefault(); give(input.value.trim()); } }, input, h("button", { type: "submit" }, "Use it"));
}

export class OptionsForm {
  /** `changed` is called with the name of an option that has a new value. */
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
    this.changed(name);
  }

  /** Takes these options in place of all, without telling so. */
  replace(values) {
    this.values = { ...values };
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
    const label = wanted.choices.length && wanted.name !== "resample" ? h("span", { class: "note" }, `Choose a ${wanted.name}:`) : null;
    return show(place, label, choicesOf(wanted, (value) => this.set(wanted.name, value)));
  }
}
