// Many files, what if, operate; keys; a reload in between; a server that goes away and comes back.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { answer, choose, closeBrowser, inConsole, openBrowser, recordings, skipped } from "./page.js";
import { Server, root } from "./server.js";

const SEVEN = path.join(root, "tests/data/seven.png");

before(openBrowser);
after(closeBrowser);

async function withServer(flags, work) {
  const server = await Server.start(...flags);
  try {
    await work(server);
  } finally {
    await server.stop();
  }
}

test("many files in folders: a table, filters, a confusion matrix, exports", () => withServer([], (server) => inConsole(server, { hash: "#many", expected: [400] }, async (page) => {
  await choose(page, "mnist");
  const folder = path.join(server.folder, "digits");
  for (const name of ["7", "3"]) mkdirSync(path.join(folder, name), { recursive: true });
  for (const file of ["7/a.png", "7/b.png", "3/c.png"]) writeFileSync(path.join(folder, file), readFileSync(SEVEN));
  writeFileSync(path.join(folder, "3/broken.png"), "no picture");
  await page.locator(".many input[webkitdirectory]").setInputFiles(folder);
  await page.getByText("4 of 4 files answered").waitFor();
  await page.getByText("66.7 % of the 3 files").waitFor();
  assert.equal(await page.locator(".confusion tbody tr").count(), 2);
  await page.getByRole("button", { name: "File", exact: true }).click();
  const names = () => page.locator(".many tbody tr td:first-child").allTextContents();
  assert.deepEqual((await names()).slice(0, 4), ["a.png", "b.png", "broken.png", "c.png"]);
  await page.getByRole("button", { name: "File", exact: true }).click();
  assert.deepEqual((await names()).slice(0, 4), ["c.png", "broken.png", "b.png", "a.png"]);
  const [saved] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save CSV" }).click()]);
  const lines = readFileSync(await saved.path(), "utf8").split("\n");
  assert.equal(lines.length, 5);
  assert.match(lines.find((line) => line.startsWith("a.png")), /^a\.png,7,7,0\.99/);
  const [json] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save JSON" }).click()]);
  assert.equal(JSON.parse(readFileSync(await json.path(), "utf8")).length, 4);
  await page.getByLabel("only below 80 %").check();
  await page.getByText("0 shown").waitFor();
  await page.getByLabel("only below 80 %").uncheck();
  await page.getByRole("button", { name: "a.png" }).click();
  await answer(page, /^7$/);
})));

test("several recordings: the variable is given once, for all", { skip: skipped }, () => withServer([], (server) => inConsole(server, { expected: [400] }, async (page) => {
  await choose(page, "bearing");
  const files = ["48k_Drive_End_B007_0_122.mat", "48k_Drive_End_IR014_0_174.mat", "normal_0_97.mat"];
  await page.setInputFiles("#files", files.map((file) => path.join(recordings, file)));
  await page.getByText("3 of 3 files answered").waitFor();
  await page.getByText("Options of the recordings").click();
  await page.getByLabel("Variable").fill("DE_time");
  await page.keyboard.press("Enter");
  for (const name of ["ball 0.007 in", "inner race 0.014 in", "normal"]) await page.getByRole("cell", { name, exact: true }).waitFor();
  await page.getByText("0 alarm").waitFor();
  assert.equal(await page.locator(".part-question").textContent(), "");
})));

test("what if: noise changes answer and thresholds, and two models stand side by side", () => withServer([], (server) => inConsole(server, { hash: "#whatif", expected: [400] }, async (page) => {
  await choose(page, "mnist");
  await page.getByRole("button", { name: "Use a test input" }).click();
  const sides = page.locator(".side .verdict .label");
  await sides.nth(1).waitFor();
  assert.deepEqual(await sides.allTextContents(), ["6", "6"]);
  const before = await page.locator("table").textContent();
  await page.getByLabel("Noise").fill("0");
  await page.getByText("0 dB of signal to noise").waitFor();
  await page.waitForFunction((old) => document.querySelector("table").textContent !== old, before);
  await page.getByText("The input is unlike the training data").waitFor();
  await page.getByRole("button", { name: "Reset" }).click();
  await page.waitForFunction((old) => document.querySelector("table").textContent === old, before);
  await page.getByLabel("Compared with model").selectOption("cifar10");
  await page.getByText("Two models have different channels").waitFor();
  await page.locator(".side input, input[aria-label='Another file']").first().setInputFiles(SEVEN);
  await page.getByRole("heading", { name: "seven.png" }).waitFor();
})));

test("operate: states, requests and classes, and a new version that comes in between", () => withServer([], (server) => inConsole(server, {}, async (page) => {
  await choose(page, "mnist");
  await page.setInputFiles("#files", SEVEN);
  await answer(page, /^7$/);
  await page.getByRole("link", { name: "Operate" }).click();
  await page.getByRole("heading", { name: /^mnist version 1 ready/ }).waitFor();
  await page.getByText(/^1 input in the last hour/).waitFor();
  for (const title of ["Requests a second", "Latency, median", "Inputs in a batch"]) await page.getByRole("heading", { name: title }).waitFor();
  server.upgrade("mnist");
  await page.getByRole("heading", { name: /^mnist version 2 ready/ }).waitFor();
  await page.getByRole("link", { name: "Try" }).click();
  await page.locator(".part-answer", { hasText: "mnist, version 2" }).waitFor();
  await answer(page, /^7$/);
})));

test("a server that goes away is told, what was done stays, and it goes on when it is back", () => withServer([], (server) => inConsole(server, { expected: ["away", 503] }, async (page) => {
  await choose(page, "mnist");
  await page.setInputFiles("#files", SEVEN);
  await answer(page, /^7$/);
  await server.go();
  await page.getByRole("button", { name: "Use a test input" }).click();
  await page.locator("#away", { hasText: "The server does not answer" }).waitFor();
  await page.locator(".part-problem", { hasText: "the server does not answer" }).waitFor();
  await answer(page, /^7$/);
  await server.come();
  await page.waitForFunction(() => !document.getElementById("away").textContent);
  await page.getByRole("button", { name: "Use a test input" }).click();
  await answer(page, /^6$/);
  assert.equal(await page.locator(".part-problem").textContent(), "");
})));

test("a key is asked for once, said what for, kept in memory only, and asked for again if it is wrong", async () => {
  const keys = path.join(mkdtempSync(path.join(tmpdir(), "drsn-keys-")), "keys");
  writeFileSync(keys, "alpha\n");
  await withServer(["--api-keys", keys], (server) => inConsole(server, { expected: [401] }, async (page, context) => {
    await page.getByText("The list of models needs one.").waitFor();
    await page.getByLabel("Key", { exact: true }).fill("beta");
    await page.keyboard.press("Enter");
    await page.getByText("is not known to the server").waitFor();
    await page.getByLabel("Key", { exact: true }).fill("alpha");
    await page.getByRole("button", { name: "Use it" }).click();
    await choose(page, "mnist");
    await page.setInputFiles("#files", SEVEN);
    await answer(page, /^7$/);
    await page.getByText('-H "x-api-key: $DRSN_KEY"').waitFor();
    assert.ok(!(await page.content()).includes("alpha"));
    const kept = await page.evaluate(() => JSON.stringify([localStorage, sessionStorage, document.cookie, location.href]));
    assert.ok(!kept.includes("alpha") && (await context.cookies()).length === 0);
    await page.reload();
    await page.getByRole("button", { name: "Not now" }).click();
    await page.locator("#start", { hasText: "This server asks for a key." }).waitFor();
  }));
});

