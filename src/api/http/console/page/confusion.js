/** Folders against answers: the confusion matrix of files that lie in a folder per class. */

import { h } from "./dom.js";
import { percent } from "./format.js";
import { rgb, scaleColour } from "./palette.js";

/**
 * `{folders, classes, counts, refused, right, all}`: files of each folder (rows, in the order of the classes, then the
 * others) by the class of their answer (columns), and those without one.
 */
export function confusion(rows, classes) {
  const told = rows.filter(({ folder, label, error }) => folder && (label || error));
  const place = (folder) => { const at = classes.indexOf(folder); return at < 0 ? classes.length : at; };
  const folders = [...new Set(told.map(({ folder }) => folder))].sort((a, b) => place(a) - place(b) || a.localeCompare(b, "en", { numeric: true }));
  const number = (folder, is) => told.filter((row) => row.folder === folder && is(row)).length;
  const counts = folders.map((folder) => classes.map((name) => number(folder, ({ label }) => label === name)));
  const refused = folders.map((folder) => number(folder, ({ label }) => !label));
  const right = told.filter(({ folder, label }) => folder === label).length;
  const all = told.filter(({ folder, label }) => label && classes.includes(folder)).length;
  return { folders, classes, counts, refused, right, all };
}

/** The matrix as a table; none unless files lie in at least two folders. */
export function confusionTable({ folders, classes, counts, refused, right, all }) {
  if (folders.length < 2) return null;
  const shown = classes.map((_, i) => i).filter((i) => folders.includes(classes[i]) || counts.some((row) => row[i]));
  const words = all ? `${percent(right / all)} of the ${all} classified files in folders named like a class got that class.` : "No classified file lies in a folder that is named like a class of the model.";
  const cell = (count, sum) => {
    const share = sum ? count / sum : 0;
    return h("td", { class: "count", style: { "--cell": count ? rgb(scaleColour(share)) : "transparent", "--ink": share > 0.55 ? "#000" : count ? "#fff" : "inherit" } }, count ? String(count) : "·");
  };
  const hasRefused = refused.some((count) => count);
  const row = (folder, i) => h("tr", {}, h("th", { scope: "row" }, folder), shown.map((c) => cell(counts[i][c], counts[i].reduce((a, b) => a + b, 0))), hasRefused && h("td", {}, refused[i] ? String(refused[i]) : "·"));
  const heads = [...shown.map((c) => classes[c]), ...(hasRefused ? ["refused"] : [])].map((name) => h("th", { scope: "col" }, name));
  return [h("h3", {}, "Folders against answers"), h("p", {}, words),
    h("div", { class: "wide", tabIndex: 0, role: "region", "aria-label": "Confusion matrix" }, h("table", { class: "confusion" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "folder"), heads)), h("tbody", {}, folders.map(row))))];
}
