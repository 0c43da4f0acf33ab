/** The console: chooses model and view, and tells whether the server answers. */

import { getJson, request, setHooks } from "./api.js";
import { announce, h, show } from "./dom.js";
import { askKey } from "./key.js";
import { Many } from "./many.js";
import { Operate } from "./operate.js";
import { refreshTheme } from "./palette.js";
import { problemNote } from "./problem.js";
import { Try } from "./try.js";
import { WhatIf } from "./whatif.js";

const AGAIN = 2000;

const place = (id) => document.getElementById(id);
const shared = { model: null, models: [], input: null, options: {}, prediction: null };
const views = {};
let current = "try";

/** Takes what is served now; keeps the model that was chosen. */
function take({ default: usual, models }) {
  const served = models.filter(({ input }) => input);
  const latest = new Map(served.map((model) => [model.name, model]));
  shared.models = [...latest.values()];
  const name = shared.model?.name ?? usual ?? shared.models[0]?.name;
  const list = place("model");
  const texts = shared.models.map((model) => model.name).join("\n");
  if (list.dataset.names !== texts) {
    show(list, shared.models.map((model) => h("option", { value: model.name }, model.name)));
    list.dataset.names = texts;
    views.whatif.models(shared.models);
  }
  const found = latest.get(name) ?? shared.models[0] ?? null;
  list.disabled = !found;
  show(place("start"), !found && h("p", { class: "problem" }, "No model is served. Operate says why, if any was found."));
  if (!found) return;
  list.value = found.name;
  const isOther = shared.model?.name !== found.name || shared.model?.version !== found.version;
  shared.model = found;
  if (isOther) suit();
}

function suit() {
  for (const view of Object.values(views)) view.suit(shared.model);
}

async function load() {
  try {
    take(await getJson("/models", { part: "The list of models" }));
  } catch (problem) {
    show(place("start"), problemNote(problem, load));
  }
}

function open(name) {
  current = views[name] ? name : "try";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${current}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  show(place("view"), views[current].element);
  for (const [other, view] of Object.entries(views)) view.shown?.(other === current);
}

/** Tells that the server is away, and asks it until it is back. */
let away = null;
function reached(isThere) {
  if (isThere && away) {
    clearInterval(away);
    away = null;
    show(place("away"));
    announce("The server answers again.");
    load();
  } else if (!isThere && !away) {
    show(place("away"), h("p", {}, "The server does not answer. This page asks it again every two seconds; what you did stays here."));
    away = setInterval(() => request("/readyz", { quiet: true }).catch(() => {}), AGAIN);
  }
}

function themeButton() {
  const button = place("theme");
  button.addEventListener("click", () => {
    const isDark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
    refreshTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refreshTheme);
}

function begin() {
  refreshTheme();
  setHooks({ askKey, reached });
  views.many = new Many(shared, (input, options) => { location.hash = "#try"; views.try.take(input, options); });
  views.try = new Try(shared, (pairs) => { location.hash = "#many"; views.many.add(pairs); });
  views.whatif = new WhatIf(shared);
  views.operate = new Operate(shared, take);
  place("model").addEventListener("change", (event) => {
    shared.model = shared.models.find(({ name }) => name === event.target.value);
    shared.prediction = null;
    suit();
  });
  themeButton();
  addEventListener("hashchange", () => open(location.hash.slice(1)));
  addEventListener("paste", (event) => {
    if (current === "try" && !event.target.closest("input, textarea")) views.try.sources.paste(event.clipboardData);
  });
  // A file that misses the place to drop it must not replace the page.
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
  open(location.hash.slice(1));
  load();
}

begin();
