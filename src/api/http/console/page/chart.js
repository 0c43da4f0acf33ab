/** A line over the last minutes. */

import { h, s, say } from "./dom.js";

const WIDTH = 300, HEIGHT = 64;
/** Seconds: the first minute fills the chart, later the line moves. */
const LEAST = 60, MOST = 300;

export class Chart {
  /** `text` writes a value with its unit. */
  constructor(title, text) {
    Object.assign(this, { title, text, points: [] });
    this.now = h("p", { class: "now" }, "–");
    this.top = h("span", { class: "note" });
    this.line = s("polyline", { class: "line" });
    this.svg = s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: nothing yet` }, s("line", { class: "base", x1: 0, x2: WIDTH, y1: HEIGHT - 1, y2: HEIGHT - 1 }), this.line);
    this.element = h("div", { class: "tile" }, h("h3", {}, title), this.now, this.svg, this.top);
  }

  /** Adds the value of a moment in seconds, or null for a gap. Only what differs from what is seen is changed. */
  push(value, at) {
    this.points.push([at, value]);
    while (this.points[0][0] < at - MOST) this.points.shift();
    const known = this.points.filter(([, one]) => one !== null).map(([, one]) => one), top = Math.max(...known, 0) || 1;
    const span = Math.max(LEAST, at - this.points[0][0]);
    const place = ([then, one]) => `${(WIDTH * (1 - (at - then) / span)).toFixed(1)},${(HEIGHT - 2 - (one / top) * (HEIGHT - 6)).toFixed(1)}`;
    const line = this.points.filter(([, one]) => one !== null).map(place).join(" ");
    if (line !== this.drawn) this.line.setAttribute("points", line);
    this.drawn = line;
    const isNew = say(this.now, value === null ? "–" : this.text(value));
    const isOther = say(this.top, known.length ? `up to ${this.text(Math.max(...known))}` : "nothing yet");
    if (isNew || isOther) this.svg.setAttribute("aria-label", `${this.title}: now ${this.now.textContent}, ${this.top.textContent}`);
  }
}
