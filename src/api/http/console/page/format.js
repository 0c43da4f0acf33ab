/** Numbers as people read them. */

/** Three significant digits, without an exponent where it reads well. */
export function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(2).replace("e+", "e").replaceAll("-", "−");
  const text = size >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}

/** A message of the server as a sentence: it begins with a capital, unless with a name such as `sample_rate_hz`. */
export function sentence(text) {
  return /^[a-z]+[ ,']/.test(text) ? text[0].toUpperCase() + text.slice(1) : text;
}

/** A share as a percentage that is never rounded to certainty. */
export function percent(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return "–";
  if (share > 0.999 && share < 1) return "> 99.9 %";
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(100 * share).toFixed(share === 0 || share === 1 ? 0 : 1)} %`;
}

/** A time in the unit that fits it. */
export function seconds(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 60) return `${Math.floor(value / 60)}:${String((value % 60).toFixed(1)).padStart(4, "0")} min`;
  if (size >= 1 || size === 0) return `${number(value)} s`;
  if (size >= 1e-3) return `${number(1e3 * value)} ms`;
  return `${number(1e6 * value)} µs`;
}

/** A distance in standard deviations, to a tenth. */
export function signed(z) {
  const text = Math.abs(z) < 100 ? Math.abs(z).toFixed(1) : number(Math.abs(z));
  return `${z < 0 ? "−" : "+"}${text} σ`;
}

export function hertz(value) {
  if (!Number.isFinite(value)) return "–";
  return value >= 1000 ? `${number(value / 1000)} kHz` : `${number(value)} Hz`;
}

export function bytes(count) {
  if (count < 1024) return `${count} B`;
  if (count < 1024 ** 2) return `${(count / 1024).toFixed(1)} KB`;
  return count < 1024 ** 3 ? `${(count / 1024 ** 2).toFixed(1)} MB` : `${(count / 1024 ** 3).toFixed(2)} GB`;
}

export function count(value, word, words = `${word}s`) {
  return `${Math.round(value).toLocaleString("en")} ${value === 1 ? word : words}`;
}

/** Round steps for the marks of an axis: about `most` of them between `from` and `to`. */
export function ticks(from, to, most) {
  const raw = (to - from) / Math.max(1, most);
  if (!(raw > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw * 0.999);
  const marks = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to * (1 + 1e-12); i += 1) marks.push(i * step);
  return marks;
}
