/** Many files: a table of answers as they come, filters, a confusion matrix and exports. */

import { patiently } from "./api.js";
import { confusion, confusionTable } from "./confusion.js";
import { download, h, onceAFrame, show } from "./dom.js";
import { number, percent } from "./format.js";
import { ask, chosenFiles, fromFile } from "./inputs.js";
import { OptionsForm } from "./options.js";
import { problemNote } from "./problem.js";
import { droppable } from "./sources.js";
import { Table } from "./table.js";

const AT_ONCE = 4;
/** Below this probability an answer counts as unsure. */
const UNSURE = 0.8;

/** A row's text in a table of comma-separated values. */
export function csvLine(values) {
  const quote = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return values.map(quote).join(",");
}

/** What of an answer the table shows. */
export function summarized({ input, prediction, problem }) {
  const { input_shift: shift, input_level: level } = prediction?.diagnostics ?? {};
  return {
    name: input.name, folder: input.folder, label: prediction?.label ?? null, probability: prediction?.probability ?? null,
    windows: prediction ? prediction.windows?.length ?? 1 : null, shift: shift?.p_value ?? null, shiftAlarm: shift?.alarm ?? null,
    level: level?.p_value ?? null, levelAlarm: level?.alarm ?? null, error: problem?.detail ?? problem?.message ?? null,
  };
}

function alarmCell(p, alarm) {
  if (alarm === null) return "–";
  return [p === null ? "" : number(p), " ", h("span", { class: alarm ? "status alarm" : "status fine" }, alarm ? "alarm" : "ok")];
}

