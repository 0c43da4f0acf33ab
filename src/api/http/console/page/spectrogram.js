/** The spectrogram of what is in view. While the view moves, the last one is moved along; it is computed anew when it rests. */

import { canvas2d, h, onceAFrame, onResize } from "./dom.js";
import { Spectrum } from "./fft.js";
import { hertz, ticks } from "./format.js";
import { onTheme, scaleColour, token } from "./palette.js";

const MOST_COLUMNS = 600, SPECTRA_OF_A_COLUMN = 4, REST = 140, SLICE = 6;
/** From the strongest to the weakest that is told apart, in decibels. */
const RANGE = 70;

/** The scale in 256 steps, as red, green, blue and opacity in one number. */
const COLOURS = Uint32Array.from({ length: 256 }, (_, i) => scaleColour(i / 255).reduce((all, part) => all * 256 + part, 0) * 256 + 255);

export class Spectrogram {
  constructor(timeline) {
    this.timeline = timeline;
    this.canvas = h("canvas", { class: "spectrogram", role: "img", "aria-label": "Spectrogram: frequency over time, bright where the signal is strong" });
    this.draw = onceAFrame(() => this.#draw());
    timeline.onChange(() => { this.draw(); this.#later(); });
    onResize(this.canvas, () => { this.draw(); this.#later(); });
    onTheme(this.draw);
  }

  show(samples) {
    this.samples = samples;
    this.picture = null;
    this.#later();
  }

  #later() {
    clearTimeout(this.timer);
    this.work = null;
    this.timer = setTimeout(() => this.#compute(), REST);
  }

  /** Computes in slices of time, so that nothing else waits for it. */
  async #compute() {
    const { samples, timeline } = this;
    const columns = Math.min(MOST_COLUMNS, this.canvas.clientWidth);
    if (!samples || !columns) return;
    const span = timeline.to - timeline.from;
    const size = Math.min(1024, Math.max(64, 2 ** Math.floor(Math.log2(span / 8))));
    const spectrum = this.spectrum?.size === size ? this.spectrum : new Spectrum(size);
    this.spectrum = spectrum;
    const rows = size / 2, powers = new Float32Array(columns * rows), hop = span / columns;
    const work = {}, { from, to } = timeline;
    this.work = work;
    let since = performance.now();
    const each = Math.max(1, Math.min(SPECTRA_OF_A_COLUMN, Math.floor(hop / size)));
    for (let column = 0; column < columns; column += 1) {
      if (performance.now() - since > SLICE) {
        await new Promise((done) => setTimeout(done));
        if (this.work !== work) return;
        since = performance.now();
      }
      const sums = powers.subarray(column * rows, (column + 1) * rows);
      for (let i = 0; i < each; i += 1) {
        const middle = from + (column + (i + 0.5) / each) * hop;
        spectrum.add(samples, Math.min(samples.length - size, Math.max(0, Math.round(middle - size / 2))), sums);
      }
    }
    this.#paint(powers, columns, rows);
    [this.from, this.to] = [from, to];
    this.draw();
  }

  #paint(powers, columns, rows) {
    const most = 10 * Math.log10(powers.reduce((a, b) => Math.max(a, b), 1e-20));
    const image = new ImageData(columns, rows), pixels = new DataView(image.data.buffer);
    for (let column = 0; column < columns; column += 1) {
      for (let row = 0; row < rows; row += 1) {
        const level = 10 * Math.log10(powers[column * rows + row] + 1e-20);
        const step = Math.round(255 * Math.min(1, Math.max(0, 1 + (level - most) / RANGE)));
        pixels.setUint32(4 * ((rows - 1 - row) * columns + column), COLOURS[step]);
      }
    }
    this.picture = new OffscreenCanvas(columns, rows);
    this.picture.getContext("2d").putImageData(image, 0, 0);
  }

  #draw() {
    const { context, width, height } = canvas2d(this.canvas);
    context.fillStyle = token("sunken");
    context.fillRect(0, 0, width, height);
    if (!this.picture) return;
    const left = this.timeline.x(this.from, width), right = this.timeline.x(this.to, width);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.picture, left, 0, right - left, height);
    const half = this.timeline.rate ? this.timeline.rate / 2 : 0.5;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (const value of ticks(0, half, height / 34).slice(1)) {
      const text = this.timeline.rate ? hertz(value) : `${value} of the rate`, y = height - (value / half) * height;
      if (y < 8) continue;
      context.fillStyle = "rgb(0 0 0 / 0.55)";
      context.fillRect(2, y - 7, context.measureText(text).width + 6, 14);
      context.fillStyle = "#fff";
      context.fillText(text, 5, y);
    }
  }
}
