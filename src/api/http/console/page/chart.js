/** A line over the last minutes. */

import { h, s } from "./dom.js";

const WIDTH = 300, HEIGHT = 64, LEAST = 30;

export class Chart {
  /** `text` writes a value with its unit; `most` points are kept. */
  constructor(title, text, most = 150) {
    Object.assign(this, { title, text, most, values: [] });
    this.now = h("p", { class: "now" }, "–");
    this.top = h("span", { class: "note" });
    this.line = s("polyline", { class: "line" });
    this.svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" }, s("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }), this.line);
    this.element = h("div", { class: "tile" }, h("h3", {}, title), this.now, this.svg, this.top);
  }

  /** Adds a value, or null for a gap. */
  push(value) {
    this.values.push(value);
    if (this.values.length > this.most) this.values.shift();
    const known = this.values.filter((one) => one !== null), top = Math.max(...known, 0) || 1;
    // The first minute fills the chart; later the line moves.
    const room = Math.max(LEAST, this.values.length);
    const place = (i) => ((room - this.values.length + i) / (room - 1)) * WIDTH;
    const points = this.values.map((one, i) => (one === null ? null : `${place(i).toFixed(1)},${(HEIGHT - 2 - (one / top) * (HEIGHT - 6)).toFixed(1)}`));
    this.line.setAttribute("points", points.filter(Boolean).join(" "));
    this.now.textContent = value === null ? "–" : this.text(value);
    this.top.textContent = known.length ? `up to ${this.text(Math.max(...known))}` : "nothing yet";
    this.svg.setAttribute("aria-label", `${this.title}: now ${this.now.textContent}, ${this.top.textContent}`);
  }
}
