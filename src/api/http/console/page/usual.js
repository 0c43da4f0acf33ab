/** Is the input usual? Input shift among the held-out inputs, input level, and what moved. */

import { h } from "./dom.js";
import { number, percent } from "./format.js";

const WORDS = {
  rms: "RMS", deviation: "deviation from the mean", offset: "offset", peak: "peak", clipped: "clipped share",
  stuck: "samples that repeat the one before", frequency: "mean frequency", bandwidth: "bandwidth",
};

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

function signed(z) {
  return `${z > 0 ? "+" : ""}${number(z)} σ`;
}

function causes(list, words) {
  if (!list?.length) return null;
  return h("p", { class: "causes" }, "What moved: ", list.map((cause, i) => [i ? ", " : "", h("strong", {}, words(cause)), ` ${signed(cause.z)}`]));
}

function shiftPart(shift, level) {
  if (!shift) return [h("h4", {}, "Shape"), h("p", { class: "note" }, "This model has no baseline of the input shift, so nothing is said about how usual the input is. drsn-train baseline takes one.")];
  const share = shift.alarm_share === undefined ? null : h("p", { class: "note" }, `${percent(shift.alarm_share)} of the windows alarm by themselves.`);
  const p = shift.p_value;
  return [
    h("h4", {}, "Shape ", status(shift.alarm)),
    h("p", { class: "note" }, p === undefined ? `Distance ${number(shift.score)} from the training data.` : `p = ${number(p)}: ${percent(p)} of the held-out inputs lie at least as far from the training data (score ${number(shift.score)}).`),
    p !== undefined && rank(p, level, "Input shift"), share,
    causes(shift.causes, ({ block, channel }) => `${block}, channel ${channel}`),
  ];
}

function levelPart(level, alarmLevel, isSignal) {
  if (!isSignal) return null;
  if (!level) return [h("h4", {}, "Level"), h("p", { class: "note" }, "This model has no baseline of the input level: a wrong gain or a dead sensor would not be noticed.")];
  const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return [
    h("h4", {}, "Level of the sensor ", status(level.alarm)),
    h("dl", { class: "facts" }, fact("RMS", number(level.rms)), fact("offset", number(level.offset)), fact("peak", number(level.peak)), fact("clipped", percent(level.clipped))),
    level.p_value !== undefined && rank(level.p_value, alarmLevel, "Input level"),
    causes(level.causes, ({ what, channel }) => `${WORDS[what] ?? what} of channel ${channel}`),
  ];
}

/** One sentence for both. */
export function inWords(diagnostics, isSignal) {
  const { input_shift: shift, input_level: level } = diagnostics ?? {};
  if (level?.alarm && shift?.alarm) return "The signal has another level and another shape than in training: check the sensor, its gain and its mounting.";
  if (level?.alarm) return "The signal has another level than in training: check gain, offset and mounting of the sensor.";
  if (shift?.alarm) return "The input is unlike the training data: noise, lost samples, another sensor or something new.";
  if (!shift && !level) return "Nothing is known about what is usual.";
  return isSignal && level ? "No alarm: shape and level are as they were in training." : "No alarm: the input looks like the training data.";
}

/** Both parts, for a prediction's diagnostics. */
export function usual(diagnostics, model) {
  const isSignal = model.input.kind === "signal", alarmLevel = model.baseline?.alarm_level ?? 0.01;
  if (!diagnostics) return [];
  return [
    h("p", {}, inWords(diagnostics, isSignal)),
    h("div", { class: "usual" }, h("div", {}, shiftPart(diagnostics.input_shift, alarmLevel)), isSignal && h("div", {}, levelPart(diagnostics.input_level, alarmLevel, isSignal))),
  ];
}
