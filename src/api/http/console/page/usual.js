/** Is the input usual? Its shift among the held-out inputs, its level, and why either alarms. */

import { isOfOneClass, ofClass } from "./baseline.js";
import { lookFor, whyLevel, whyShift } from "./causes.js";
import { h } from "./dom.js";
import { number, percent } from "./format.js";
import { shiftPlot } from "./shift-plot.js";

/** Where this input lies among the held-out ones, from the most usual to the most unusual. */
function rank(p, level, name) {
  const at = 100 * (1 - p);
  return h("div", { class: "rank", role: "img", "aria-label": `${name}: farther out than ${percent(1 - p)} of the held-out inputs; the last ${percent(level)} alarm` },
    h("div", { class: "zone", style: { "--from": `${100 - 100 * level}%` } }),
    h("div", { class: "needle", style: { "--at": `${at}%` } }),
    h("span", { class: "end" }, "usual"), h("span", { class: "end" }, "unusual"));
}

function status(alarm) {
  return h("span", { class: alarm ? "status alarm" : "status fine" }, alarm ? "alarm" : "as usual");
}

function told(found) {
  if (!found?.list.length) return null;
  return h("p", { class: "causes" }, found.why, found.list.map(([words, far], i) => [i ? ", " : "", h("strong", {}, words), ` ${far}`]));
}

/** How likely so large a distance is, in a sentence. */
function shiftInWords({ p_value: p, score, alarm_share: share }) {
  if (p === undefined) return `Distance ${number(score)} from the training data.`;
  if (share === undefined) return `p = ${number(p)}: ${percent(p)} of the held-out inputs lie at least as far from the training data.`;
  return `p = ${number(p)} for the recording as a whole; ${percent(share)} of its windows alarm by themselves.`;
}

function shiftPart(shift, model, usual, windows) {
  if (!shift) return [h("h4", {}, "Shape"), h("p", { class: "note" }, "This model has no baseline of the input shift, so nothing is said about how usual the input is. drsn-train baseline takes one.")];
  const scores = windows.map((window) => window.input_shift?.score).filter(Number.isFinite);
  const plot = usual?.input_shift ? shiftPlot(usual.input_shift, shift.score, scores) : shift.p_value !== undefined && rank(shift.p_value, model.baseline?.alarm_level ?? 0.01, "Input shift");
  return [h("h4", {}, "Shape ", status(shift.alarm)), h("p", { class: "note" }, shiftInWords(shift)), plot, told(whyShift(shift, model.input))];
}

/** The limits of a number; only an offset can be below 0. */
function range({ low, high }, of, text) {
  return low <= 0 && of !== "offset" ? `usual up to ${text(high)}` : `usual ${text(low)} to ${text(high)}`;
}

/** The level's numbers, each with what training windows of the predicted class have. */
function facts(level, channels) {
  const [usual] = channels?.length === 1 ? channels : [null];
  // A mean that is nothing beside the signal is rounding.
  const seen = { ...level, offset: Math.abs(level.offset) < 1e-4 * level.rms ? 0 : level.offset };
  const fact = ([name, of, text]) => h("div", {}, h("dt", {}, name), h("dd", {}, text(seen[of])), usual?.[of] && h("dd", { class: "note" }, range(usual[of], of, text)));
  return h("dl", { class: "facts" }, [["RMS", "rms", number], ["offset", "offset", number], ["peak", "peak", number], ["clipped", "clipped", percent]].map(fact));
}

function levelPart(level, model, channels) {
  if (!level) return [h("h4", {}, "Level"), h("p", { class: "note" }, "This model has no baseline of the input level: a wrong gain or a dead sensor would not be noticed.")];
  return [
    h("h4", {}, "Level of the sensor ", status(level.alarm)), facts(level, channels),
    level.p_value !== undefined && rank(level.p_value, model.baseline?.alarm_level ?? 0.01, "Input level"), told(whyLevel(level, model.input)),
  ];
}

/** One sentence for both. */
export function inWords(diagnostics, isSignal) {
  const { input_shift: shift, input_level: level } = diagnostics ?? {};
  const found = diagnostics && lookFor(diagnostics, isSignal), look = found && `Look for ${found}.`;
  if (level?.alarm && shift?.alarm) return `The signal has another level and another shape than in training. ${look ?? "Check the sensor, its gain and its mounting."}`;
  if (level?.alarm) return `The signal has another level than in training. ${look ?? "Check gain, offset and mounting of the sensor."}`;
  if (shift?.alarm) return `The input is unlike the training data. ${look ?? "Look for noise, lost samples, another sensor or something new."}`;
  if (!shift && !level) return "Nothing is known about what is usual.";
  return isSignal && level ? "No alarm: shape and level are as they were in training." : "No alarm: the input looks like the training data.";
}

/** Both parts, for a prediction; `usual` is the model's baseline, if it is known. */
export function usualParts(prediction, model, usual) {
  const { diagnostics, class_index: index, windows = [] } = prediction, isSignal = model.input.kind === "signal";
  if (!diagnostics) return [];
  const channels = isOfOneClass(prediction) ? ofClass(usual?.input_level?.classes, index)?.channel : null;
  return [
    h("p", {}, inWords(diagnostics, isSignal)),
    h("div", { class: "usual" }, h("div", {}, shiftPart(diagnostics.input_shift, model, usual, windows)), isSignal && h("div", {}, levelPart(diagnostics.input_level, model, channels))),
  ];
}
