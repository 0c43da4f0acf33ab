// Pages in Debian's Chromium. A console error, a violation of the policy or a failed script is a failure of the test.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import path from "node:path";

import { chromium } from "playwright-core";

import { root } from "./server.js";

const BROWSER = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"];

/** Recordings that are not part of the checkout; tests with them are skipped where they are missing. */
const DATA = process.env.DRSN_TEST_DATA ?? path.join(root, "../shared/data");
export const recordings = existsSync(path.join(DATA, "cwru")) ? path.join(DATA, "cwru") : null;
export const skipped = recordings ? false : `no recordings in ${DATA}`;

let browser;

export async function openBrowser() {
  browser = await chromium.launch({ executablePath: BROWSER, args: FLAGS });
}

export async function closeBrowser() {
  await browser.close();
}

/** Opens the console and calls `work` with its page; refusals with a status of `expected` are no failure. */
export async function inConsole(server, { theme = "light", width = 1280, height = 900, hash = "", expected = [] }, work) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, permissions: ["microphone", "clipboard-read", "clipboard-write"] });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const wrong = [];
  const isExpected = (text) => expected.some((status) => (status === "away" ? /ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE/.test(text) : text.includes(`status of ${status}`) || text.includes(`net::${status}`)));
  // Only the tests read pixels back.
  const isOurs = (text) => !text.includes("willReadFrequently") && !isExpected(text);
  page.on("console", (message) => { if (["error", "warning"].includes(message.type()) && isOurs(message.text())) wrong.push(message.text()); });
  page.on("pageerror", (error) => wrong.push(error.stack));
  page.on("request", (request) => { if (!request.url().startsWith(server.url) && !request.url().startsWith("blob:")) wrong.push(`a request to ${request.url()}`); });
  try {
    await page.goto(`${server.url}/${hash}`);
    await work(page, context);
  } finally {
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await context.close();
  }
  assert.deepEqual(wrong, []);
}

export async function choose(page, model) {
  await page.waitForFunction(() => !document.getElementById("model").disabled);
  await page.selectOption("#model", model);
}

/** The class and probability that the answer panel shows, once it shows `wanted` (or anything). */
export async function answer(page, wanted = /./) {
  const label = page.locator(".part-answer .label", { hasText: wanted });
  await label.waitFor();
  return [await label.textContent(), await page.locator(".part-answer .sure").textContent()];
}

/** How many different colours a canvas has: one that was not drawn has one. */
export async function colours(page, selector) {
  return page.locator(selector).evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
  });
}

/** What is saved at a click on a button. */
export async function saved(page, name) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
  return download;
}
