// One input: files of every kind, a drawing, a paste, the microphone, and what goes wrong.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";

import { uniform } from "../../../src/api/http/console/page/perturb.js";
import { writeWav } from "../../../src/api/http/console/page/wav.js";
import { answer, choose, closeBrowser, colours, inConsole, openBrowser, recordings, skipped } from "./page.js";
import { Server, root } from "./server.js";

let server;
before(async () => { [server] = await Promise.all([Server.start(), openBrowser()]); });
after(async () => { await closeBrowser(); await server.stop(); });

const random = uniform(3);
const tone = (count) => Float32Array.from({ length: count }, (_, i) => 0.2 * Math.sin(i / 5) + 0.05 * (random() - 0.5));
const table = (columns, count) => `${columns.join(",")}\n${[...tone(count)].map((value) => columns.map((_, i) => value * (i + 1)).join(",")).join("\n")}\n`;

/** An NPY file of 32-bit floats of this shape. */
function npy(shape, values) {
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const padded = head.padEnd(Math.ceil((head.length + 11) / 64) * 64 - 11) + "\n";
  return Buffer.concat([Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, padded.length & 255, padded.length >> 8]), Buffer.from(padded), Buffer.from(values.buffer)]);
}

test("a recording of a machine: the variable is asked for, and class, windows, thresholds and sensor are shown", { skip: skipped }, () => inConsole(server, { expected: [400] }, async (page) => {
  await choose(page, "bearing");
  await page.setInputFiles("#files", path.join(recordings, "48k_Drive_End_IR014_0_174.mat"));
  await page.locator(".part-problem", { hasText: "the variable to read is ambiguous" }).waitFor();
  await page.getByRole("button", { name: "X173_DE_time" }).click();
  assert.equal((await answer(page))[0], "inner race 0.014 in");
  await page.getByRole("slider", { name: /Waveform/ }).waitFor();
  await page.getByText("from the start: inner race 0.014 in").waitFor();
  await page.getByText("No alarm: shape and level are as they were in training.").waitFor();
  await page.waitForTimeout(500);
  for (const canvas of [".waveform", ".overview", ".bands", ".spectrogram"]) assert.ok(await colours(page, canvas) > 2, canvas);

  // A click on a band shows that window's answer; so do the arrow keys.
  await page.locator(".bands").click({ position: { x: 60, y: 25 } });
  await page.locator(".part-windowed", { hasText: /Window \d+ of 32/ }).waitFor();
  await page.locator(".part-windowed .bars").waitFor();
  const first = await page.locator(".part-windowed h4").textContent();
  await page.locator(".bands").press("ArrowRight");
  await page.waitForFunction((before) => document.querySelector(".part-windowed h4").textContent !== before, first);
  await page.locator(".part-windowed .bars").waitFor();
  await page.getByRole("button", { name: "Back to the whole recording" }).click();
  assert.equal(await page.locator(".part-windowed").textContent(), "");

  // By keyboard: zoom and pan of the waveform, and a cell of the heat map.
  const waveform = page.getByRole("slider", { name: /Waveform/ });
  assert.equal(await waveform.getAttribute("aria-valuetext"), "from 0 s to 1.33 s");
  await waveform.press("+");
  await waveform.press("Home");
  await page.waitForFunction(() => document.querySelector(".waveform").getAttribute("aria-valuetext") === "from 0 s to 930 ms");
  await waveform.press("0");
  await page.locator(".heat .cell").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  assert.match(await page.locator(".readout").textContent(), /^stage2\.block1, channel 1: τ .* set to zero/);
}));

test("a wrong rate is refused in the server's words, and converted at a click", () => inConsole(server, { expected: [400] }, async (page) => {
  await choose(page, "bearing");
  await page.setInputFiles("#files", server.file("slow.wav", Buffer.from(writeWav([tone(8000)], 12_000))));
  await page.locator(".part-problem", { hasText: "12000 Hz, but this model expects 48000 Hz" }).waitFor();
  await page.getByRole("button", { name: "Convert to the model's rate" }).click();
  await answer(page);
  assert.equal(await page.locator(".part-problem").textContent(), "");
  await page.getByText("667 ms at 12 kHz").waitFor();
  // Windows are told at the model's rate, and drawn where they are in the file.
  await page.locator(".bands").press("End");
  await page.locator(".part-windowed", { hasText: "Window 16 of 16, from 624 ms" }).waitFor();
  await page.locator(".part-windowed .bars").waitFor();
  // A rate that is no multiple of the model's: each window is whole still.
  await page.setInputFiles("#files", server.file("disc.wav", Buffer.from(writeWav([tone(20_000)], 44_100))));
  await page.getByRole("button", { name: "Convert to the model's rate" }).click();
  await page.getByText("454 ms at 44.1 kHz").waitFor();
  for (const key of ["Home", "ArrowRight", "ArrowRight", "End"]) {
    await page.locator(".bands").press(key);
    await page.locator(".part-windowed .bars").waitFor();
  }
}));