export class Many {
  /** `open` shows an input by itself. */
  constructor(shared, open) {
    this.shared = shared;
    this.rows = [];
    this.options = new OptionsForm(() => this.#again());
    const files = (folder) => h("input", { type: "file", multiple: true, hidden: true, webkitdirectory: folder, "aria-label": folder ? "Folder" : "Files", onchange: (event) => { this.add(chosenFiles(event.target.files)); event.target.value = ""; } });
    const [several, folder] = [files(false), files(true)];
    this.alarms = h("input", { type: "checkbox", id: "only-alarms", onchange: () => this.draw() });
    this.unsure = h("input", { type: "checkbox", id: "only-unsure", onchange: () => this.draw() });
    this.count = h("p", { class: "note", role: "status" });
    this.matrix = h("div");
    this.problem = h("div", { role: "alert" });
    this.question = h("div", { class: "part-question" });
    this.table = new Table("Answers to the files", [
      { name: "File", of: (row) => row.name, cell: (row) => h("button", { type: "button", class: "link", onclick: () => open(row.input) }, row.name) },
      { name: "Folder", of: (row) => row.folder, cell: (row) => row.folder ?? "–" },
      { name: "Class", of: (row) => row.label, cell: (row) => row.label ?? h("span", { class: row.error ? "status alarm" : "note" }, row.error ?? "waiting …") },
      { name: "Probability", numeric: true, of: (row) => row.probability, cell: (row) => percent(row.probability) },
      { name: "Windows", numeric: true, of: (row) => row.windows, cell: (row) => row.windows ?? "–" },
      { name: "Shift p", numeric: true, of: (row) => row.shift, cell: (row) => alarmCell(row.shift, row.shiftAlarm) },
      { name: "Level p", numeric: true, of: (row) => row.level, cell: (row) => alarmCell(row.level, row.levelAlarm) },
    ]);
    this.empty = h("p", { class: "empty" }, "Drop files or a folder here. With a folder for each class, a confusion matrix is made.");
    this.results = h("div", { class: "stack", hidden: true },
      h("div", { class: "bar-of-tools" }, h("span", { class: "check" }, this.alarms, h("label", { for: "only-alarms" }, "only alarms")), h("span", { class: "check" }, this.unsure, h("label", { for: "only-unsure" }, `only below ${100 * UNSURE} %`)), h("span", { class: "gap" }),
        h("button", { type: "button", onclick: () => this.#export("csv") }, "Save CSV"), h("button", { type: "button", onclick: () => this.#export("json") }, "Save JSON"), h("button", { type: "button", onclick: () => this.clear() }, "Clear")),
      this.count, this.table.element, this.matrix);
    const drop = h("div", { class: "drop" }, h("div", { class: "bar-of-tools" }, h("button", { type: "button", class: "primary", onclick: () => several.click() }, "Choose files"), h("button", { type: "button", onclick: () => folder.click() }, "Choose a folder"), several, folder), this.empty);
    droppable(drop, (pairs) => this.add(pairs));
    this.optionsBox = h("details", { class: "options" }, h("summary", {}, "Options of the recordings"), this.options.element);
    this.element = h("div", { class: "view many" }, h("section", { class: "panel" }, h("h2", {}, "Many files"), drop, this.optionsBox, this.problem, this.question), h("section", { class: "panel" }, this.results));
    this.draw = onceAFrame(() => this.#draw());
  }

  suit(model) {
    this.optionsBox.hidden = model.input.kind !== "signal";
    if (this.rows.length) this.#again();
  }

  async add(pairs) {
    const inputs = await Promise.all(pairs.map(([file, folder]) => fromFile(file, folder)));
    this.rows.push(...inputs.map((input) => ({ input })));
    this.draw();
    this.#work();
  }

  clear() {
    this.generation = (this.generation ?? 0) + 1;
    this.rows = [];
    this.draw();
  }

  /** Asks for all answers anew: the model or an option changed. */
  #again() {
    this.generation = (this.generation ?? 0) + 1;
    this.rows = this.rows.map(({ input }) => ({ input }));
    show(this.problem);
    show(this.question);
    this.draw();
    this.#work();
  }

  #work() {
    const generation = this.generation;
    const next = async () => {
      for (;;) {
        const row = this.rows.find((one) => !one.begun);
        if (!row || this.generation !== generation) return;
        row.begun = true;
        try {
          const answer = await patiently(() => ask(row.input, this.shared.model, this.options.values, "summary"));
          Object.assign(row, { answer, prediction: answer.predictions[0] });
        } catch (problem) {
          row.problem = problem;
          show(this.problem, problemNote(problem, () => this.#again()));
          this.options.question(problem, this.question);
        }
        this.draw();
      }
    };
    for (let i = 0; i < AT_ONCE; i += 1) next();
  }

  #draw() {
    const all = this.rows.map((row) => ({ ...summarized(row), input: row.input }));
    const isWanted = (row) => (!this.alarms.checked || row.shiftAlarm || row.levelAlarm) && (!this.unsure.checked || (row.probability !== null && row.probability < UNSURE));
    const shown = all.filter(isWanted), done = all.filter((row) => row.label || row.error).length;
    this.results.hidden = !all.length;
    this.results.parentElement.hidden = !all.length;
    this.count.textContent = `${done} of ${all.length} files answered; ${shown.length} shown; ${all.filter((row) => row.shiftAlarm || row.levelAlarm).length} alarm`;
    this.table.show(shown);
    show(this.matrix, confusionTable(confusion(all, this.shared.model?.classes ?? [])));
  }

  #export(kind) {
    if (kind === "json") {
      const content = this.rows.map(({ input, answer, problem }) => ({ file: input.name, folder: input.folder, answer, error: problem?.detail }));
      return download("answers.json", JSON.stringify(content, null, 2), "application/json");
    }
    const names = ["name", "folder", "label", "probability", "windows", "shift", "shiftAlarm", "level", "levelAlarm", "error"];
    const heads = ["file", "folder", "class", "probability", "windows", "shift_p_value", "shift_alarm", "level_p_value", "level_alarm", "error"];
    const lines = this.rows.map(summarized).map((row) => csvLine(names.map((name) => row[name])));
    return download("answers.csv", [csvLine(heads), ...lines].join("\n"), "text/csv");
  }
}
