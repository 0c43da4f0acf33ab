/** Where an input's shift lies among those of the held-out inputs: their histogram over the logarithm of the score. */

import { h, s } from "./dom.js";
import { number, percent } from "./format.js";

const BINS = 44, WIDTH = 440, HEIGHT = 60;
/** Room beside the outermost score, as a factor. */
const ROOM = 1.25;

/** The share of held-out inputs up to a score, between two quantiles on a straight line over the logarithm. */
export function shareUpTo(quantiles, score) {
  const after = quantiles.findIndex((one) => one.score > score);
  if (after < 0) return 1;
  if (after === 0) return 0;
  const [low, high] = [quantiles[after - 1], quantiles[after]];
  const within = Math.log(score / low.score) / Math.log(high.score / low.score);
  return low.share + (Number.isFinite(within) ? within : 1) * (high.share - low.share);
}

/** Round scores for the axis: powers of ten, and with a narrow range their double and half as well. */
export function marks(least, most) {
  const steps = most / least > 300 ? [1] : [1, 2, 5], found = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); power += 1) {
    for (const step of steps) found.push(step * 10 ** power);
  }
  return found.filter((mark) => mark >= least && mark <= most);
}

/** Shares of numbers in bins of an axis. */
function binned(scores, place) {
  const counts = new Array(BINS).fill(0);
  for (const score of scores) counts[Math.min(BINS - 1, Math.max(0, Math.floor(BINS * place(score))))] += 1;
  return counts;
}

/** The plot for a score; `windows` has the scores of a recording's windows. */
export function shiftPlot({ quantiles, alarm_above: limit, held_out_inputs: count }, score, windows = []) {
  const known = quantiles.filter((one) => one.score > 0), tiny = known[0]?.score ?? 1e-6;
  const all = [score, ...windows, limit, known.at(-1)?.score ?? limit].map((one) => Math.max(one, tiny / 10));
  const least = Math.min(tiny, ...all) / ROOM, most = Math.max(...all) * ROOM, span = Math.log(most / least);
  const place = (one) => Math.min(1, Math.max(0, Math.log(Math.max(one, least) / least) / span));
  const edge = (bin) => least * Math.exp((span * bin) / BINS);
  const shares = Array.from({ length: BINS }, (_, bin) => shareUpTo(known, edge(bin + 1)) - shareUpTo(known, edge(bin)));
  const top = Math.max(...shares), wide = WIDTH / BINS, tall = (share, of) => (HEIGHT - 4) * (share / of || 0);
  const bars = shares.map((share, bin) => share > 0 && s("rect", { class: "held", x: bin * wide, y: HEIGHT - tall(share, top), width: wide - 1, height: tall(share, top) }));
  const own = binned(windows, place), most_own = Math.max(...own, 1);
  const line = windows.length > 1 && s("path", { class: "own", d: own.map((n, bin) => `${bin ? "L" : "M"}${bin * wide},${HEIGHT - tall(n, most_own)}H${(bin + 1) * wide}`).join("") });
  const at = place(score) * WIDTH, from = place(limit) * WIDTH;
  const words = `Scores of ${count.toLocaleString("en")} held-out inputs: half of them up to ${number(median(quantiles))}, those above ${number(limit)} alarm. This input: ${number(score)}, farther out than ${percent(shareUpTo(known, score))}.`;
  const axis = marks(least, most).map((mark) => h("span", { style: { "--at": `${100 * place(mark)}%` } }, number(mark)));
  return h("figure", { class: "shift" },
    h("div", { role: "img", "aria-label": words }, s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none" },
      s("rect", { class: "zone", x: from, y: 0, width: WIDTH - from, height: HEIGHT }), bars.filter(Boolean), line, s("line", { class: "limit", x1: from, x2: from, y1: 0, y2: HEIGHT }), s("line", { class: "here", x1: at, x2: at, y1: 0, y2: HEIGHT })),
    h("div", { class: "axis" }, axis)),
    h("figcaption", { class: "legend" }, h("span", { class: "key held" }, "held-out inputs"), windows.length > 1 && h("span", { class: "key own" }, "windows of this recording"),
      h("span", { class: "key here" }, windows.length > 1 ? "their median" : "this input"), h("span", { class: "key zone" }, `alarm, above ${number(limit)}`)));
}

function median(quantiles) {
  return quantiles[Math.floor(quantiles.length / 2)]?.score;
}
