/** Many files: a table of answers as they come, filters, a confusion matrix and exports. */

import { hasKey, patiently } from "./api.js";
import { confusion, confusionTable } from "./confusion.js";
import { download, h, onceAFrame, show } from "./dom.js";
import { exportCsv, exportJson } from "./export.js";
import { count, number, percent, sentence } from "./format.js";
import { ask, chosenFiles, fromFile, suiting } from "./inputs.js";
import { OptionsForm, choicesOf, questions } from "./options.js";
import { isPassing, problemNote } from "./problem.js";
import { loops, showSnippets } from "./snippets.js";
import { droppable } from "./sources.js";
import { Table } from "./table.js";

const AT_ONCE = 4;
/** Below this probability an answer counts as unsure. */
const UNSURE = 0.8;

/** What the filters leave. */
const FILTERS = {
  alarms: { words: "only alarms", leaves: ({ shiftAlarm, levelAlarm }) => shiftAlarm || levelAlarm },
  unsure: { words: `only below ${100 * UNSURE} %`, leaves: ({ probability }) => probability !== null && probability < UNSURE },
  refused: { words: "only refused", leaves: ({ error }) => error !== null },
};

/** What files need, in words. */
const NEEDS = { variable: ["has several variables", "have several variables"], channel: ["has several channels", "have several channels"], resample: ["has another sample rate than the model", "have another sample rate than the model"], sample_rate_hz: ["does not tell its sample rate", "do not tell their sample rate"] };

/** What of an answer the table shows. */
export function summarized({ input, prediction, problem }) {
  const { input_shift: shift, input_level: level } = prediction?.diagnostics ?? {};
  return {
    name: input.name, folder: input.folder, label: prediction?.label ?? null, probability: prediction?.probability ?? null,
    windows: prediction ? prediction.windows?.length ?? 1 : null, shift: shift?.p_value ?? null, shiftAlarm: shift?.alarm ?? null,
    level: level?.p_value ?? null, levelAlarm: level?.alarm ?? null, error: problem ? sentence(problem.detail ?? problem.message) : null,
  };
}

/** Files in the order of their folders and names, as people count. */
export function inOrder(pairs) {
  const compare = (a, b) => a.localeCompare(b, "en", { numeric: true });
  return pairs.toSorted(([a, one], [b, other]) => compare(one ?? "", other ?? "") || compare(a.name, b.name));
}

function alarmCell(p, alarm) {
  if (alarm === null) return "–";
  return [p === null ? "" : number(p), " ", h("span", { class: alarm ? "status alarm" : "status fine" }, alarm ? "alarm" : "ok")];
}

export class Many {
  /** `open` shows an input by itself, with its options. */
  constructor(shared, open) {
    this.shared = shared;
    this.rows = [];
    this.working = 0;
    this.options = new OptionsForm((name) => this.#again(this.rows, ({ [name]: _, ...others }) => others));
    this.count = h("p", { class: "note", role: "status", tabIndex: -1 });
    this.matrix = h("div", { class: "stack" });
    this.request = h("div");
    this.problem = h("div", { role: "alert" });
    this.questions = h("div", { class: "stack" });
    this.table = this.#table(open);
    this.draw = onceAFrame(() => this.#draw());
    this.optionsBox = h("details", { class: "options" }, h("summary", {}, "Options of the recordings"), this.options.element, h("p", { class: "note" }, "Each is used for the files that can have it."));
    this.results = h("section", { class: "panel", hidden: true }, this.#tools(), this.count, this.table.element, this.matrix, h("details", {}, h("summary", {}, "The same requests"), this.request));
    this.element = h("div", { class: "view many" }, h("section", { class: "panel" }, h("h2", {}, "Many files"), this.#drop(), this.optionsBox, this.problem, this.questions), this.results);
  }

  #table(open) {
    const name = (row) => [h("button", { type: "button", class: "link", onclick: () => open(row.input, row.options) }, row.name), row.folder && h("span", { class: "note within" }, row.folder)];
    const table = new Table("Answers to the files", [
      { name: "File", of: (row) => row.name, cell: name },
      { name: "Folder", of: (row) => row.folder, cell: (row) => row.folder ?? "–" },
      { name: "Class", of: (row) => row.label, spans: (row) => row.error, cell: (row) => row.label ?? h("span", { class: row.error ? "refused" : "note" }, row.error ?? "waiting …") },
      { name: "Probability", numeric: true, of: (row) => row.probability, cell: (row) => percent(row.probability) },
      { name: "Windows", numeric: true, of: (row) => row.windows, cell: (row) => row.windows ?? "–" },
      { name: "Shift p", numeric: true, of: (row) => row.shift, cell: (row) => alarmCell(row.shift, row.shiftAlarm) },
      { name: "Level p", numeric: true, of: (row) => row.level, cell: (row) => alarmCell(row.level, row.levelAlarm) },
    ]);
    table.element.classList.add("answers");
    return table;
  }

  #tools() {
    this.filters = Object.keys(FILTERS).map((name) => h("input", { type: "checkbox", id: `only-${name}`, onchange: () => this.draw() }));
    const filters = Object.entries(FILTERS).map(([name, { words }], i) => h("span", { class: "check" }, this.filters[i], h("label", { for: `only-${name}` }, words)));
    const button = (text, act) => h("button", { type: "button", onclick: act }, text);
    return h("div", { class: "bar-of-tools" }, filters, h("span", { class: "gap" }),
      h("div", { class: "bar-of-tools" }, button("Save CSV", () => download("answers.csv", exportCsv(this.rows.map(summarized)), "text/csv")),
        button("Save JSON", () => download("answers.json", exportJson(this.rows), "application/json")), button("Clear", () => this.clear())));
  }

  #drop() {
    const files = (folder) => h("input", { type: "file", multiple: true, hidden: true, webkitdirectory: folder, "aria-label": folder ? "Folder" : "Files", onchange: (event) => { this.add(chosenFiles(event.target.files)); event.target.value = ""; } });
    const [several, folder] = [files(false), files(true)];
    const drop = h("div", { class: "drop" }, h("div", { class: "bar-of-tools" }, h("button", { type: "button", class: "primary", onclick: () => several.click() }, "Choose files"), h("button", { type: "button", onclick: () => folder.click() }, "Choose a folder"), several, folder),
      h("p", { class: "note" }, "Drop files or a folder here. With a folder for each class, a confusion matrix is made."));
    droppable(drop, (pairs) => this.add(pairs));
    return drop;
  }

  /** Another model, or version, was chosen. */
  suit(model) {
    this.optionsBox.hidden = model.input.kind !== "signal";
    this.#again(this.rows);
  }

  async add(pairs) {
    const inputs = await Promise.all(inOrder(pairs).map(([file, folder]) => fromFile(file, folder)));
    this.rows.push(...inputs.map((input) => ({ input, options: {} })));
    this.#work();
  }

  clear() {
    this.rows = [];
    show(this.problem);
    this.draw();
  }

  /** Asks for the answers of these rows anew, with what `change` makes of their own options. What is under way for them is forgotten. */
  #again(rows, change = (options) => options) {
    const chosen = new Set(rows);
    this.rows = this.rows.map((row) => (chosen.has(row) ? { input: row.input, options: change(row.options) } : row));
    this.#work();
  }

  /** What is sent with a file: its own options before those of all. */
  #optionsOf({ input, options }) {
    return input.isImage ? {} : { ...suiting(this.options.values, input.type), ...options };
  }

