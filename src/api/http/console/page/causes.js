/** Why an input is unusual, in words: the reason of its shift, and what its level did. */

import { hertz, number, percent, signed } from "./format.js";

/** Of each statistic: what more of it means and what to look for, then what less of it means. */
const STATISTICS = {
  dips: [["more values lie far below their neighbours", "lost samples or noise"], ["fewer values lie far below their neighbours"]],
  peaks: [["more values lie far above their neighbours", "lost samples or noise"], ["fewer values lie far above their neighbours"]],
  repeats: [["more values repeat the one before", "repeated samples, gaps or clipping"], ["fewer values repeat the one before"]],
  steps: [["neighbouring values differ more", "noise, or a sample rate that is too low"], ["neighbouring values differ less", "hum, a filter, or a sample rate that is too high"]],
  bends: [["it bends more from value to value", "noise, or a sample rate that is too low"], ["it bends less from value to value", "hum, a filter, or a sample rate that is too high"]],
  jumps: [["few steps are much larger than the others", "gaps, switching or a cut signal"], ["large steps stand out less"]],
  kurtosis: [["few values are much larger than the others", "impulses or spikes"], ["large values stand out less", "clipping, or a sine"]],
  mean: [["it is brighter", "exposure and background"], ["it is darker", "exposure and background"]],
  deviation: [["it has more contrast", "exposure and background"], ["it has less contrast", "exposure and background"]],
};
/** The same of pictures where other things are to be looked for. */
const PICTURES = { dips: "noise or dead pixels", peaks: "noise or dead pixels", repeats: "flat areas, or a picture that was enlarged", steps: "noise; if less, blur", bends: "noise; if less, blur", jumps: "hard edges", kurtosis: "other edges and areas" };

const LEVELS = {
  rms: ["RMS", "the gain, the mounting or a dying sensor"], deviation: ["deviation from the mean", "a weaker or stronger signal behind an offset"],
  offset: ["offset", "an offset of the amplifier, or a drifting supply"], peak: ["peak", "single spikes"], clipped: ["clipped share", "a gain that is too high for the converter"],
  stuck: ["samples that repeat the one before", "lost samples: a link that drops or repeats them, or a sensor that hangs"],
  frequency: ["mean frequency", "noise, hum, another sample rate than declared, another machine or speed"],
  bandwidth: ["bandwidth", "noise, hum, another sample rate than declared, another machine or speed"],
};

/** Causes with a smaller share of the distance are left out. */
const LEAST_SHARE = 0.02;

function statistic({ what, axis, channel }, z, isOne) {
  const words = STATISTICS[what]?.[z > 0 ? 0 : 1][0] ?? what;
  const place = [axis && `${axis} direction`, !isOne && `channel ${channel}`].filter(Boolean).join(", ");
  return place ? `${words} (${place})` : words;
}

/** A band in words; without a rate its edges are shares of it. */
function band({ low, high, channel }, rate, isOne) {
  const edge = (frequency) => (rate ? hertz(frequency) : `${percent(frequency)} of the rate`);
  return `${edge(low)} to ${edge(high)}${isOne ? "" : ` (channel ${channel})`}`;
}

/** What to look for first if the shift alarms; null if its causes do not say. */
function lookForShift({ reason, statistics, bands }, isSignal) {
  if (reason === "magnitudes") return isSignal ? "hum, another sample rate than declared, or another machine" : "another kind of picture";
  if (reason === "features") return "a class, a machine or a sensor that was not trained";
  if (reason === "spectrum") return bands?.[0]?.change_db > 0 ? "weak noise, hum, another sample rate than declared, or another machine" : "a filter, another sample rate than declared, or another machine";
  const [first] = statistics ?? [];
  if (!first) return null;
  const found = STATISTICS[first.what]?.[first.z > 0 ? 0 : 1][1] ?? null;
  return isSignal ? found : PICTURES[first.what] ?? found;
}

/** What to look for, from the causes of the alarms; the level's say more, so they come first. */
export function lookFor({ input_shift: shift, input_level: level }, isSignal) {
  const [first] = level?.alarm ? level.causes ?? [] : [];
  return LEVELS[first?.what]?.[1] ?? (shift?.alarm ? lookForShift(shift, isSignal) : null);
}

/** Why the shift alarms: `{why, list}`, a sentence and entries of words and how far; null if it does not say. */
export function whyShift({ reason, causes, statistics, bands, nearest }, { channels = 1, sample_rate_hz: rate } = {}) {
  const weighty = (list) => (list ?? []).filter(({ share }) => share >= LEAST_SHARE);
  if (reason === "input") return { why: "Because of the input itself: ", list: weighty(statistics).map((one) => [statistic(one, one.z, channels === 1), signed(one.z)]) };
  if (reason === "magnitudes") return { why: "Because of the mean magnitudes of channels: ", list: weighty(causes).map(({ block, channel, z }) => [`${block}, channel ${channel}`, signed(z)]) };
  if (reason === "spectrum") return { why: "Because of the power at these frequencies: ", list: (bands ?? []).slice(0, 3).map((one) => [band(one, rate, channels === 1), `${one.change_db > 0 ? "+" : "−"}${number(Math.abs(one.change_db))} dB`]) };
  if (reason === "features") return { why: "Because it is like no class of the training data, of which 99 % lie within 1 of theirs. The nearest: ", list: (nearest ?? []).map(({ label, distance }) => [label, `at ${number(distance)}`]) };
  return null;
}

/** Why the level alarms, in the same way. */
export function whyLevel({ causes }, { channels = 1 } = {}) {
  const list = (causes ?? []).map(({ what, channel, z }) => [`${LEVELS[what]?.[0] ?? what}${channels === 1 ? "" : ` of channel ${channel}`}`, signed(z)]);
  return list.length ? { why: "What moved: ", list } : null;
}
