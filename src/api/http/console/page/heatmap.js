/** What each block did to each of its channels, as a heat map: a row for each block, a cell for each channel. */

import { h, show } from "./dom.js";
import { number, percent } from "./format.js";
import { rgb, scaleColour } from "./palette.js";

export const MEASURES = {
  zeroed: { name: "share set to zero", of: ({ zeroed }) => zeroed, most: () => 1, text: percent },
  scale: { name: "threshold as a share of A", of: ({ scale }) => scale, most: () => 1, text: percent },
  threshold: { name: "threshold τ", of: ({ threshold }) => threshold, most: (all) => Math.max(...all), text: number },
  mean_abs: { name: "mean magnitude A", of: ({ mean_abs: a }) => a, most: (all) => Math.max(...all), text: number },
};

/** Channels of which nearly nothing was left. */
const MUTED = 0.95;
const NAMED = 6;

/** A channel in words. */
export function inWords(block, index) {
  const { threshold, scale, mean_abs: a, mean_abs_after: after, zeroed } = block.channel[index];
  const parts = [`τ ${number(threshold)}`, scale === null ? null : `${percent(scale)} of A ${number(a)}`, zeroed === undefined ? null : `${percent(zeroed)} set to zero`, after === undefined ? null : `${number(after)} left on average`];
  return `${block.name}, channel ${index}: ${parts.filter(Boolean).join(", ")}`;
}

/** Which channels the network muted, in a sentence. */
export function mutedInWords(blocks) {
  const all = blocks.flatMap((block) => (block.channel ?? []).map((channel, index) => ({ block: block.name, index, zeroed: channel.zeroed ?? 0 })));
  if (!all.length) return "This network has no thresholds.";
  const muted = all.filter(({ zeroed }) => zeroed >= MUTED).sort((a, b) => b.zeroed - a.zeroed);
  const least = Math.round(100 * MUTED);
  if (!muted.length) {
    const { block, index, zeroed } = all.reduce((most, one) => (one.zeroed > most.zeroed ? one : most));
    return `No channel was muted as a whole. The strongest threshold set ${percent(zeroed)} of its channel to zero: ${block}, channel ${index}.`;
  }
  const named = muted.slice(0, NAMED).map(({ block, index }) => `${block} ${index}`).join(", ");
  return `${muted.length} of ${all.length} channels were muted (at least ${least} % set to zero): ${named}${muted.length > NAMED ? " …" : ""}`;
}

export class HeatMap {
  constructor() {
    this.measure = "zeroed";
    this.readout = h("p", { class: "readout", "aria-live": "polite" });
    this.rows = h("div", { class: "heat" });
    this.summary = h("p", {});
    const choose = h("select", { id: "measure", onchange: () => { this.measure = choose.value; this.#draw(); } },
      Object.entries(MEASURES).map(([value, { name }]) => h("option", { value }, name)));
    this.legend = h("span", { class: "legend" });
    this.element = h("div", { class: "stack" }, this.summary,
      h("div", { class: "bar-of-tools" }, h("label", { for: "measure" }, "Show"), choose, this.legend), this.rows, this.readout);
  }

  /** Shows the blocks of an answer with `diagnostics=full`. */
  show(blocks) {
    this.blocks = blocks.filter((block) => block.channel?.length);
    this.at = [0, 0];
    this.summary.textContent = mutedInWords(blocks);
    this.#draw();
  }

  #draw() {
    const { of, most, text } = MEASURES[this.measure];
    const rows = this.blocks.map((block, row) => {
      const values = block.channel.map(of), top = most(values.map((value) => value ?? 0)) || 1;
      const cells = values.map((value, column) => h("button", {
        type: "button", class: "cell", tabIndex: row === this.at[0] && column === this.at[1] ? 0 : -1,
        style: { "--cell": value === null || value === undefined ? "transparent" : rgb(scaleColour(value / top)) },
        "aria-label": inWords(block, column), onfocus: () => this.#read(row, column), onpointerenter: () => this.#read(row, column, false),
      }));
      return h("div", { class: "row" }, h("span", { class: "name" }, block.name), h("div", { class: "cells", role: "group", "aria-label": block.name, style: { "--columns": String(values.length) } }, cells), h("span", { class: "note top" }, `max ${text(Math.max(...values.map((value) => value ?? 0)))}`));
    });
    this.rows.onkeydown = (event) => this.#move(event);
    show(this.rows, rows);
    show(this.legend, h("span", {}, "0"), h("span", { class: "ramp" }), h("span", {}, this.measure === "zeroed" || this.measure === "scale" ? "100 %" : "the block's largest"));
    this.readout.textContent = this.blocks.length ? "Point at a cell, or move with the arrow keys, to read it." : "";
  }

  #read(row, column, isFocus = true) {
    this.readout.textContent = inWords(this.blocks[row], column);
    if (!isFocus) return;
    this.#cell(...this.at)?.setAttribute("tabindex", "-1");
    this.at = [row, column];
    this.#cell(row, column).setAttribute("tabindex", "0");
  }

  #cell(row, column) {
    return this.rows.children[row]?.querySelectorAll(".cell")[column];
  }

  #move(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity] }[event.key];
    if (!step || !this.blocks.length) return;
    event.preventDefault();
    const within = (value, most) => Math.min(most - 1, Math.max(0, value));
    const row = within(this.at[0] + step[0], this.blocks.length);
    this.#cell(row, within(this.at[1] + step[1], this.blocks[row].channel.length)).focus();
  }
}
