/** When does what begin? Windows of the same class merged into stretches. */

/** A stretch needs this many windows, so that a single odd one does not break it. */
const LEAST = 3;

/** How the class changes within a recording, in a sentence; null if it does not. `time` writes a sample as a time. */
export function changesInWords(windows, time) {
  return inWords(segments(windows), "the recording", "; the bands show where", time);
}

/** How the class changes within a single window, by the segments of its map; null if it does not, or is not told. */
export function changesWithinWindow(map, time) {
  return inWords(map?.segments ?? [], "the window", "", time);
}

/** The same map, of a window that begins `by` samples later, with `factor` samples for each of its own. */
export function placed(map, by, factor) {
  const at = (sample) => (sample + by) * factor;
  const moved = ({ start, end, ...rest }) => ({ ...rest, start: at(start), end: at(end) });
  return { ...moved(map), segments: map.segments?.map(moved) };
}

function inWords(list, whole, more, time) {
  if (list.length < 2) return null;
  if (list.length > 3) return `The class changes ${list.length - 1} times within ${whole}${more}.`;
  return `The class changes within ${whole}: ${list.map(({ label, end }, i) => (i === list.length - 1 ? `then ${label}` : `${label} until ${time(end)}`)).join(", ")}.`;
}

/** A stretch that is unlike the training data, in words; one that lasts to the end has none. */
export function changeInWords({ start, end }, time) {
  return `unlike the training data from ${time(start)}${end === null ? "" : ` to ${time(end)}`}`;
}

/** Since when a recording is unlike the training data, in a sentence; null if nowhere. */
export function unlikeInWords(changes, time) {
  if (!changes?.length) return null;
  const [first, ...rest] = changes, more = rest.length ? `, and in ${rest.length} more ${rest.length === 1 ? "stretch" : "stretches"}` : "";
  const words = changeInWords(first, time);
  return `${words[0].toUpperCase()}${words.slice(1)} (certain at ${time(first.found)})${more}.`;
}

/**
 * Stretches of windows of one class: `{start, end, class_index, label, probability, count}`. A run of fewer than
 * `least` windows belongs to the one before it, unless the recording has no longer ones.
 */
export function segments(windows, least = LEAST) {
  const runs = [];
  for (const window of windows) {
    const last = runs.at(-1);
    if (last?.class_index === window.class_index) {
      last.end = Math.max(last.end, window.end);
      last.sum += window.probability;
      last.count += 1;
    } else {
      const { start, end, label, class_index, probability } = window;
      runs.push({ start, end, label, class_index, sum: probability, count: 1 });
    }
  }
  const isLong = (run) => run.count >= least;
  if (!runs.some(isLong)) least = 1;
  const merged = [];
  for (const run of runs) {
    const last = merged.at(-1);
    if (!last) {
      merged.push({ ...run });
    } else if (last.class_index === run.class_index) {
      Object.assign(last, { end: run.end, sum: last.sum + run.sum, count: last.count + run.count });
    } else if (run.count < least) {
      last.end = run.end;
    } else if (last.count < least) {
      merged[merged.length - 1] = { ...run, start: last.start };
    } else {
      merged.push({ ...run, start: Math.max(run.start, last.end) });
    }
  }
  return merged.map(({ sum, ...run }) => ({ ...run, probability: sum / run.count }));
}
