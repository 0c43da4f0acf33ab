// Accessible to everyone: axe-core finds nothing, in both themes and at three widths, and nothing is wider than the page.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

/** Folders of two classes: a recording, one of two channels, one that is too short, and a picture. */
function mixed() {
  const folder = path.join(server.folder, "mixed"), column = (i) => `${Math.sin(i / 3)}`, lines = (line) => Array.from({ length: 2500 }, (_, i) => line(i)).join("\n");
  for (const name of ["normal", "ball 0.007 in"]) mkdirSync(path.join(folder, name), { recursive: true });
  const files = { "normal/one.csv": lines(column), "normal/two.csv": `left,right\n${lines((i) => `${column(i)},${i % 7}`)}`, "ball 0.007 in/short.csv": "1\n2\n", "ball 0.007 in/seven.png": readFileSync(path.join(root, "tests/data/seven.png")) };
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  return folder;
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
  async "many files"(page) {
    await choose(page, "bearing");
    await page.getByRole("link", { name: "Many files" }).click();
    await page.locator(".many input[webkitdirectory]").setInputFiles(mixed());
    await page.getByText("4 of 4 files answered: 1 classified, 3 refused").waitFor();
    await page.getByText("Options of the recordings").click();
    await page.getByText("The same requests").click();
    await page.getByRole("button", { name: "Class" }).click();
  },
  async "what if, without an input"(page) {
    await choose(page, "mnist");
    await page.getByRole("link", { name: "What if" }).click();
    await page.getByRole("link", { name: "Try" }).nth(1).waitFor();
  },
  async "what if"(page) {
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
  async "a server that is away"(page) {
    await choose(page, "mnist");
    await page.route(/\/(readyz|metrics|models)/, (route) => route.abort("connectionrefused"));
    await page.getByRole("link", { name: "Operate" }).click();
    await page.locator("#away", { hasText: "does not answer" }).waitFor();
    await page.locator(".operate .problem").waitFor();
  },
  async "a key is asked for"(page) {
    await page.route("**/models", (route) => route.fulfill({ status: 401, json: { code: "unauthenticated", detail: "this server asks for a key" } }));
    await page.reload();
    await page.getByLabel("Key", { exact: true }).waitFor();
  },
};

for (const [name, open] of Object.entries(views)) {
  test(`axe-core finds nothing in the view "${name}", in both themes at three widths`, () => inConsole(server, { expected: [400, 401, "away"] }, async (page) => {
    await open(page);
    for (const theme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: theme });
      for (const width of [360, 768, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        await check(page, `${name}, ${theme}, ${width}`);
      }
    }
  }));
}
