// Parts of an answer that not every model or server has: causes of an alarm, activation maps, the rolling view.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";

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
    diagnostics.input_shift = { score: 412, p_value: 0.0027, alarm: true, causes: [{ block: "stage1.block1", channel: 3, z: 6.14 }, { block: "stage2.block1", channel: 8, z: -4.2 }] };
    diagnostics.input_level = { rms: 2, offset: 0, peak: 5, clipped: 0.1, p_value: 0.0027, alarm: true, causes: [{ what: "clipped", channel: 0, z: 9 }, { what: "something_new", channel: 0, z: 3 }] };
  });
  await choose(page, "bearing");
  await page.getByRole("button", { name: "Use a test input" }).click();
  await answer(page);
  await page.getByText("What moved: stage1.block1, channel 3 +6.14 σ, stage2.block1, channel 8 −4.2 σ").waitFor();
  await page.getByText("What moved: clipped share of channel 0 +9 σ, something_new of channel 0 +3 σ").waitFor();
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

test("the rolling view replaces what was counted since the start", () => inConsole(server, {}, async (page) => {
  await changed(page, "**/openapi.json", (document) => { document.paths["/models/{model}/shift"] = {}; });
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
