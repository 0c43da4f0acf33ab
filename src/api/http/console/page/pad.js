/** A pad to draw on, white on black as the digits of the training data are. */

import { fromCanvas } from "./inputs.js";
import { h } from "./dom.js";

const SIZE = 280, PEN = 22;

export class Pad {
  /** `drawn` is called with an input after each stroke. */
  constructor(drawn) {
    this.canvas = h("canvas", { class: "pad", width: SIZE, height: SIZE, tabIndex: 0, role: "img",
      "aria-label": "Pad to draw on. By keyboard: the arrow keys move the pen, with Shift they draw" });
    this.context = this.canvas.getContext("2d");
    this.pen = [SIZE / 2, SIZE / 4];
    this.count = 0;
    this.drawn = drawn;
    this.clear();
    this.canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.canvas.addEventListener("pointermove", (event) => { if (event.buttons & 1) this.#line(this.#place(event)); });
    this.canvas.addEventListener("pointerup", () => this.#tell());
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("keyup", (event) => { if (event.key === "Shift") this.#tell(); });
    const clear = h("button", { type: "button", onclick: () => this.clear() }, "Clear");
    this.element = h("div", { class: "drawing" }, this.canvas, h("div", {}, clear, h("p", { class: "note" }, "The answer comes when the pen is lifted.")));
  }

  clear() {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, SIZE, SIZE);
    Object.assign(this.context, { strokeStyle: "#fff", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    this.dirty = false;
  }

  #place(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
  }

  #begin(event) {
    event.preventDefault();
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    this.pen = this.#place(event);
    this.#line(this.pen);
  }

  #line([x, y]) {
    this.context.beginPath();
    this.context.moveTo(...this.pen);
    this.context.lineTo(x + 0.01, y);
    this.context.stroke();
    this.pen = [x, y];
    this.dirty = true;
  }

  #key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const to = this.pen.map((value, axis) => Math.min(SIZE, Math.max(0, value + 10 * step[axis])));
    if (event.shiftKey) this.#line(to);
    else this.pen = to;
  }

  async #tell() {
    if (!this.dirty) return;
    this.dirty = false;
    this.count += 1;
    this.drawn(await fromCanvas("drawing.png", this.canvas));
  }
}
