// The pictures of docs/console.md, and the five questions of a newcomer, answered from the page alone.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { perturb } from "../../../src/api/http/console/page/perturb.js";
import { writeWav } from "../../../src/api/http/console/page/wav.js";
import { answer, choose, closeBrowser, inConsole, openBrowser, recordings, skipped } from "./page.js";
import { Server, root } from "./server.js";

const FOLDER = process.env.DRSN_CONSOLE_PICTURES;
const RATE = 48_000;
const REDUCE = "import sys; from PIL import Image; p = sys.argv[1]; Image.open(p).convert('RGB').quantize(255, method=1, dither=0).save(p, optimize=True)";

let server;
before(async () => { [server] = await Promise.all([Server.start(), openBrowser()]); });
after(async () => { await closeBrowser(); await server.stop(); });

async function keep(page, name) {
  if (!FOLDER) return;
  await page.mouse.move(0, 0);
  await page.waitForTimeout(600);
  const place = path.join(FOLDER, `console-${name}.png`);
  await page.screenshot({ path: place, fullPage: true });
  // A third of the size with 255 colours, where Pillow is there to find them.
  if (process.env.DRSN_PYTHON) execFileSync(process.env.DRSN_PYTHON, ["-c", REDUCE, place]);
}

/** The samples of a recording, as the server reads them. */
async function samples(file) {
  const url = `${server.url}/console/recordings/0?model=bearing&variable=DE_time`;
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/x-matlab-data" }, body: readFileSync(path.join(recordings, file)) });
  return new Float32Array(await response.arrayBuffer());
}

/** A healthy machine that gets a damaged inner race after two seconds. */
async function fault() {
  const [healthy, damaged] = [await samples("normal_0_97.mat"), await samples("48k_Drive_End_IR014_0_174.mat")];
  const joined = new Float32Array(2 * RATE + damaged.length);
  joined.set(healthy.subarray(0, 2 * RATE));
  joined.set(damaged, 2 * RATE);
  return server.file("pump.wav", Buffer.from(writeWav([joined], RATE)));
}

/** A healthy machine whose sensor comes loose after a third: from there on noise as strong as the signal. */
async function loose() {
  const healthy = await samples("normal_0_97.mat"), third = Math.floor(healthy.length / 3);
  const joined = healthy.slice();
  joined.set(perturb([healthy.subarray(third)], { snr: 0 })[0], third);
  return server.file("loose.wav", Buffer.from(writeWav([joined], RATE)));
}

async function openFault(page) {
  await choose(page, "bearing");
  await page.setInputFiles("#files", await fault());
  await answer(page);
  await page.locator(".stretches").getByText("from 2.01 s").waitFor();
}

test("a newcomer's questions are answered by the page alone", { skip: skipped }, () => inConsole(server, { width: 1360, expected: [400] }, async (page) => {
  // Which class is this recording, and when does the fault begin?
  await openFault(page);
  const stretches = await page.locator(".stretches button").allTextContents();
  assert.match(stretches[0], /^from the start: normal/);
  assert.match(stretches[1], /^from 2\.01 s: inner race 0\.014 in/);
  await page.getByText("normal until 2.01 s, then inner race 0.014 in").waitFor();
  // Is the sensor all right?
  await page.getByRole("heading", { name: /^Level of the sensor (as usual|alarm)/ }).waitFor();
  // Which channels did the network mute?
  await page.getByText(/channels? (was|were) muted/).waitFor();
  await page.locator(".bands").click({ position: { x: 500, y: 25 } });
  await page.locator(".part-windowed .bars").waitFor();
  await keep(page, "try");
  // What would 0 dB of noise do?
  await page.setInputFiles("#files", path.join(recordings, "48k_Drive_End_IR014_0_174.mat"));
  await page.locator(".part-question button").first().click();
  await answer(page, /inner race 0.014/);
  await page.getByRole("link", { name: "What if" }).click();
  await page.locator(".side .verdict").nth(1).waitFor();
  await page.getByLabel("Noise").fill("0");
  await page.getByText("0 dB of signal to noise").waitFor();
  await page.locator(".side", { hasText: "Changed" }).getByText(/unlike the training data|another shape than in training/).waitFor();
  await keep(page, "whatif");
}));

test("since when a sensor is not all right, and why, is told by the page alone", { skip: skipped }, () => inConsole(server, { width: 1360 }, async (page) => {
  await choose(page, "bearing");
  await page.setInputFiles("#files", await loose());
  await answer(page, /^normal$/);
  await page.locator(".part-answer .unlike", { hasText: /^Unlike the training data from 1\.[67]\d s \(certain at \d\.\d+ s\)\.$/ }).waitFor();
  await page.getByRole("button", { name: /^unlike the training data from 1\.[67]/ }).waitFor();
  await page.getByText(/^Because of the input itself: more values lie far (below|above) their neighbours/).waitFor();
  await page.getByText(/ Look for .*noise/).waitFor();
  await page.getByRole("img", { name: /^Scores of 367 held-out inputs: .* farther out than 100 %/ }).waitFor();
  await page.getByText(/what is usual for normal; the farthest is stage/).waitFor();
  await page.getByLabel("Show", { exact: true }).selectOption("threshold against the usual");
  await keep(page, "change");
}));

test("pictures in the dark, narrow, of digits, of many files and at work", { skip: skipped || (FOLDER ? false : "DRSN_CONSOLE_PICTURES names no folder") }, async () => {
  await inConsole(server, { theme: "dark", width: 1360 }, async (page) => {
    await openFault(page);
    await keep(page, "try-dark");
  });
  await inConsole(server, { width: 360, expected: [400] }, async (page) => {
    await choose(page, "mnist");
    await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
    await answer(page);
    await keep(page, "narrow");
  });
  await inConsole(server, { theme: "dark", width: 1100, expected: [400] }, async (page) => {
    await choose(page, "bearing");
    const files = ["B007_0_122", "B014_0_189", "B021_0_226", "IR007_0_109", "IR014_0_174", "OR007@6_0_135", "OR021@6_0_238"].map((name) => path.join(recordings, `48k_Drive_End_${name}.mat`));
    await page.setInputFiles("#files", files);
    await page.getByText("7 of 7 files answered").waitFor();
    await page.getByText("Options of the recordings").click();
    await page.getByLabel("Variable").fill("FE_time");
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: /ball|race|normal/ }).nth(6).waitFor();
    await keep(page, "many");
  });
  await inConsole(server, { width: 1100 }, async (page) => {
    await choose(page, "bearing");
    await page.getByRole("link", { name: "Operate" }).click();
    const input = await samples("48k_Drive_End_IR014_0_174.mat");
    for (let i = 0; i < 20; i += 1) {
      for (let j = 0; j <= i % 5; j += 1) await fetch(`${server.url}/models/bearing/classify`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: input.subarray(0, 8 * 2048) });
      await page.waitForTimeout(800);
    }
    await keep(page, "operate");
  });
});