  #work() {
    show(this.problem);
    this.draw();
    for (; this.shared.model && this.working < AT_ONCE; this.working += 1) this.#worker().finally(() => { this.working -= 1; });
  }

  /** Sends one file after the other, until all are sent or a key is missing. */
  async #worker() {
    for (;;) {
      const row = this.rows.find(({ begun }) => !begun);
      if (!row) return;
      row.begun = true;
      try {
        const answer = await patiently(() => ask(row.input, this.shared.model, this.#optionsOf(row), "summary"), () => this.rows.includes(row));
        Object.assign(row, { answer, prediction: answer.predictions[0], told: null });
      } catch (problem) {
        if (this.rows.includes(row) && isPassing(problem)) show(this.problem, problemNote(problem, () => this.#again(this.rows.filter((one) => one.problem && isPassing(one.problem)))));
        // Without a key no file is answered; asking again would ask the user again.
        if (problem.status === 401) { row.begun = false; show(this.problem, problemNote(problem, () => this.#work())); return; }
        Object.assign(row, { problem, told: null });
      }
      this.draw();
    }
  }

  /** A row for the table, the same object until there is something new to tell. */
  #told(row) {
    row.told ??= { ...summarized(row), key: row.input, input: row.input, options: this.#optionsOf(row) };
    return row.told;
  }

  #draw() {
    const all = this.rows.map((row) => this.#told(row));
    const wanted = Object.values(FILTERS).filter((_, i) => this.filters[i].checked);
    const shown = all.filter((row) => wanted.every(({ leaves }) => leaves(row)));
    const of = (leaves) => all.filter(leaves).length, classified = of(({ label }) => label), refused = of(FILTERS.refused.leaves);
    this.results.hidden = !all.length;
    this.count.textContent = `${classified + refused} of ${count(all.length, "file")} answered: ${classified} classified, ${refused} refused, ${count(of(FILTERS.alarms.leaves), "alarm")}; ${shown.length} shown`;
    this.table.show(shown);
    this.#ask();
    if (!all.length || !this.shared.model) return;
    show(this.matrix, confusionTable(confusion(all, this.shared.model?.classes ?? [])));
    showSnippets(this.request, loops(location.origin, all, this.shared.model, hasKey()));
  }

  /** Asks what files leave open, once for all that leave the same open. */
  #ask() {
    const list = questions(this.rows), text = JSON.stringify(list.map(({ name, choices, rows }) => [name, choices, rows.length]));
    if (text === this.asked) return;
    this.asked = text;
    const give = ({ name, rows }) => (value) => { this.#again(rows, (options) => ({ ...options, [name]: value })); this.count.focus(); };
    show(this.questions, list.map((question) => h("div", { class: "part-question" },
      h("span", {}, `${count(question.rows.length, "file")} ${NEEDS[question.name][question.rows.length === 1 ? 0 : 1]}:`), choicesOf(question, give(question)))));
  }
}
