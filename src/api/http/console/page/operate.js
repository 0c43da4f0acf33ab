/** The server at work: models and their states, requests, latency, batches, classes, alarms. All of it from /models, /metrics and the rolling view. */

import { getJson, request } from "./api.js";
import { Chart } from "./chart.js";
import { h, say, show } from "./dom.js";
import { bytes, count, hertz, number, percent, seconds } from "./format.js";
import { buckets, parse, quantile, total } from "./metrics.js";
import { classColour } from "./palette.js";
import { problemNote } from "./problem.js";

/** Milliseconds between two looks: while requests come, and at most while none do. */
const PAUSE = 2000, IDLE = 8000;
/** Seconds after which the rolling view is asked for again: if inputs came, and if not; and the list of models. */
const ROLLING = 10, QUIET = 60, MODELS = 30;
const MINUTES = 60;

/** What is read of /metrics. */
const READ = new Set([
  "drsn_requests_total", "drsn_rejected_total", "drsn_request_duration_seconds_bucket", "drsn_batch_size_sum", "drsn_batch_size_count", "drsn_queue_depth",
  "drsn_inflight_requests", "drsn_inflight_bytes", "drsn_build_info", "process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds",
  "drsn_model_ready", "drsn_model_load_duration_seconds_count",
]);
const FACTS = {
  version: (found) => found.get("drsn_build_info")?.[0]?.labels.version ?? "–",
  "running since": (found) => { const since = total(found, "process_start_time_seconds"); return since ? new Date(1000 * since).toLocaleString() : "–"; },
  "requests being answered": (found) => number(total(found, "drsn_inflight_requests")),
  "memory of requests": (found) => bytes(total(found, "drsn_inflight_bytes")),
  "memory of the process": (found) => bytes(total(found, "process_resident_memory_bytes")),
  "connections and files open": (found) => number(total(found, "process_open_fds")),
};

/** Which models are loaded, and how often each was. */
function loaded(found) {
  return JSON.stringify(["drsn_model_ready", "drsn_model_load_duration_seconds_count"].map((name) => found.get(name) ?? []));
}

export class Operate {
  constructor(shared, refreshed) {
    Object.assign(this, { shared, refreshed, texts: {}, listedAt: -Infinity });
    const ms = (value) => seconds(value);
    this.charts = {
      rate: new Chart("Requests a second", (value) => number(value)),
      half: new Chart("Latency, median", ms), most: new Chart("Latency, 99th percentile", ms),
      batch: new Chart("Inputs in a batch", (value) => number(value)), queue: new Chart("Waiting", (value) => count(value, "request")),
      refused: new Chart("Refused a second", (value) => number(value)),
    };
    for (const part of ["models", "classes", "alarms", "problem"]) this[part] = h("div", { class: `part-${part}` });
    this.facts = Object.keys(FACTS).map(() => h("dd", {}, "–"));
    const facts = Object.keys(FACTS).map((name, i) => h("div", {}, h("dt", {}, name), this.facts[i]));
    this.element = h("div", { class: "view operate" },
      h("section", { class: "panel" }, h("h2", {}, "Now"), this.problem, h("div", { class: "tiles" }, Object.values(this.charts).map((chart) => chart.element)), h("dl", { class: "facts" }, facts)),
      h("div", { class: "columns" }, h("section", { class: "panel" }, h("h3", {}, "Models"), this.models), h("div", {}, h("section", { class: "panel" }, h("h3", {}, "Classes"), this.classes), h("section", { class: "panel" }, h("h3", {}, "Alarms"), this.alarms))));
    this.suit();
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  /** Another model, or version, was chosen. */
  suit() {
    Object.assign(this, { before: null, rolledAt: -Infinity });
    if (this.isShown) this.#plan();
  }

  /** Begins or ends to look; nothing is asked while the view is not seen. */
  shown(isShown) {
    this.isShown = isShown;
    this.#plan();
  }

  #plan() {
    clearTimeout(this.timer);
    this.pause = PAUSE;
    if (this.isShown && !document.hidden) this.#look();
  }

