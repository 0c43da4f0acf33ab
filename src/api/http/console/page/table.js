/** A table that is sorted by a click on a column's head. */

import { h, show } from "./dom.js";

/** Rows shown at once; more at a button. */
const PAGE = 200;
/** What can have the focus in a row. */
const CONTROLS = "button, a[href], input";

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}

/** Rows in the order of a column's values; without a value they come last, whatever the direction. */
export function sorted(rows, of, ascending) {
  const has = (row) => of(row) !== null && of(row) !== undefined;
  const list = rows.filter(has).sort((a, b) => compare(of(a), of(b)) * (ascending ? 1 : -1));
  return [...list, ...rows.filter((row) => !has(row))];
}

/** Makes these the children of an element. What stays is not touched, so that it keeps the focus. */
function arrange(element, wanted) {
  const stays = new Set(wanted);
  for (const child of [...element.children]) if (!stays.has(child)) child.remove();
  wanted.forEach((child, i) => { if (element.children[i] !== child) element.insertBefore(child, element.children[i] ?? null); });
}

export class Table {
  /**
   * Columns are `{name, of, cell, numeric, spans}`: the value to sort by, what the cell shows, and of which rows it takes
   * the place of all further cells. A row that is the same object as before is not drawn again; rows with the same `key`
   * are about the same thing, and one that takes the place of another takes its focus, too.
   */
  constructor(caption, columns) {
    this.columns = columns;
    this.by = null;
    this.limit = PAGE;
    this.drawn = new WeakMap();
    this.heads = columns.map((column, i) => h("th", { scope: "col", class: column.numeric ? "numeric" : "" }, h("button", { type: "button", class: "sort", onclick: () => this.#sort(i) }, column.name, h("span", { class: "arrow", "aria-hidden": "true" }))));
    this.body = h("tbody");
    this.rest = h("div", { class: "rest" });
    this.element = h("div", {}, h("div", { class: "wide", tabIndex: 0, role: "region", "aria-label": caption }, h("table", {}, h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, this.heads)), this.body)), this.rest);
  }

  #sort(index) {
    if (this.by === index) this.ascending = !this.ascending;
    else [this.by, this.ascending] = [index, true];
    this.heads.forEach((head, i) => {
      if (i === index) head.setAttribute("aria-sort", this.ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    this.show(this.rows);
  }

  #row(row) {
    if (!this.drawn.has(row)) {
      const last = this.columns.findIndex(({ spans }) => spans?.(row)), all = this.columns.length;
      const cells = this.columns.slice(0, last < 0 ? all : last + 1).map(({ cell, numeric }, i) => h("td", { class: numeric ? "numeric" : "", colSpan: i === last ? all - i : 1 }, cell(row)));
      this.drawn.set(row, h("tr", {}, cells));
    }
    return this.drawn.get(row);
  }

  /** Where the focus is: the row, and which of its controls. */
  #focused() {
    const element = document.activeElement, line = this.body.contains(element) ? element.closest("tr") : null;
    const row = line && this.rows.find((one) => this.drawn.get(one) === line);
    return row && { row, element, control: [...line.querySelectorAll(CONTROLS)].indexOf(element) };
  }

  show(rows) {
    const focused = this.rows && this.#focused();
    this.rows = rows;
    const list = this.by === null ? rows : sorted(rows, this.columns[this.by].of, this.ascending);
    arrange(this.body, list.slice(0, this.limit).map((row) => this.#row(row)));
    if (focused && !focused.element.isConnected) {
      const row = rows.find(({ key }) => key && key === focused.row.key), line = row && this.drawn.get(row);
      if (line?.isConnected) line.querySelectorAll(CONTROLS)[focused.control]?.focus({ preventScroll: true });
    }
    const more = list.length - this.limit;
    show(this.rest, more > 0 && h("button", { type: "button", onclick: () => { this.limit += PAGE; this.show(this.rows); } }, `Show more (${more})`));
  }
}
