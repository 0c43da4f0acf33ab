/** Minimum and maximum of any stretch of samples at once: none is skipped, however far the view is zoomed out. */

/** Samples of the finest level's blocks, and blocks of a level in one of the next. */
const BLOCK = 64, FACTOR = 8;

export class Pyramid {
  constructor(samples) {
    this.samples = samples;
    this.levels = [];
    let [low, high] = [null, null], size = BLOCK;
    for (;;) {
      const before = low ? low.length : samples.length, step = low ? FACTOR : BLOCK;
      const blocks = Math.ceil(before / step);
      const [lows, highs] = [new Float32Array(blocks), new Float32Array(blocks)];
      for (let i = 0; i < blocks; i += 1) {
        let least = Infinity, most = -Infinity;
        for (let j = i * step, end = Math.min(before, j + step); j < end; j += 1) {
          const a = low ? low[j] : samples[j], b = high ? high[j] : a;
          if (a < least) least = a;
          if (b > most) most = b;
        }
        lows[i] = least; highs[i] = most;
      }
      this.levels.push({ size, low: lows, high: highs });
      if (blocks <= FACTOR) break;
      [low, high] = [lows, highs];
      size *= FACTOR;
    }
  }

  /** Least and largest sample from `from` up to before `to`; null if there is none. */
  range(from, to) {
    let start = Math.max(0, Math.floor(from)), end = Math.min(this.samples.length, Math.ceil(to));
    if (start >= end) return null;
    let least = Infinity, most = -Infinity;
    const take = (low, high) => { if (low < least) least = low; if (high > most) most = high; };
    const raw = (a, b) => { for (let i = a; i < b; i += 1) take(this.samples[i], this.samples[i]); };
    if (end - start < 2 * BLOCK) { raw(start, end); return [least, most]; }
    // From the finest level up: what sticks out at both ends of the next level's blocks.
    let a = Math.ceil(start / BLOCK), b = Math.floor(end / BLOCK);
    raw(start, Math.min(end, a * BLOCK));
    raw(Math.max(start, b * BLOCK), end);
    for (const [index, { low, high }] of this.levels.entries()) {
      const isLast = index === this.levels.length - 1;
      const up = isLast ? b : Math.min(b, Math.ceil(a / FACTOR) * FACTOR);
      const down = isLast ? b : Math.max(up, Math.floor(b / FACTOR) * FACTOR);
      for (let i = a; i < up; i += 1) take(low[i], high[i]);
      for (let i = down; i < b; i += 1) take(low[i], high[i]);
      [a, b] = [up / FACTOR, down / FACTOR];
      if (a >= b || isLast) break;
    }
    return [least, most];
  }
}
