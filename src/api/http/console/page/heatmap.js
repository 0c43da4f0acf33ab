/** What each block did to each of its channels, as a heat map: a row for each block, a cell for each channel. */

import { h, show } from "./dom.js";
import { number, percent, signed } from "./format.js";
import { divergingColour, rgb, scaleColour } from "./palette.js";

/** Deviations from the usual threshold at which the colours end. */
const FAR = 4;
/** Beyond this many standard deviations a threshold is called unusual. */
const UNUSUAL = 3;

const largest = (values) => Math.max(...values.map((value) => Math.abs(value ?? 0)));
const magnitude = { top: largest, colour: (share) => rgb(scaleColour(share)), end: "the block's largest", best: number };
const share = { ...magnitude, top: () => 1, end: "100 %", best: percent };

/** What can be shown: its name, its value of a channel, the value of the last colour, its colour, and how it is written. */
export const MEASURES = {
  zeroed: { ...share, name: "share set to zero", of: ({ zeroed }) => zeroed },
  scale: { ...share, name: "threshold as a share of A", of: ({ scale }) => scale },
  threshold: { ...magnitude, name: "threshold τ", of: ({ threshold }) => threshold },
  mean_abs: { ...magnitude, name: "mean magnitude A", of: ({ mean_abs: a }) => a },
  unusual: { name: "threshold against the usual", of: deviation, top: () => FAR, colour: divergingColour, begin: `−${FAR} σ`, end: `+${FAR} σ`, best: signed },
};

/** How many standard deviations a threshold is from that of the class's training inputs; null if that is not known. */
export function deviation({ threshold }, usual) {
  const known = usual?.threshold;
  if (!known) return null;
  if (known.deviation > 0) return (threshold - known.mean) / known.deviation;
  return threshold === known.mean ? 0 : null;
}

/** Channels of which nearly nothing was left. */
const MUTED = 0.95;
const NAMED = 6;

/** A channel in words, beside what is usual for the predicted class, if that is known. */
export function inWords(block, index, usual = null) {
  const { threshold, scale, mean_abs: a, mean_abs_after: after, zeroed } = block.channel[index], z = deviation(block.channel[index], usual);
  const common = (known, text) => (known ? ` (usual ${text(known.mean)} ± ${text(known.deviation)}` : "");
  const tau = `τ ${number(threshold)}${common(usual?.threshold, number)}${usual?.threshold ? `${z === null ? "" : `, ${signed(z)}`})` : ""}`;
  const parts = [tau, scale === null ? null : `${percent(scale)} of A ${number(a)}${common(usual?.scale, percent)}${usual?.scale ? ")" : ""}`, zeroed === undefined ? null : `${percent(zeroed)} set to zero`, after === undefined ? null : `${number(after)} left on average`];
  return `${block.name}, channel ${index}: ${parts.filter(Boolean).join(", ")}`;
}

/** Which thresholds are unusual for the predicted class, in a sentence; null if that is not known. `usual` is {@link ofClass}'s. */
export function unusualInWords(blocks, usual) {
  const all = blocks.flatMap((block, row) => (block.channel ?? []).map((channel, index) => ({ place: `${block.name}, channel ${index}`, z: deviation(channel, usual?.blocks[row]?.channel[index]) }))).filter(({ z }) => z !== null);
  if (!all.length) return null;
  const far = all.filter(({ z }) => Math.abs(z) > UNUSUAL), most = all.reduce((a, b) => (Math.abs(b.z) > Math.abs(a.z) ? b : a));
  const rest = `the farthest is ${most.place} (${signed(most.z)})`;
  return far.length
    ? `${far.length} of ${all.length} thresholds are more than ${UNUSUAL} σ from what is usual for ${usual.label}; ${rest}.`
    : `All thresholds are within ${UNUSUAL} σ of what is usual for ${usual.label}; ${rest}.`;
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
    this.compared = h("p", { class: "note" });
    this.choose = h("select", { id: "measure", onchange: () => { this.measure = this.choose.value; this.#draw(); } },
      Object.entries(MEASURES).map(([value, { name }]) => h("option", { value }, name)));
    this.legend = h("span", { class: "legend" });
    this.element = h("div", { class: "stack" }, this.summary, this.compared,
      h("div", { class: "bar-of-tools" }, h("label", { for: "measure" }, "Show"), this.choose, this.legend), this.rows, this.readout);
  }

  /** Shows the blocks of an answer with `diagnostics=full`; `usual` has the thresholds of the predicted class, or is null, and `instead` says why. */
  show(blocks, usual = null, instead = "What is usual is not known: drsn-train baseline adds it to the model.") {
    this.blocks = blocks.filter((block) => block.channel?.length);
    this.usual = usual;
    this.at = [0, 0];
    this.summary.textContent = mutedInWords(blocks);
    const compared = unusualInWords(this.blocks, usual);
    show(this.compared, compared ?? (this.blocks.length ? instead : ""));
    this.choose.querySelector("[value=unusual]").disabled = compared === null;
    if (compared === null && this.measure === "unusual") this.measure = "zeroed";
    this.choose.value = this.measure;
    this.#draw();
  }

  /** What is usual for a channel. */
  #usual(row, column) {
    return this.usual?.blocks[row]?.channel[column] ?? null;
  }

  #draw() {
    const { of, top, colour, begin = "0", end, best } = MEASURES[this.measure];
    const rows = this.blocks.map((block, row) => {
      const values = block.channel.map((channel, column) => of(channel, this.#usual(row, column)) ?? null), last = top(values) || 1;
      const cells = values.map((value, column) => h("button", {
        type: "button", class: "cell", tabIndex: row === this.at[0] && column === this.at[1] ? 0 : -1, style: { "--cell": value === null ? "transparent" : colour(value / last) },
        "aria-label": inWords(block, column, this.#usual(row, column)), onfocus: () => this.#read(row, column), onpointerenter: () => this.#read(row, column, false),
      }));
      const most = values.reduce((a, b) => (Math.abs(b ?? 0) > Math.abs(a) ? b : a), 0);
      return h("div", { class: "row" }, h("span", { class: "name" }, block.name), h("div", { class: "cells", role: "group", "aria-label": block.name, style: { "--columns": String(values.length) } }, cells), h("span", { class: "note top" }, `up to ${best(most)}`));
    });
    this.rows.onkeydown = (event) => this.#move(event);
    show(this.rows, rows);
    show(this.legend, h("span", {}, begin), h("span", { class: begin === "0" ? "ramp" : "ramp diverging" }), h("span", {}, end));
    this.readout.textContent = this.blocks.length ? "Point at a cell, or move with the arrow keys, to read it." : "";
  }

  #read(row, column, isFocus = true) {
    this.readout.textContent = inWords(this.blocks[row], column, this.#usual(row, column));
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
