// Names that are markup, formulas, reversed or endless: nothing of them runs, nothing is wider than the page, exports are right.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { answer, choose, closeBrowser, inConsole, openBrowser, saved } from "./page.js";
import { Server, root } from "./server.js";

const SEVEN = readFileSync(path.join(root, "tests/data/seven.png"));
const MARKUP = `<img src=x onerror="document.title='run'"><script>document.title='run'</script>`;
const LABEL = `${MARKUP}, "7"\n\u202egnp.7`;
const NAMES = [`${MARKUP.replaceAll("/", "")}.png`, `"it's", ;$(touch run).png`, "a\u202egnp.exe.png", `${"long".repeat(75)}.png`, "=cmd|'C' !A0.png", "@sum(1).png", "-1.png", "+7.png"];

let server;
before(async () => { [server] = await Promise.all([Server.start(), openBrowser()]); });
after(async () => { await closeBrowser(); await server.stop(); });

/** Gives the classes of every answer and list of models this label, or one that is long. */
async function relabel(page) {
  const label = (index) => (index === 7 ? LABEL : "x".repeat(300));
  const change = (value) => {
    if (Array.isArray(value)) return value.map(change);
    if (!value || typeof value !== "object") return value;
    const entries = Object.entries(value).map(([name, member]) => [name, name === "classes" && typeof member[0] === "string" ? member.map((_, i) => label(i)) : change(member)]);
    const changed = Object.fromEntries(entries);
    return "label" in changed ? { ...changed, label: label(changed.class_index) } : changed;
  };
  await page.route(/\/(models|classify|shift|baseline)(\?|$)/, async (route) => {
    const response = await route.fetch();
    await (response.ok() ? route.fulfill({ json: change(await response.json()) }) : route.fulfill({ response }));
  });
  await page.reload();
}

async function check(page, what) {
  await page.waitForTimeout(200);
  assert.equal(await page.title(), "drsn console", what);
  assert.equal(await page.locator("main img, main script").count(), 0, what);
  assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(await page.locator("main").innerText()), `${what}: what follows a name is reversed`);
  const [wide, room] = await page.evaluate(() => [document.scrollingElement.scrollWidth, innerWidth]);
  assert.ok(wide <= room, `${what} is ${wide} pixels wide in ${room}`);
}

for (const width of [360, 1440]) {
  test(`hostile names and labels are text and stay within a page of ${width} pixels`, () => inConsole(server, { width }, async (page) => {
    await relabel(page);
    await choose(page, "mnist");
    for (const name of NAMES) {
      await page.setInputFiles("#files", { name, mimeType: "image/png", buffer: SEVEN });
      await page.locator("main").getByText(name.slice(0, 1) === "a" ? /gnp\.exe\.png/ : name.slice(0, 30)).first().waitFor();
      await answer(page);
      await check(page, `Try with ${name}`);
    }
    await page.getByRole("link", { name: "What if" }).click();
    await page.locator(".side .verdict").nth(1).waitFor();
    await check(page, "What if");
    await page.getByRole("link", { name: "Operate" }).click();
    await page.locator(".operate .bars").first().waitFor();
    await check(page, "Operate");
    await page.getByRole("link", { name: "Many files" }).click();
    await page.locator(".many input[type=file]").first().setInputFiles(NAMES.map((name) => ({ name, mimeType: "image/png", buffer: SEVEN })));
    await page.getByText("8 of 8 files answered: 8 classified").waitFor();
    await check(page, "Many files");

    const csv = readFileSync(await (await saved(page, "Save CSV")).path(), "utf8");
    const rows = cells(csv), files = rows.slice(1).map(([file]) => file);
    assert.deepEqual(files.toSorted(), NAMES.map((name) => (/^[=+@-]/.test(name) ? `'${name}` : name)).toSorted());
    assert.ok(rows.every((row) => row.length === rows[0].length));
    assert.ok(rows.slice(1).every((row) => row[2] === LABEL));
    const json = JSON.parse(readFileSync(await (await saved(page, "Save JSON")).path(), "utf8"));
    assert.deepEqual(json.map(({ file }) => file).toSorted(), NAMES.toSorted());
  }));
}

/** Rows of comma-separated values after RFC 4180. */
function cells(text) {
  const rows = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/g)) {
    rows.at(-1).push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === "\n") rows.push([]);
    if (end === "") break;
  }
  return rows;
}