  async #look() {
    // One look at a time: what comes while one is under way is seen by the next.
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const response = await request("/metrics", { part: "The server's metrics" });
      const found = parse(await response.text(), READ), at = performance.now() / 1000;
      this.pause = this.#tell(found, at) ? Math.min(IDLE, 2 * this.pause) : PAUSE;
      await this.#rarely(found, at);
      if (this.problem.firstChild) show(this.problem);
    } catch (problem) {
      this.before = null;
      show(this.problem, problemNote(problem, () => this.#plan()));
      // Without a key there is nothing to see; asking again would ask the user again.
      if (problem.status === 401) return;
    } finally {
      this.isLooking = false;
    }
    clearTimeout(this.timer);
    if (this.isShown && !document.hidden) this.timer = setTimeout(() => this.#look(), this.pause);
  }

  /** Shows what happened since the look before; returns whether that is nothing. */
  #tell(found, at) {
    const of = { model: this.shared.model?.name }, { before } = this;
    const latency = buckets(found, "drsn_request_duration_seconds", of);
    const now = {
      at, latency, requests: total(found, "drsn_requests_total", of), refused: total(found, "drsn_rejected_total", of),
      inputs: total(found, "drsn_batch_size_sum", of), batches: total(found, "drsn_batch_size_count", of), waiting: total(found, "drsn_queue_depth", of),
    };
    const grown = (name) => (before ? Math.max(0, now[name] - before[name]) : null);
    const per = (name) => (before ? grown(name) / (at - before.at) : null);
    const values = {
      rate: per("requests"), refused: per("refused"), half: before && quantile(before.latency, latency, 0.5), most: before && quantile(before.latency, latency, 0.99),
      batch: grown("batches") ? grown("inputs") / grown("batches") : null, queue: now.waiting,
    };
    for (const [name, value] of Object.entries(values)) this.charts[name].push(value, at);
    Object.values(FACTS).forEach((text, i) => say(this.facts[i], text(found)));
    this.before = now;
    return before !== null && ["requests", "refused", "inputs", "waiting"].every((name) => now[name] === before[name]);
  }

  /** The list of models and the rolling view, which change seldom. */
  async #rarely(found, at) {
    const models = loaded(found);
    if (models !== this.loaded || at - this.listedAt >= MODELS) {
      const list = await getJson("/models", { part: "The list of models" });
      Object.assign(this, { loaded: models, listedAt: at });
      this.refreshed(list);
      this.#draw("models", list.models, () => show(this.models, list.models.map((entry) => this.#card(entry))));
    }
    const { model } = this.shared, inputs = this.before?.inputs;
    if (!model || at - this.rolledAt < (inputs === this.rolledInputs ? QUIET : ROLLING)) return;
    const rolling = await getJson(`/models/${encodeURIComponent(model.name)}/shift`, { part: "The rolling view" });
    if (this.shared.model !== model) return;
    Object.assign(this, { rolledAt: at, rolledInputs: inputs });
    this.#draw("rolling", { ...rolling, now: null }, () => this.#roll(rolling));
  }

  /** Draws what differs from what is seen. */
  #draw(name, shown, draw) {
    const text = JSON.stringify(shown);
    if (this.texts[name] !== text) draw();
    this.texts[name] = text;
  }

  #card(entry) {
    const { name, version, state, reason, input, training, baseline, execution_provider: provider, max_batch: most } = entry;
    const held = training?.held_out_accuracy?.exact ?? training?.held_out_accuracy?.running;
    const facts = input && [
      `${input.kind} ${input.shape.join(" × ")}${input.sample_rate_hz ? ` at ${hertz(input.sample_rate_hz)}` : ""}; ${entry.classes.length} classes; batches of up to ${most} on ${provider.replace("ExecutionProvider", "")}`,
      training && `Trained on ${count(training.training_inputs ?? 0, "input")} of ${training.data}${held ? `; ${percent(held)} of held-out inputs right` : ""}`,
      entry.origin && `Imported${entry.origin.producer ? ` from ${entry.origin.producer}` : ""}`,
      baseline ? `Baseline of ${count(baseline.shift_held_out_inputs ?? baseline.level_held_out_inputs ?? 0, "held-out input")}` : "No baseline: input shift and level are not told",
    ];
    return h("article", { class: "model" }, h("h4", {}, name, " ", h("span", { class: "note" }, `version ${version}`), " ", h("span", { class: state === "ready" ? "status fine" : "status alarm" }, state)),
      reason && h("p", { class: "problem" }, reason), facts && h("ul", {}, facts.filter(Boolean).map((fact) => h("li", {}, fact))));
  }

  #mix(list, words) {
    const all = list.reduce((sum, { count: n }) => sum + n, 0);
    if (!all) return h("p", { class: "empty" }, `No input was classified ${words}.`);
    const row = ({ label, count: n, class_index: index }) => h("li", {}, h("span", { class: "name", title: label }, label), h("span", { class: "track", "aria-hidden": "true" }, h("span", { class: "bar", style: { "--share": `${(100 * n) / all}%`, "--swatch": classColour(index) } })), h("span", { class: "value" }, n.toLocaleString("en")));
    return [h("p", { class: "note" }, `${count(all, "input")} ${words}`), h("ol", { class: "bars" }, list.filter(({ count: n }) => n).sort((a, b) => b.count - a.count).map(row))];
  }

  /** The last hour and day. */
  #roll({ hour, day, since, alarm_level: level, change }) {
    show(this.classes, this.#mix(hour.classes, "in the last hour"));
    const line = (name, of) => of && h("tr", {}, h("th", { scope: "row" }, name), [hour, day].map((view) => { const part = view[of]; return h("td", { class: "numeric" }, part?.inputs ? `${percent(part.alarms / part.inputs)} of ${part.inputs.toLocaleString("en")}` : "–"); }));
    const begun = h("p", { class: "note" }, `Counted since ${new Date(since).toLocaleString()}.`);
    if (!hour.input_shift && !hour.input_level) return show(this.alarms, h("p", { class: "empty" }, "This model has no baseline, so nothing alarms."), begun);
    const bars = hour.timeline?.length ? this.#minutes(hour.timeline) : null;
    return show(this.alarms,
      h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "hidden" }, "what")), ["last hour", "last day"].map((text) => h("th", { scope: "col", class: "numeric" }, text)))), h("tbody", {}, hour.input_shift && line("Input shift", "input_shift"), hour.input_level && line("Input level", "input_level"))),
      change?.alarm && h("p", { class: "problem" }, `The inputs have changed${change.since ? ` since ${new Date(change.since).toLocaleString()}` : ""}.`),
      bars, this.#pValues(hour.input_shift?.p_values), h("p", { class: "note" }, `At a level of ${percent(level ?? 0.01)}, that share of unchanged inputs alarms.`), begun);
  }

  /** Alarms of each minute. */
  #minutes(timeline) {
    const alarms = timeline.map((minute) => minute.shift_alarms + minute.level_alarms), most = Math.max(0, ...alarms);
    const words = `${count(alarms.reduce((sum, n) => sum + n, 0), "alarm")} in the last hour, minute by minute`;
    const bars = [...Array(Math.max(0, MINUTES - alarms.length)).fill(0), ...alarms].map((n) => h("span", { style: { "--share": `${(100 * n) / (most || 1)}%` } }));
    return [h("div", { class: "minutes", role: "img", "aria-label": words }, bars), h("p", { class: "note" }, `${words}${most ? `; at most ${most.toLocaleString("en")} in one` : ""}.`)];
  }

  /** Unchanged inputs have p-values that are spread evenly. */
  #pValues(bins) {
    const all = bins?.reduce((sum, bin) => sum + bin.count, 0);
    if (!all) return null;
    const of = (from, to) => bins.filter(({ le }) => le > from && le <= to).reduce((sum, bin) => sum + bin.count, 0) / all;
    const small = of(0, 0.1);
    return h("p", { class: "note" }, `${percent(small)} of the p-values are at most 0.1; unchanged inputs would have 10 %.`);
  }
}
