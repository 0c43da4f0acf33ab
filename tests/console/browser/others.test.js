// What if; keys; a server that goes away and comes back, and one without a model.
import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { answer, choose, closeBrowser, inConsole, openBrowser } from "./page.js";
import { root, withServer } from "./server.js";

const SEVEN = path.join(root, "tests/data/seven.png");

before(openBrowser);
after(closeBrowser);

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

test("a server without a model says so, and what is chosen meanwhile is answered when one comes", () => withServer([], (server) => inConsole(server, { hash: "#many", expected: [404, 503] }, async (page) => {
  let isEmpty = true;
  await page.route("**/models", (route) => (isEmpty ? route.fulfill({ json: { default: null, models: [] } }) : route.continue()));
  await page.reload();
  await page.locator("#start", { hasText: "No model is served" }).waitFor();
  await page.locator(".many input[type=file]").first().setInputFiles(SEVEN);
  await page.getByText("0 of 1 file answered").waitFor();
  isEmpty = false;
  await page.getByRole("link", { name: "Operate" }).click();
  await page.getByRole("heading", { name: /^mnist version 1 ready/ }).waitFor();
  await page.locator("#start", { hasText: "No model is served" }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Many files" }).click();
  await page.getByText("1 of 1 file answered: 1 classified").waitFor();
})));
