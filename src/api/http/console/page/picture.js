/** A picture as an input, with the activation map over it. */

import { canvas2d, h, onceAFrame, onResize } from "./dom.js";
import { onTheme, token } from "./palette.js";

export class Picture {
  constructor() {
    this.canvas = h("canvas", { class: "picture", role: "img" });
    this.draw = onceAFrame(() => this.#draw());
    onResize(this.canvas, this.draw);
    onTheme(this.draw);
  }

  /** Shows a file; `alternative` says what it is. */
  async show(blob, alternative) {
    this.canvas.setAttribute("aria-label", alternative);
    this.map = null;
    const next = await createImageBitmap(blob).catch(() => null);
    this.bitmap?.close();
    this.bitmap = next;
    this.draw();
  }

  /**
   * Lays the map of an answer over the picture: rows of numbers, positive where they speak for the class. It covers
   * what the model sees: all of the picture, or its middle.
   */
  overlay(map, { geometry, width, height }) {
    this.map = map;
    this.seen = geometry === "center-crop" ? width / height : null;
    this.draw();
  }

  #draw() {
    const { context, width, height } = canvas2d(this.canvas);
    if (!this.bitmap || !width) return;
    const scale = Math.min(width / this.bitmap.width, height / this.bitmap.height);
    const [w, hgt] = [this.bitmap.width * scale, this.bitmap.height * scale];
    const [left, top] = [(width - w) / 2, (height - hgt) / 2];
    context.imageSmoothingEnabled = scale < 1;
    context.drawImage(this.bitmap, left, top, w, hgt);
    if (!this.map) return;
    const ratio = this.seen ?? w / hgt, wide = Math.min(w, hgt * ratio), tall = wide / ratio;
    this.#drawMap(context, left + (w - wide) / 2, top + (hgt - tall) / 2, wide / this.map.width, tall / this.map.height);
  }

  #drawMap(context, left, top, wide, tall) {
    const values = this.map.values.flat(), most = Math.max(...values.map(Math.abs), 1e-12);
    for (const [i, value] of values.entries()) {
      context.globalAlpha = 0.5 * (Math.abs(value) / most);
      context.fillStyle = token(value > 0 ? "for" : "against");
      context.fillRect(left + (i % this.map.width) * wide, top + Math.floor(i / this.map.width) * tall, wide + 0.5, tall + 0.5);
    }
    context.globalAlpha = 1;
  }
}
