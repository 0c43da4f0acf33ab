/** The answers to many files, to save: a table for people and programs, and all of it as JSON. */

/** Columns of the table, and the members of a row that they show. */
const COLUMNS = {
  file: "name", folder: "folder", class: "label", probability: "probability", windows: "windows", shift_p_value: "shift", shift_alarm: "shiftAlarm",
  level_p_value: "level", level_alarm: "levelAlarm", error: "error",
};
/** What a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** A row of comma-separated values. A text that a spreadsheet would run as a formula gets an apostrophe, which makes it a text there. */
export function csvLine(values) {
  const quote = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return values.map(quote).join(",");
}

/** Rows as {@link summarized} gives them. */
export function exportCsv(rows) {
  const lines = rows.map((row) => csvLine(Object.values(COLUMNS).map((name) => row[name])));
  return [csvLine(Object.keys(COLUMNS)), ...lines].join("\n");
}

/** The whole answer of each file, or why there is none. */
export function exportJson(rows) {
  return JSON.stringify(rows.map(({ input, answer, problem }) => ({ file: input.name, folder: input.folder, answer, error: problem?.detail ?? problem?.message })), null, 2);
}
