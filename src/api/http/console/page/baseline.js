/** What is usual for a model: held-out scores, levels and thresholds of each class. */

import { getJson } from "./api.js";

/** It does not change while a version is served, so it is asked for once. */
const kept = new Map();

/** The baseline of a version; null if it cannot be had, as an answer is shown without it, too. */
export function baselineOf({ name, version }) {
  const path = `/models/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/baseline`;
  const forget = () => { kept.delete(path); return null; };
  if (!kept.has(path)) kept.set(path, getJson(path, { part: "What is usual" }).catch(forget));
  return kept.get(path);
}

/** Share of a recording's windows that have its class, from which on the recording is compared with what is usual for that class. */
const MOSTLY = 0.9;

/** Whether an answer is one of its class, and not the mean of windows of several. */
export function isOfOneClass({ class_index: index, windows = [] }) {
  return windows.filter((window) => window.class_index === index).length >= MOSTLY * windows.length;
}

/** What is usual for a class, of a list with an entry for each; null if it is not known. */
export function ofClass(list, index) {
  return list?.find((entry) => entry.class_index === index) ?? null;
}
