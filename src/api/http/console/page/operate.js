/** The server at work: models and their states, requests, latency, batches, classes, alarms. All of it from /models, /metrics and the rolling view. */

import { getJson, request } from "./api.js";
import { Chart } from "./chart.js";
import { h, show } from "./dom.js";
import { bytes, count, number, percent, seconds } from "./format.js";
import { buckets, parse, quantile, total } from "./metrics.js";
import { classColour } from "./palette.js";
import { problemNote } from "./problem.js";

const PAUSE = 2000, SLOW = 5, MINUTES = 60;

export class Operate {
  constructor(shared, refreshed) {
    Object.assign(this, { shared, refreshed, looks: 0 });
    const ms = (value) => seconds(value);
    this.charts = {
      rate: new Chart("Requests a second", (value) => number(value)),
      half: new Chart("Latency, median", ms), most: new Chart("Latency, 99th percentile", ms),
      batch: new Chart("Inputs in a batch", (value) => number(value)), queue: new Chart("Waiting", (value) => count(value, "request")),
      refused: new Chart("Refused a second", (value) => number(value)),
    };
    for (const part of ["models", "facts", "classes", "alarms", "problem"]) this[part] = h("div", { class: `part-${part}` });
    this.element = h("div", { class: "view operate" },
      h("section", { class: "panel" }, h("h2", {}, "Now"), this.problem, h("div", { class: "tiles" }, Object.values(this.charts).map((chart) => chart.element)), this.facts),
      h("div", { class: "columns" }, h("section", { class: "panel" }, h("h3", {}, "Models"), this.models), h("div", {}, h("section", { class: "panel" }, h("h3", {}, "Classes"), this.classes), h("section", { class: "panel" }, h("h3", {}, "Alarms"), this.alarms))));
    document.addEventListener("visibilitychange", () => this.#plan());
  }

  suit() {
    this.before = null;
    this.looks = 0;
  }

  /** Begins or ends to look; nothing is asked while the view is not seen. */
  shown(isShown) {
    this.isShown = isShown;
    this.#plan();
  }

  #plan() {
    clearTimeout(this.timer);
    if (this.isShown && !document.hidden) this.#look();
  }

  async #look() {
    clearTimeout(this.timer);
    try {
      const response = await request("/metrics", { part: "The server's metrics" });
      this.#tell(parse(await response.text()), performance.now() / 1000);
      if (this.looks % SLOW === 0) await this.#rarely();
      this.looks += 1;
      show(this.problem);
    } catch (problem) {
      this.before = null;
      show(this.problem, problemNote(problem, () => this.#look()));
      // Without a key there is nothing to see; asking again would ask the user again.
      if (problem.status === 401) return;
    }
    if (this.isShown && !document.hidden) this.timer = setTimeout(() => this.#look(), PAUSE);
  }

  #tell(found, at) {
    const model = this.shared.model?.name, of = { model }, { before } = this;
    const latency = buckets(found, "drsn_request_duration_seconds", of);
    const now = {
      at, latency, requests: total(found, "drsn_requests_total", of), refused: total(found, "drsn_rejected_total", of),
      inputs: total(found, "drsn_batch_size_sum", of), batches: total(found, "drsn_batch_size_count", of),
    };
    const per = (name) => (before ? Math.max(0, now[name] - before[name]) / (at - before.at) : null);
    const batches = before ? now.batches - before.batches : 0;
    this.charts.rate.push(per("requests"));
    this.charts.refused.push(per("refused"));
    this.charts.half.push(before && quantile(before.latency, latency, 0.5));
    this.charts.most.push(before && quantile(before.latency, latency, 0.99));
    this.charts.batch.push(batches > 0 ? (now.inputs - before.inputs) / batches : null);
    this.charts.queue.push(total(found, "drsn_queue_depth", of));
    this.before = now;
    this.#facts(found);
    this.found = found;
    if (!this.rolling) this.#sinceStart(found);
  }

  #facts(found) {
    const since = total(found, "process_start_time_seconds"), build = found.get("drsn_build_info")?.[0]?.labels.version;
    const fact = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
    show(this.facts, h("dl", { class: "facts" },
      fact("version", build ?? "–"), fact("running since", since ? new Date(1000 * since).toLocaleString() : "–"),
      fact("requests being answered", number(total(found, "drsn_inflight_requests"))), fact("memory of requests", bytes(total(found, "drsn_inflight_bytes"))),
      fact("memory of the process", bytes(total(found, "process_resident_memory_bytes"))), fact("connections and files open", number(total(found, "process_open_fds")))));
  }

