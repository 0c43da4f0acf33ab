/** The power spectrum of a piece of a signal. */

/** A transform of `size` samples, a power of two, with a Hann window. */
export class Spectrum {
  constructor(size) {
    this.size = size;
    this.window = Float32Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
    this.cos = Float32Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.sin = Float32Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    const bits = Math.log2(size);
    this.order = Uint32Array.from({ length: size }, (_, i) => {
      let turned = 0;
      for (let bit = 0; bit < bits; bit += 1) if (i & (1 << bit)) turned |= 1 << (bits - 1 - bit);
      return turned;
    });
    this.re = new Float32Array(size);
    this.im = new Float32Array(size);
  }

  /** Adds the power of each of the `size / 2` frequencies, from sample `start` on, to `sums`. */
  add(samples, start, sums) {
    const { size, window, cos, sin, order, re, im } = this;
    for (let i = 0; i < size; i += 1) {
      re[order[i]] = (samples[start + i] ?? 0) * window[i];
      im[i] = 0;
    }
    for (let half = 1; half < size; half *= 2) {
      const step = size / (2 * half);
      for (let begin = 0; begin < size; begin += 2 * half) {
        for (let i = begin, turn = 0; i < begin + half; i += 1, turn += step) {
          const j = i + half;
          const a = re[j] * cos[turn] + im[j] * sin[turn], b = im[j] * cos[turn] - re[j] * sin[turn];
          re[j] = re[i] - a; im[j] = im[i] - b;
          re[i] += a; im[i] += b;
        }
      }
    }
    for (let i = 0; i < size / 2; i += 1) sums[i] += re[i] * re[i] + im[i] * im[i];
  }
}
