/** The colours: one for each class, one scale for magnitudes. People who see red and green alike tell them apart. */

/** Ten colours after Paul Tol's "muted" scheme, for a light and for a dark ground. */
const LIGHT = ["#4577b0", "#cc6677", "#117733", "#b38f00", "#332288", "#44aa99", "#882255", "#7a7a00", "#aa4499", "#8c564b"];
const DARK = ["#88bbee", "#ee8899", "#4fc27f", "#ddcc55", "#a99bff", "#55ccbb", "#e06aa6", "#b5b540", "#dd88cc", "#c9a08a"];
/** Dark violet to yellow, even in lightness: viridis in eight steps. */
const SCALE = [[68, 1, 84], [70, 50, 127], [54, 92, 141], [39, 127, 142], [31, 161, 135], [74, 194, 109], [159, 218, 58], [253, 231, 37]];

let dark = false;
const listeners = new Set();

export function isDark() {
  return dark;
}

/** Calls `changed` when the colours change. */
export function onTheme(changed) {
  listeners.add(changed);
}

/** Takes the colours that the page has now. */
export function refreshTheme() {
  const chosen = document.documentElement.dataset.theme;
  dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  for (const changed of listeners) changed();
}

/** The colour of a class by its position. */
export function classColour(index) {
  const colours = dark ? DARK : LIGHT;
  return colours[index % colours.length];
}

/** The colour of a share from 0 to 1, as [red, green, blue]. */
export function scaleColour(share) {
  const place = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * (SCALE.length - 1);
  const below = Math.min(SCALE.length - 2, Math.floor(place));
  return SCALE[below].map((from, i) => Math.round(from + (place - below) * (SCALE[below + 1][i] - from)));
}

/** The colour of a number from −1 to 1: blue below 0, orange above, and near 0 that of the ground. It follows the theme. */
export function divergingColour(value) {
  const share = Math.min(1, Math.abs(value));
  return `color-mix(in oklab, var(--${value > 0 ? "for" : "against"}) ${Math.round(100 * share)}%, var(--sunken))`;
}

export function rgb([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}

/** The value of one of the style sheet's colours. */
export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
