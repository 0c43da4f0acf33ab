// Parts of an answer that not every model or input has: causes of an alarm, what is usual, changes, activation maps, the rolling view.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";

import { writeWav } from "../../../src/api/http/console/page/wav.js";
import { answer, choose, closeBrowser, colours, inConsole, openBrowser } from "./page.js";
import { Server, root } from "./server.js";

let server;
before(async () => { [server] = await Promise.all([Server.start(), openBrowser()]); });
after(async () => { await closeBrowser(); await server.stop(); });

/** Changes the JSON of the server's answers to a path. */
async function changed(page, pattern, change) {
  await page.route(pattern, async (route) => {
    const response = await route.fetch();
    if (!response.ok()) return route.fulfill({ response });
    const json = await response.json();
    change(json);
    return route.fulfill({ json });
  });
}

test("the causes of an alarm are named, for the shape and for the level", () => inConsole(server, {}, async (page) => {
  await changed(page, "**/classify**", ({ predictions: [{ diagnostics }] }) => {
    diagnostics.input_shift = { score: 412, p_value: 0.0027, alarm: true, reason: "magnitudes", causes: [{ block: "stage1.block1", channel: 3, z: 6.14, share: 0.4 }, { block: "stage2.block1", channel: 8, z: -4.2, share: 0.2 }] };
    diagnostics.input_level = { rms: 2, offset: 0, peak: 5, clipped: 0.1, p_value: 0.0027, alarm: true, causes: [{ what: "clipped", channel: 0, z: 9 }, { what: "something_new", channel: 0, z: 3 }] };
  });
  await choose(page, "bearing");
  await page.getByRole("button", { name: "Use a test input" }).click();
  await answer(page);
  await page.getByText("Because of the mean magnitudes of channels: stage1.block1, channel 3 +6.1 σ, stage2.block1, channel 8 −4.2 σ").waitFor();
  await page.getByText("What moved: clipped share +9.0 σ, something_new +3.0 σ").waitFor();
  await page.getByText("Look for a gain that is too high for the converter.").waitFor();
}));

/** A baseline whose usual thresholds are those of an answer, but for the first channel. */
function baselineFor({ label, class_index, diagnostics }) {
  const channel = ({ threshold, scale }, first) => ({ threshold: { mean: first ? threshold + 0.5 : threshold, deviation: 0.1 }, scale: scale === null ? null : { mean: scale, deviation: 0.01 } });
  const blocks = diagnostics.blocks.map((block, row) => ({ name: block.name, channel: block.channel.map((one, i) => channel(one, row + i === 0)) }));
  const quantiles = Array.from({ length: 101 }, (_, i) => ({ share: i / 100, score: 0.1 * 10 ** (i / 100) }));
  return { input_shift: { held_out_inputs: 367, alarm_above: 0.95, quantiles }, input_level: null, thresholds: [{ label, class_index, inputs: 500, blocks }] };
}

test("thresholds and shift are compared with what is usual, for eyes, keyboard and screen reader", () => inConsole(server, {}, async (page) => {
  let taken;
  const known = new Promise((done) => { taken = done; });
  await changed(page, "**/classify**", ({ predictions: [prediction] }) => { prediction.diagnostics.input_shift.score = 0.3; taken(baselineFor(prediction)); });
  await page.route("**/models/mnist/versions/1/baseline", async (route) => route.fulfill({ json: await known }));
  await choose(page, "mnist");
  await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
  await answer(page, /^7$/);
  await page.getByText("1 of 112 thresholds are more than 3 σ from what is usual for 7; the farthest is stage1.block1, channel 0 (−5.0 σ).").waitFor();
  await page.getByRole("img", { name: "Scores of 367 held-out inputs: half of them up to 0.316, those above 0.95 alarm. This input: 0.3, farther out than 47.7 %." }).waitFor();
  await page.getByLabel("Show", { exact: true }).selectOption("threshold against the usual");
  await page.locator(".heat .cell").first().focus();
  assert.match(await page.locator(".readout").textContent(), /^stage1\.block1, channel 0: τ .* \(usual .* ± 0\.1, −5\.0 σ\)/);
  const colour = (index) => page.locator(".heat .cell").nth(index).evaluate((cell) => getComputedStyle(cell).backgroundColor);
  assert.notEqual(await colour(0), await colour(1));
  assert.equal(await colour(1), await colour(2), "channels as usual look alike");
}));

test("a model of which nothing is known to be usual is shown without it", () => inConsole(server, { expected: [404] }, async (page) => {
  await page.route("**/versions/1/baseline", (route) => route.fulfill({ status: 404, json: { code: "not_found", detail: "none" } }));
  await choose(page, "mnist");
  await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
  await answer(page, /^7$/);
  await page.getByText("What is usual is not known").waitFor();
  await page.getByRole("img", { name: /^Input shift: farther out than/ }).waitFor();
  assert.ok(await page.locator("#measure option[value=unusual]").isDisabled());
}));