test("tables and arrays: a channel is asked for, and the server says what was read", () => inConsole(server, { expected: [400] }, async (page) => {
  await choose(page, "bearing");
  await page.setInputFiles("#files", server.file("two.csv", table(["left", "right"], 5000)));
  await page.getByText("Choose a channel:").waitFor();
  await page.getByRole("button", { name: "right" }).click();
  await page.getByText("two.csv: channel right").waitFor();
  await page.getByText("nothing tells the sample rate").waitFor();
  await page.getByRole("button", { name: "Give the rate" }).click();
  await page.keyboard.type("48000");
  await page.keyboard.press("Enter");
  await page.getByText("nothing tells the sample rate").waitFor({ state: "detached" });
  await page.setInputFiles("#files", server.file("one.npy", npy([4096], tone(4096))));
  await page.getByText("one.npy: channel 0").waitFor();
  await page.getByText("85.3 ms at 48 kHz").waitFor();
  // Several inputs in one file: each can be looked at.
  await page.setInputFiles("#files", server.file("three.npy", npy([3, 1, 2048], tone(3 * 2048))));
  await page.getByLabel("Input of the file").selectOption("input 3 of 3");
  await page.getByText("42.7 ms at 48 kHz").waitFor();
  assert.equal(await page.getByLabel("Input of the file").inputValue(), "2");
}));

test("pictures: a file, the test input, a drawing by pointer and by keyboard", () => inConsole(server, {}, async (page) => {
  await choose(page, "mnist");
  await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
  await answer(page, /^7$/);
  assert.ok(await colours(page, ".picture") > 10);
  await page.getByRole("button", { name: "Use a test input" }).click();
  await answer(page, /^6$/);
  await page.getByRole("button", { name: "Draw" }).click();
  const pad = page.locator(".pad"), box = await pad.boundingBox();
  const line = async (points) => {
    const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
    await page.mouse.move(...at(points[0]));
    await page.mouse.down();
    for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 12 });
    await page.mouse.up();
  };
  await line([[0.25, 0.2], [0.75, 0.2], [0.45, 0.85]]);
  await answer(page, /^7$/);
  await page.getByRole("button", { name: "Clear" }).click();
  await line([[0.5, 0.15], [0.5, 0.85]]);
  await answer(page, /^1$/);
  await page.getByRole("button", { name: "Clear" }).click();
  await pad.focus();
  await page.keyboard.down("Shift");
  for (let i = 0; i < 14; i += 1) await page.keyboard.press("Shift+ArrowDown");
  await page.keyboard.up("Shift");
  await answer(page, /^1$/);
}));

test("what is pasted is taken: numbers become a recording", () => inConsole(server, {}, async (page) => {
  await choose(page, "bearing");
  await page.evaluate((text) => navigator.clipboard.writeText(text), [...tone(2100)].map((value) => value.toFixed(4)).join(" "));
  await page.locator("h1").click();
  await page.keyboard.press("Control+v");
  await answer(page);
  await page.getByText("pasted.csv: channel 0").waitFor();
}));

test("a dropped file is taken, and one that misses the place leaves the page as it is", () => inConsole(server, {}, async (page) => {
  await choose(page, "bearing");
  const drop = (selector) => page.locator(selector).evaluate((element, text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "dropped.csv"));
    for (const kind of ["dragenter", "dragover", "drop"]) element.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: transfer }));
  }, table(["a"], 3000));
  await drop("header");
  await drop(".drop");
  await answer(page);
  await page.getByText("dropped.csv: channel a").waitFor();
}));

test("the microphone is recorded and classified", () => inConsole(server, {}, async (page) => {
  await choose(page, "bearing");
  await page.getByRole("button", { name: "Record" }).click();
  await page.getByRole("button", { name: /Stop \([1-9]/ }).click();
  await answer(page);
  await page.getByText("microphone: channel 0").or(page.getByText(/^microphone/)).first().waitFor();
  assert.equal(await page.getByRole("button", { name: "Record", exact: true }).count(), 1);
}));

test("a file that is none of its kind is refused in the server's words, and the next one is answered", () => inConsole(server, { expected: [400, 413] }, async (page) => {
  await choose(page, "mnist");
  await page.setInputFiles("#files", server.file("broken.png", "this is no picture at all, whatever its name says"));
  await page.getByRole("alert").filter({ hasText: /image|picture|PNG/ }).first().waitFor();
  await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
  await answer(page, /^7$/);
  assert.equal(await page.locator(".part-problem").textContent(), "");
}));

test("the request that is shown works as it is", () => inConsole(server, {}, async (page) => {
  await choose(page, "mnist");
  await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
  await answer(page, /^7$/);
  await page.getByRole("button", { name: "Copy the curl request" }).click();
  await page.getByText("copied").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  const { execFileSync } = await import("node:child_process");
  const said = execFileSync("sh", ["-c", copied], { cwd: path.join(root, "tests/data") });
  assert.equal(JSON.parse(said).predictions[0].label, "7");
}));
