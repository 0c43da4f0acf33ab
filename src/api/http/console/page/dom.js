/** Makes and changes elements. Text is only ever set as text, never parsed as markup. */

const SVG = "http://www.w3.org/2000/svg";

/** Characters that reverse the text after them, up to the end of the line. */
const OVERRIDES = /[\u202a-\u202e\u2066-\u2069]/g;

/** Children to append: those that are there, and texts in which no character reverses what follows. */
function shown(children) {
  const there = children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
  return there.map((child) => (typeof child === "string" ? child.replace(OVERRIDES, "\ufffd") : child));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, text] of Object.entries(value)) element.style.setProperty(key, text);
    else if (name in element && !(element instanceof SVGElement) && !/^(list|role|aria|for)/.test(name)) element[name] = value;
    else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
  element.append(...shown(children));
  return element;
}

/** An element: `h("p", {class: "note"}, "text", child, [children])`. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Replaces what is in an element. */
export function show(element, ...children) {
  element.replaceChildren(...shown(children));
  return element;
}

/** Sets an element's text if it has another; returns whether it had. */
export function say(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

let told;

/** Tells a sentence to screen readers. */
export function announce(text) {
  told ??= document.getElementById("announcer");
  told.textContent = text;
}

/** Makes a canvas as sharp as the screen; returns its context, in CSS pixels, its width and height. */
export function canvas2d(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const [w, hgt] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== hgt) { canvas.width = w; canvas.height = hgt; }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

/** Calls `draw` at most once a frame, however often the returned function is called. */
export function onceAFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}

/** Calls `changed` when the size of an element changes. */
export function onResize(element, changed) {
  new ResizeObserver(changed).observe(element);
}

/** Offers a text or blob as a download. */
export function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
