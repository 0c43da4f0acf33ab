/** Prometheus text to numbers: rates and percentiles between two looks. */

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Samples by name: `Map(name → [{labels, value}])`; with `wanted`, those of these names only. */
export function parse(text, wanted = null) {
  const found = new Map();
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || (wanted && !wanted.has(line.slice(0, line.search(/[{ ]/))))) continue;
    const match = line.match(LINE);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(LABEL)) labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    if (!found.has(match[1])) found.set(match[1], []);
    found.get(match[1]).push({ labels, value: match[3] === "+Inf" ? Infinity : Number(match[3]) });
  }
  return found;
}

function fits(labels, wanted) {
  return Object.entries(wanted).every(([name, value]) => (typeof value === "function" ? value(labels[name]) : labels[name] === value));
}

/** The sum of a metric's samples with these labels. */
export function total(found, name, wanted = {}) {
  return (found.get(name) ?? []).filter(({ labels }) => fits(labels, wanted)).reduce((sum, { value }) => sum + value, 0);
}

/** A histogram's buckets with these labels: `[[upper end, count up to it], …]`. */
export function buckets(found, name, wanted = {}) {
  const sums = new Map();
  for (const { labels, value } of found.get(`${name}_bucket`) ?? []) {
    if (!fits(labels, wanted)) continue;
    const end = labels.le === "+Inf" ? Infinity : Number(labels.le);
    sums.set(end, (sums.get(end) ?? 0) + value);
  }
  return [...sums].sort(([a], [b]) => a - b);
}

/** A quantile of what was counted between two looks; null if nothing was. */
export function quantile(before, after, share) {
  const old = new Map(before);
  const counts = after.map(([end, count]) => [end, count - (old.get(end) ?? 0)]);
  const all = counts.at(-1)?.[1] ?? 0;
  if (!(all > 0)) return null;
  let below = 0, start = 0;
  for (const [end, count] of counts) {
    if (count >= share * all) {
      if (end === Infinity) return start;
      return start + ((share * all - below) / Math.max(1e-12, count - below)) * (end - start);
    }
    [below, start] = [count, end];
  }
  return start;
}