  async #rarely() {
    const list = await getJson("/models", { part: "The list of models" });
    this.refreshed(list);
    show(this.models, list.models.map((entry) => this.#card(entry)));
    this.paths ??= (await getJson("/openapi.json")).paths;
    if (!this.paths["/models/{model}/shift"] || !this.shared.model) return;
    this.rolling = await getJson(`/models/${encodeURIComponent(this.shared.model.name)}/shift`, { part: "The rolling view" });
    this.#roll(this.rolling);
  }

  #card(entry) {
    const { name, version, state, reason, input, training, baseline, execution_provider: provider, max_batch: most } = entry;
    const held = training?.held_out_accuracy?.exact ?? training?.held_out_accuracy?.running;
    const facts = input && [
      `${input.kind} ${input.shape.join(" × ")}${input.sample_rate_hz ? ` at ${number(input.sample_rate_hz)} Hz` : ""}; ${entry.classes.length} classes; batches of up to ${most} on ${provider.replace("ExecutionProvider", "")}`,
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

  /** Without the rolling view: what the counters say since the start. */
  #sinceStart(found) {
    const { model } = this.shared;
    if (!model) return;
    const of = { model: model.name };
    const list = model.classes.map((label, index) => ({ label, class_index: index, count: total(found, "drsn_predictions_total", { ...of, class: label }) }));
    show(this.classes, this.#mix(list, "since the start"));
    const inputs = total(found, "drsn_input_shift_p_value_count", of);
    const line = (name, metric) => h("p", {}, `${name}: ${number(total(found, metric, of))} of ${count(inputs, "input")} since the start`);
    show(this.alarms, model.baseline ? [line("Input shift", "drsn_input_shift_alarms_total"), model.baseline.level_held_out_inputs && line("Input level", "drsn_input_level_alarms_total"), h("p", { class: "note" }, `At a level of ${percent(model.baseline.alarm_level)}, that share of unchanged inputs alarms.`)] : h("p", { class: "empty" }, "This model has no baseline, so nothing alarms."));
  }

  /** The last hour and day. */
  #roll({ hour, day, since, alarm_level: level, change }) {
    show(this.classes, this.#mix(hour.classes, "in the last hour"));
    const line = (name, of) => of && h("tr", {}, h("th", { scope: "row" }, name), [hour, day].map((view) => { const part = view[of]; return h("td", { class: "numeric" }, part?.inputs ? `${percent(part.alarms / part.inputs)} of ${part.inputs.toLocaleString("en")}` : "–"); }));
    const begun = h("p", { class: "note" }, `Counted since ${new Date(since).toLocaleString()}.`);
    if (!hour.input_shift && !hour.input_level) return show(this.alarms, h("p", { class: "empty" }, "This model has no baseline, so nothing alarms."), begun);
    const bars = hour.timeline?.length ? this.#minutes(hour.timeline) : null;
    return show(this.alarms,
      h("table", {}, h("thead", {}, h("tr", {}, ["", "last hour", "last day"].map((text) => h("th", { scope: "col" }, text || h("span", { class: "hidden" }, "what"))))), h("tbody", {}, hour.input_shift && line("Input shift", "input_shift"), hour.input_level && line("Input level", "input_level"))),
      change?.alarm && h("p", { class: "problem" }, `The inputs have changed${change.since ? ` since ${new Date(change.since).toLocaleString()}` : ""}.`),
      bars, this.#pValues(hour.input_shift?.p_values), h("p", { class: "note" }, `At a level of ${percent(level ?? 0.01)}, that share of unchanged inputs alarms.`), begun);
  }

  /** Alarms of each minute. */
  #minutes(timeline) {
    const most = Math.max(1, ...timeline.map((minute) => minute.shift_alarms + minute.level_alarms));
    const words = `${count(timeline.reduce((sum, minute) => sum + minute.shift_alarms + minute.level_alarms, 0), "alarm")} in the last hour, minute by minute`;
    return h("div", { class: "minutes", role: "img", "aria-label": words, title: words }, [...Array(Math.max(0, MINUTES - timeline.length)).fill(0), ...timeline.map((minute) => minute.shift_alarms + minute.level_alarms)].map((alarms) => h("span", { style: { "--share": `${(100 * alarms) / most}%` } })));
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
