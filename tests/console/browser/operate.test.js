// Operate: what the server does now, a new version in between, a server that goes away, and how often it is asked.
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";

import { answer, choose, closeBrowser, inConsole, openBrowser } from "./page.js";
import { root, withServer } from "./server.js";

const SEVEN = path.join(root, "tests/data/seven.png");

before(openBrowser);
after(closeBrowser);

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

test("a view that is left and opened again while it waits for the server asks no more often than before", () => withServer([], (server) => inConsole(server, {}, async (page) => {
  await choose(page, "mnist");
  let [busy, most, all] = [0, 0, 0];
  await page.route("**/metrics", async (route) => {
    all += 1;
    busy += 1;
    most = Math.max(most, busy);
    await page.waitForTimeout(1000);
    busy -= 1;
    await route.continue().catch(() => {});
  });
  for (let i = 0; i < 3; i += 1) {
    await page.getByRole("link", { name: "Operate" }).click();
    await page.waitForTimeout(100);
    await page.getByRole("link", { name: "Try" }).click();
  }
  await page.getByRole("link", { name: "Operate" }).click();
  await page.waitForTimeout(4500);
  assert.equal(most, 1, "two looks at once");
  assert.ok(all > 1, "no second look");
})));

test("a server that goes away while it is watched is told, and watched again when it is back", () => withServer([], (server) => inConsole(server, { hash: "#operate", expected: ["away", 503] }, async (page) => {
  await choose(page, "mnist");
  await page.getByRole("heading", { name: /^mnist version 1 ready/ }).waitFor();
  await server.go();
  await page.locator("#away", { hasText: "The server does not answer" }).waitFor();
  await page.locator(".operate .problem", { hasText: "Nothing is lost" }).waitFor();
  await page.getByRole("heading", { name: /^mnist version 1 ready/ }).waitFor();
  await server.come();
  await page.waitForFunction(() => !document.getElementById("away").textContent && !document.querySelector(".operate .part-problem").textContent);
  const before = await page.locator(".operate dd").nth(1).textContent();
  assert.notEqual(before, "–");
  await fetch(`${server.url}/models/mnist/classify`, { method: "POST", headers: { "content-type": "application/octet-stream" }, body: new Float32Array(784) });
  await page.getByText(/^1 input in the last hour/).waitFor();
})));
