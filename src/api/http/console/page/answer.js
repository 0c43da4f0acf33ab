/** The answer in words and bars: class, probabilities, what was assumed. */

import { h } from "./dom.js";
import { percent, sentence } from "./format.js";
import { classColour } from "./palette.js";

const MOST_BARS = 12;

/** The class, large. */
export function verdict(prediction, words) {
  const { label, class_index: index, probability } = prediction;
  return h("div", { class: "verdict" },
    h("span", { class: "swatch", style: { "--swatch": classColour(index) } }),
    h("div", {}, h("p", { class: "label" }, label), h("p", { class: "note" }, words)),
    h("p", { class: "sure" }, percent(probability)));
}

/** A bar for each class, the most probable first. */
export function bars(prediction, other = null) {
  const of = (list, index) => list?.probabilities.find((entry) => entry.class_index === index)?.probability ?? 0;
  const list = prediction.probabilities.slice(0, MOST_BARS);
  const row = ({ label, class_index: index, probability }) => h("li", {},
    h("span", { class: "name", title: label }, label),
    h("span", { class: "track", "aria-hidden": "true" },
      h("span", { class: "bar", style: { "--share": `${100 * probability}%`, "--swatch": classColour(index) } }),
      other && h("span", { class: "was", style: { "--share": `${100 * of(other, index)}%` } })),
    h("span", { class: "value" }, percent(probability)));
  const rest = prediction.probabilities.length - list.length;
  return [h("ol", { class: "bars" }, list.map(row)), rest > 0 && h("p", { class: "note" }, `and ${rest} less probable classes`)];
}

/** What was assumed or repaired; `extra` gives for a code what can be done about it. */
export function notices(prediction, extra = {}) {
  if (!prediction.notices?.length) return null;
  return h("ul", { class: "notices", "aria-label": "What was assumed" }, prediction.notices.map(({ code, message }) => h("li", {}, h("span", {}, sentence(message)), extra[code]?.())));
}