test("where a recording is unlike the training data is told beside its class, drawn, and reached by keyboard", () => inConsole(server, {}, async (page) => {
  await changed(page, "**/classify**", ({ predictions: [{ diagnostics }] }) => { diagnostics.input_shift.changes = [{ start: 12_000, found: 24_000, end: 36_000 }, { start: 40_000, found: 45_000, end: null }]; });
  await choose(page, "bearing");
  const samples = Float32Array.from({ length: 48_000 }, (_, i) => 0.2 * Math.sin(i / 5));
  await page.setInputFiles("#files", server.file("tone.wav", Buffer.from(writeWav([samples], 48_000))));
  await page.locator(".part-answer").getByText("Unlike the training data from 250 ms to 750 ms (certain at 500 ms), and in 1 more stretch.").waitFor();
  await page.locator("#announcer", { hasText: "Unlike the training data from 250 ms" }).waitFor({ state: "attached" });
  const described = await page.getByRole("slider", { name: /Waveform/ }).evaluate((canvas) => document.getElementById(canvas.getAttribute("aria-describedby")).textContent);
  assert.match(described, /unlike the training data from 250 ms to 750 ms.*unlike the training data from 833 ms/);
  // Columns of the waveform that begin with the bar's red, as shares of its width.
  const red = () => page.locator(".waveform").evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 1, canvas.width, 1);
    const isRed = (x) => data[4 * x] > 150 && data[4 * x + 1] < 60 && data[4 * x + 2] < 60;
    return Array.from({ length: canvas.width }, (_, x) => x).filter(isRed).map((x) => x / canvas.width);
  });
  let places = [];
  for (let look = 0; look < 50 && !places.length; look += 1) {
    await page.waitForTimeout(100);
    places = await red();
  }
  assert.ok(Math.abs(places[0] - 0.25) < 0.01 && !places.some((x) => x > 0.76 && x < 0.82) && places.at(-1) > 0.99, String([places[0], places.at(-1)]));
  await page.getByRole("button", { name: "unlike the training data from 250 ms to 750 ms" }).press("Enter");
  await page.waitForFunction(() => document.querySelector(".waveform").getAttribute("aria-valuetext") === "from 250 ms to 750 ms");
}));

test("an activation map is laid over a signal and over a picture", () => inConsole(server, { expected: [400] }, async (page) => {
  await changed(page, "**/models/*/classify**", ({ predictions: [{ class_index: index, diagnostics }] }) => {
    diagnostics.map = diagnostics.input_level
      ? { class_index: index, bias: 0.1, start: 0, end: 2048, values: [0, 3.1, -2.4, null] }
      : { class_index: index, bias: 0.1, height: 2, width: 2, values: [[0, 4], [-2, 1]] };
  });
  await choose(page, "mnist");
  await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
  await answer(page);
  const tinted = (selector) => page.locator(selector).evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let [warm, cold] = [0, 0];
    for (let i = 0; i < data.length; i += 4) {
      if (data[i] > data[i + 2] + 40) warm += 1;
      if (data[i + 2] > data[i] + 20) cold += 1;
    }
    return [warm > 1000, cold > 1000];
  });
  await page.waitForTimeout(400);
  assert.deepEqual(await tinted(".picture"), [true, true]);
  await choose(page, "bearing");
  await page.getByRole("button", { name: "Use a test input" }).click();
  await page.locator(".waveform").waitFor();
  await page.waitForTimeout(600);
  assert.ok(await colours(page, ".waveform") > 10);
  assert.deepEqual(await tinted(".waveform"), [true, true]);
}));

const view = (alarms) => ({
  start: "2026-11-29T21:40:03Z", predictions: 120,
  classes: [{ label: "normal", class_index: 0, count: 80 }, { label: "ball 0.007 in", class_index: 1, count: 40 }],
  input_shift: { inputs: 2400, alarms, p_values: [{ le: 0.01, count: 30 }, { le: 0.1, count: 210 }, { le: 1, count: 2160 }], blocks: [{ name: "stage1.block1", z: 0.04 }] },
  input_level: { inputs: 2400, alarms: 3 },
  timeline: [{ start: "2026-11-29T21:40:00Z", predictions: 2, shift_inputs: 40, shift_alarms: 1, level_alarms: 0 }, { start: "2026-11-29T21:41:00Z", predictions: 118, shift_inputs: 2360, shift_alarms: 30, level_alarms: 3 }],
});

test("the last hour and day are told as the rolling view has them", () => inConsole(server, {}, async (page) => {
  await page.route("**/models/bearing/shift", (route) => route.fulfill({ json: { model: { name: "bearing", version: "1" }, since: "2026-11-29T21:40:03Z", now: "2026-11-29T22:51:10Z", alarm_level: 0.01, hour: view(31), day: view(72), change: { evidence: 99, alarm: true, since: "2026-11-29T22:40:00Z" } } }));
  await choose(page, "bearing");
  await page.getByRole("link", { name: "Operate" }).click();
  await page.getByText("120 inputs in the last hour").waitFor();
  await page.getByRole("cell", { name: "1.3 % of 2,400" }).waitFor();
  await page.getByRole("cell", { name: "3.0 % of 2,400" }).waitFor();
  await page.getByText("The inputs have changed since").waitFor();
  await page.getByRole("img", { name: "34 alarms in the last hour, minute by minute" }).waitFor();
  await page.getByText("10.0 % of the p-values are at most 0.1").waitFor();
  await page.waitForTimeout(2500);
  await page.getByText("120 inputs in the last hour").waitFor();
}));
