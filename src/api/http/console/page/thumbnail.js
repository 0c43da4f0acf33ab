/** A small picture of an input: its whole waveform, or the picture itself. */

import { canvas2d, h, onceAFrame, onResize } from "./dom.js";
import { onTheme, token } from "./palette.js";

export class Thumbnail {
  constructor() {
    this.canvas = h("canvas", { class: "thumbnail", "aria-hidden": "true" });
    this.draw = onceAFrame(() => this.#draw());
    onResize(this.canvas, this.draw);
    onTheme(this.draw);
  }

  signal(pyramid) {
    Object.assign(this, { pyramid, bitmap: null });
    this.draw();
  }

  async picture(blob) {
    Object.assign(this, { pyramid: null, bitmap: await createImageBitmap(blob).catch(() => null) });
    this.draw();
  }

  #draw() {
    const { context, width, height } = canvas2d(this.canvas);
    if (this.bitmap) {
      const scale = Math.min(width / this.bitmap.width, height / this.bitmap.height);
      context.imageSmoothingEnabled = scale < 1;
      context.drawImage(this.bitmap, (width - this.bitmap.width * scale) / 2, 0, this.bitmap.width * scale, this.bitmap.height * scale);
    }
    if (!this.pyramid) return;
    const { length } = this.pyramid.samples, [least, most] = this.pyramid.range(0, length);
    const y = (value) => height - 2 - ((value - least) / (most - least || 1)) * (height - 4);
    context.fillStyle = token("signal");
    for (let x = 0; x < width; x += 1) {
      const range = this.pyramid.range((x / width) * length, ((x + 1) / width) * length);
      if (range) context.fillRect(x, y(range[1]), 1, Math.max(1, y(range[0]) - y(range[1])));
    }
  }
}
