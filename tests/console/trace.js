// Figures of docs/console.md: first paint, what Operate costs, a ten-minute recording, frames a second while panning.
//
//     DRSN_SERVE=target/release/drsn-serve node tests/console/trace.js
import { closeSync, openSync, writeSync } from "node:fs";
import path from "node:path";

import { uniform } from "../../src/api/http/console/page/perturb.js";
import { choose, closeBrowser, inConsole, openBrowser } from "./browser/page.js";
import { Server } from "./browser/server.js";

const RATE = 48_000, MINUTES = 10, LOADS = 15, SECONDS = 30;

/** Writes ten minutes of 16-bit PCM, 58 MB, with a knock every half second. */
function longRecording(place) {
  const count = 60 * MINUTES * RATE, header = Buffer.alloc(44), random = uniform(5);
  header.write("RIFF", 0); header.writeUInt32LE(36 + 2 * count, 4); header.write("WAVEfmt ", 8);
  header.writeUInt32LE(16, 16); header.writeUInt16LE(1, 20); header.writeUInt16LE(1, 22); header.writeUInt32LE(RATE, 24);
  header.writeUInt32LE(2 * RATE, 28); header.writeUInt16LE(2, 32); header.writeUInt16LE(16, 34); header.write("data", 36); header.writeUInt32LE(2 * count, 40);
  const file = openSync(place, "w");
  writeSync(file, header);
  for (let second = 0; second < count / RATE; second += 1) {
    const block = Buffer.alloc(2 * RATE);
    for (let i = 0; i < RATE; i += 1) block.writeInt16LE(Math.round(3000 * (random() - 0.5) + 12_000 * Math.exp(-(i % (RATE / 2)) / 300) * Math.sin(i / 4)), 2 * i);
    writeSync(file, block);
  }
  closeSync(file);
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const figure = (name, value) => process.stdout.write(`${name}: ${value}\n`);

const server = await Server.start("--request-timeout-ms", "120000");
await openBrowser();
const paints = [];
for (let i = 0; i < LOADS; i += 1) {
  await inConsole(server, {}, async (page) => {
    await choose(page, "mnist");
    paints.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime));
  });
}
figure(`first contentful paint with an empty cache, ${LOADS} loads`, `median ${median(paints).toFixed(0)} ms, largest ${Math.max(...paints).toFixed(0)} ms`);

/** What the page did so far: seconds of its main thread, and how often it was laid out. */
async function work(session) {
  const { metrics } = await session.send("Performance.getMetrics");
  return ["TaskDuration", "ScriptDuration", "LayoutCount", "RecalcStyleCount"].map((wanted) => metrics.find(({ name }) => name === wanted).value);
}

await inConsole(server, {}, async (page, context) => {
  await choose(page, "bearing");
  await page.getByRole("link", { name: "Operate" }).click();
  await page.waitForTimeout(20_000);
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable");
  for (const [name, isBusy] of [["no request", false], ["ten requests a second", true]]) {
    const before = await work(session), until = performance.now() + 1000 * SECONDS;
    while (performance.now() < until) {
      if (isBusy) await fetch(`${server.url}/models/bearing/classify`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: new Float32Array(2048) });
      await page.waitForTimeout(100);
    }
    const [task, script, layouts, styles] = (await work(session)).map((value, i) => (value - before[i]) / SECONDS);
    figure(`Operate with ${name}`, `${(1000 * task).toFixed(1)} ms of the main thread a second, ${(1000 * script).toFixed(1)} ms of it scripts; ${layouts.toFixed(1)} layouts, ${styles.toFixed(1)} styles`);
  }
});

const place = path.join(server.folder, "long.wav");
longRecording(place);
await inConsole(server, { width: 1440 }, async (page) => {
  page.setDefaultTimeout(180_000);
  await choose(page, "bearing");
  await page.evaluate(() => {
    new MutationObserver(() => {
      const canvas = document.querySelector(".waveform");
      if (globalThis.drawn || !canvas?.getAttribute("aria-valuetext") || document.querySelector(".bands")?.hidden !== false) return;
      requestAnimationFrame(() => requestAnimationFrame(() => { globalThis.drawn ??= performance.now(); }));
    }).observe(document.getElementById("view"), { subtree: true, childList: true, attributes: true });
  });
  await page.setInputFiles("#files", place);
  await page.waitForFunction(() => globalThis.drawn);
  const { answered, drawn, asked } = await page.evaluate(() => {
    const entry = performance.getEntriesByType("resource").find(({ name }) => name.includes("/models/bearing/classify"));
    return { asked: entry.startTime, answered: entry.responseEnd, drawn: globalThis.drawn };
  });
  figure("ten minutes of 48 kHz, 58 MB: answer after", `${((answered - asked) / 1000).toFixed(2)} s`);
  figure("drawn after its answer", `${((drawn - answered) / 1000).toFixed(2)} s`);
  for (const [name, zooms] of [["all of it zoomed in once", 1], ["a second of it", 9]]) {
    for (let i = 0; i < zooms; i += 1) await page.getByRole("button", { name: "Zoom in" }).click();
    const box = await page.locator(".waveform").boundingBox();
    await page.evaluate(() => {
      globalThis.frames = [];
      const tick = (at) => { globalThis.frames.push(at); globalThis.ticking = requestAnimationFrame(tick); };
      requestAnimationFrame(tick);
    });
    await page.mouse.move(box.x + 1000, box.y + 80);
    await page.mouse.down();
    for (let i = 0; i < 240; i += 1) await page.mouse.move(box.x + 1000 - 3.5 * i, box.y + 80);
    await page.mouse.up();
    const frames = await page.evaluate(() => { cancelAnimationFrame(globalThis.ticking); return globalThis.frames; });
    const gaps = frames.slice(1).map((at, i) => at - frames[i]);
    figure(`panning, ${name}`, `${(1000 * gaps.length / (frames.at(-1) - frames[0])).toFixed(0)} frames a second, longest gap ${Math.max(...gaps).toFixed(0)} ms`);
  }
});
await closeBrowser();
await server.stop();
