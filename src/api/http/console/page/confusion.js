/** Folders against answers: the confusion matrix of files that lie in a folder per class. */

import { h } from "./dom.js";
import { percent } from "./format.js";
import { rgb, scaleColour } from "./palette.js";

/** `{folders, classes, counts, right, all}`: files of each folder (rows) by the class of their answer (columns). */
export function confusion(rows, classes) {
  const told = rows.filter(({ folder, label }) => folder && label);
  const folders = [...new Set(told.map(({ folder }) => folder))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const counts = folders.map((folder) => classes.map((name) => told.filter((row) => row.folder === folder && row.label === name).length));
  const named = folders.filter((folder) => classes.includes(folder));
  const right = told.filter(({ folder, label }) => folder === label).length;
  const all = told.filter(({ folder }) => named.includes(folder)).length;
  return { folders, classes, counts, right, all };
}

/** The matrix as a table; none unless files lie in at least two folders. */
export function confusionTable({ folders, classes, counts, right, all }) {
  if (folders.length < 2) return null;
  const shown = classes.map((_, i) => i).filter((i) => folders.includes(classes[i]) || counts.some((row) => row[i]));
  const words = all ? `${percent(right / all)} of the ${all} files in folders named like a class got that class.` : "No folder is named like a class of the model.";
  const cell = (count, sum) => {
    const share = sum ? count / sum : 0;
    return h("td", { class: "count", style: { "--cell": count ? rgb(scaleColour(share)) : "transparent", "--ink": share > 0.55 ? "#000" : count ? "#fff" : "inherit" } }, count ? String(count) : "·");
  };
  const rows = folders.map((folder, i) => h("tr", {}, h("th", { scope: "row" }, folder), shown.map((c) => cell(counts[i][c], counts[i].reduce((a, b) => a + b, 0)))));
  return [h("h3", {}, "Folders against answers"), h("p", {}, words), h("div", { class: "wide", tabIndex: 0, role: "region", "aria-label": "Confusion matrix" }, h("table", { class: "confusion" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "folder"), shown.map((c) => h("th", { scope: "col" }, classes[c])))), h("tbody", {}, rows)))];
}
