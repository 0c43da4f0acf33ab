// Accessible to everyone: axe-core finds nothing, in both themes and at three widths, and nothing is wider than the page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { answer, choose, closeBrowser, inConsole, openBrowser, recordings } from "./page.js";
import { Server, root } from "./server.js";

const AXE = readFileSync(path.join(import.meta.dirname, "../node_modules/axe-core/axe.min.js"), "utf8");

let server;
before(async () => { [server] = await Promise.all([Server.start(), openBrowser()]); });
after(async () => { await closeBrowser(); await server.stop(); });

/** What axe-core finds, in words. */
async function faults(page) {
  // The page's policy allows no script but its own, so this one comes through the debugger.
  await page.evaluate(AXE);
  const { violations, incomplete } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  void incomplete;
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).slice(0, 3).join(" | ")}`);
}

async function check(page, what) {
  await page.waitForTimeout(300);
  assert.deepEqual(await faults(page), [], what);
  const [wide, room] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  assert.ok(wide <= room, `${what} is ${wide} pixels wide in ${room}`);
}

const views = {
  async empty(page) { await choose(page, "mnist"); },
  async signal(page) {
    await choose(page, "bearing");
    if (!recordings) return page.getByRole("button", { name: "Use a test input" }).click();
    await page.setInputFiles("#files", path.join(recordings, "48k_Drive_End_OR021@6_0_238.mat"));
    await page.locator(".part-question button").first().click();
    await answer(page);
    await page.locator(".bands").press("ArrowRight");
    return page.locator(".part-windowed .bars").waitFor();
  },
  async picture(page) {
    await choose(page, "mnist");
    await page.getByRole("button", { name: "Draw" }).click();
    await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
    await answer(page);
  },
  async refused(page) {
    await choose(page, "bearing");
    await page.getByText("Options of the recording").click();
    await page.setInputFiles("#files", path.join(root, "tests/data/seven.png"));
    await page.locator(".part-problem .problem").waitFor();
  },
  async many(page) {
    await choose(page, "mnist");
    await page.getByRole("link", { name: "Many files" }).click();
    await page.locator(".many input[type=file]").first().setInputFiles([1, 2].map((i) => server.file(`${i}.png`, readFileSync(path.join(root, "tests/data/seven.png")))));
    await page.getByText("2 of 2 files answered").waitFor();
  },
  async whatif(page) {
    await choose(page, "mnist");
    await page.getByRole("link", { name: "What if" }).click();
    await page.getByRole("button", { name: "Use a test input" }).click();
    await page.locator("table").waitFor();
  },
  async operate(page) {
    await choose(page, "bearing");
    await page.getByRole("link", { name: "Operate" }).click();
    await page.locator(".model").nth(2).waitFor();
  },
};

for (const theme of ["light", "dark"]) {
  for (const width of [360, 768, 1440]) {
    test(`axe-core finds nothing in the ${theme} theme at ${width} pixels`, async () => {
      for (const [name, open] of Object.entries(views)) {
        await inConsole(server, { theme, width, expected: [400] }, async (page) => { await open(page); await check(page, `${name}, ${theme}, ${width}`); });
      }
    });
  }
}
