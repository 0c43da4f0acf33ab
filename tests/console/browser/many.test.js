// Many files: what they ask for, a table, exports, and a server that goes away or asks for a key while they are sent.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";

import { writeWav } from "../../../src/api/http/console/page/wav.js";
import { answer, choose, closeBrowser, inConsole, openBrowser, recordings, saved, skipped } from "./page.js";
import { root, withServer } from "./server.js";

const SEVEN = path.join(root, "tests/data/seven.png");

before(openBrowser);
after(closeBrowser);

test("many files in folders: a table, filters, a confusion matrix, exports", () => withServer([], (server) => inConsole(server, { hash: "#many", expected: [400] }, async (page) => {
  await choose(page, "mnist");
  const folder = path.join(server.folder, "digits");
  for (const name of ["7", "3"]) mkdirSync(path.join(folder, name), { recursive: true });
  for (const file of ["7/a.png", "7/b.png", "3/c.png"]) writeFileSync(path.join(folder, file), readFileSync(SEVEN));
  writeFileSync(path.join(folder, "3/broken.png"), "no picture");
  await page.locator(".many input[webkitdirectory]").setInputFiles(folder);
  await page.getByText("4 of 4 files answered").waitFor();
  await page.getByText("66.7 % of the 3 classified files").waitFor();
  assert.equal(await page.locator(".confusion tbody tr").count(), 2);
  await page.getByRole("button", { name: "File", exact: true }).click();
  const names = () => page.locator(".answers tbody button").allTextContents();
  assert.deepEqual((await names()).slice(0, 4), ["a.png", "b.png", "broken.png", "c.png"]);
  await page.getByRole("button", { name: "File", exact: true }).click();
  assert.deepEqual((await names()).slice(0, 4), ["c.png", "broken.png", "b.png", "a.png"]);
  const lines = readFileSync(await (await saved(page, "Save CSV")).path(), "utf8").split("\n");
  assert.equal(lines.length, 5);
  assert.match(lines.find((line) => line.startsWith("a.png")), /^a\.png,7,7,0\.99/);
  assert.equal(JSON.parse(readFileSync(await (await saved(page, "Save JSON")).path(), "utf8")).length, 4);
  await page.getByLabel("only below 80 %").check();
  await page.getByText("0 shown").waitFor();
  await page.getByLabel("only below 80 %").uncheck();
  await page.getByRole("button", { name: "a.png" }).click();
  await answer(page, /^7$/);
})));

// Regression: the row was drawn anew with its answer, and the keyboard's user was thrown back to the top of the page.
test("a row keeps the focus when its answer comes", () => withServer([], (server) => inConsole(server, { hash: "#many" }, async (page) => {
  await choose(page, "mnist");
  let send;
  const sent = new Promise((resolve) => { send = resolve; });
  await page.route("**/classify*", async (route) => { await sent; await route.continue(); });
  await page.locator(".many input[type=file]").first().setInputFiles(["a", "b"].map((name) => ({ name: `${name}.png`, mimeType: "image/png", buffer: readFileSync(SEVEN) })));
  await page.getByRole("button", { name: "b.png" }).focus();
  send();
  await page.getByText("2 of 2 files answered").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "b.png");
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
  assert.equal(await page.locator(".many .part-question").count(), 0);
})));

const tone = (count, rate) => Buffer.from(writeWav([Float32Array.from({ length: count }, (_, i) => 0.2 * Math.sin(i / 5) + 0.01 * Math.sin(i * i))], rate));

test("files of several kinds ask once each for what they leave open, and the others keep their answers", { skip: skipped }, () => withServer([], (server) => inConsole(server, { hash: "#many", expected: [400] }, async (page) => {
  await choose(page, "bearing");
  const folder = path.join(server.folder, "mixed");
  for (const name of ["normal", "inner race 0.014 in"]) mkdirSync(path.join(folder, name), { recursive: true });
  copyFileSync(path.join(recordings, "normal_0_97.mat"), path.join(folder, "normal/healthy.mat"));
  copyFileSync(path.join(recordings, "48k_Drive_End_IR014_0_174.mat"), path.join(folder, "inner race 0.014 in/damaged.mat"));
  writeFileSync(path.join(folder, "normal/slow.wav"), tone(8000, 12_000));
  writeFileSync(path.join(folder, "normal/tone.wav"), tone(8000, 48_000));
  writeFileSync(path.join(folder, "normal/two.csv"), `left,right\n${Array.from({ length: 3000 }, (_, i) => `${Math.sin(i / 3)},${Math.sin(i / 7)}`).join("\n")}`);
  writeFileSync(path.join(folder, "normal/short.csv"), "1\n2\n");
  await page.locator(".many input[webkitdirectory]").setInputFiles(folder);
  await page.getByText("6 of 6 files answered: 1 classified, 5 refused").waitFor();
  const names = () => page.locator(".answers tbody button").allTextContents();
  assert.deepEqual(await names(), ["damaged.mat", "healthy.mat", "short.csv", "slow.wav", "tone.wav", "two.csv"]);
  // The names of their variables differ, their endings do not.
  await page.getByText("2 files have several variables:").waitFor();
  await page.getByRole("button", { name: "DE_time", exact: true }).click();
  await page.getByText("1 file has another sample rate than the model:").waitFor();
  await page.getByRole("button", { name: "Convert to the model's rate" }).click();
  await page.getByText("1 file has several channels:").waitFor();
  await page.getByRole("button", { name: "right", exact: true }).click();
  await page.getByText("6 of 6 files answered: 5 classified, 1 refused").waitFor();
  assert.equal(await page.locator(".part-question:visible").count(), 0);
  for (const name of ["inner race 0.014 in", "normal"]) await page.getByRole("rowheader", { name, exact: true }).waitFor();
  await page.getByLabel("only refused").check();
  await page.getByText("1 shown").waitFor();
  await page.getByRole("cell", { name: /^The recording is too short/ }).waitFor();
  await page.getByLabel("only refused").uncheck();

  // An option for all files is used for those that can have it.
  await page.getByText("Options of the recordings").click();
  await page.getByLabel("Variable").fill("FE_time");
  await page.keyboard.press("Enter");
  await page.getByText("6 of 6 files answered: 5 classified, 1 refused").waitFor();

  // The requests that are shown answer the same.
  await page.getByText("The same requests").click();
  const [curl, python] = await page.locator(".many pre").allTextContents();
  const told = execFileSync("sh", ["-c", curl], { cwd: folder, encoding: "utf8" }).trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(told.filter(({ predictions }) => predictions).length, 5, curl);
  assert.equal(told.filter(({ detail }) => detail?.includes("too short")).length, 1, curl);
  if (process.env.DRSN_PYTHON) {
    const said = execFileSync(process.env.DRSN_PYTHON, ["-c", python], { cwd: folder, encoding: "utf8" });
    assert.match(said, /healthy\.mat normal\n/);
    assert.match(said, /short\.csv .*too short/);
  }
  // A file is looked at with the options that it was given.
  await page.getByRole("button", { name: "two.csv" }).click();
  await page.getByText("two.csv: channel right").waitFor();
})));

test("a server that goes away while files are sent costs none of them, however long it is away", () => withServer([], (server) => inConsole(server, { hash: "#many", expected: ["away", 503] }, async (page) => {
  await choose(page, "mnist");
  // One after the other, so that the server goes while some are on their way and most are not.
  await page.route("**/classify**", async (route) => { await page.waitForTimeout(100); await route.continue().catch(() => {}); });
  await page.locator(".many input[type=file]").first().setInputFiles(Array.from({ length: 24 }, (_, i) => ({ name: `${i}.png`, mimeType: "image/png", buffer: readFileSync(SEVEN) })));
  await page.waitForFunction(() => /^[1-9]\d* of 24/.test(document.querySelector(".many [role=status]").textContent));
  await server.go();
  await page.locator("#away", { hasText: "The server does not answer" }).waitFor();
  await page.waitForTimeout(3000);
  await page.getByText("0 refused").waitFor();
  await server.come();
  await page.getByText("24 of 24 files answered: 24 classified, 0 refused").waitFor();
  assert.equal(await page.locator("#away").textContent(), "");
})));

test("a new version that comes while files are sent answers all of them", () => withServer([], (server) => inConsole(server, { hash: "#many" }, async (page) => {
  await choose(page, "mnist");
  await page.route("**/classify**", async (route) => { await page.waitForTimeout(100); await route.continue().catch(() => {}); });
  await page.locator(".many input[type=file]").first().setInputFiles(Array.from({ length: 16 }, (_, i) => ({ name: `${i}.png`, mimeType: "image/png", buffer: readFileSync(SEVEN) })));
  await page.waitForFunction(() => /^[1-9]/.test(document.querySelector(".many [role=status]").textContent));
  server.upgrade("mnist");
  await page.getByRole("link", { name: "Operate" }).click();
  await page.getByRole("heading", { name: /^mnist version 2 ready/ }).waitFor();
  await page.getByRole("link", { name: "Many files" }).click();
  await page.getByText("16 of 16 files answered: 16 classified, 0 refused").waitFor();
  const json = JSON.parse(readFileSync(await (await saved(page, "Save JSON")).path(), "utf8"));
  assert.ok(json.every(({ answer: { model } }) => model.version === "2"), "the answers are those of one version");
})));

test("a key that is not given is asked for once, and the files wait for it", async () => {
  const keys = path.join(mkdtempSync(path.join(tmpdir(), "drsn-keys-")), "keys");
  writeFileSync(keys, "alpha\n");
  await withServer(["--api-keys", keys], (server) => inConsole(server, { hash: "#many", expected: [401] }, async (page) => {
    await page.getByLabel("Key", { exact: true }).fill("alpha");
    await page.keyboard.press("Enter");
    await choose(page, "mnist");
    // From here on another key is needed.
    writeFileSync(keys, "beta\n");
    server.child.kill("SIGHUP");
    await page.waitForTimeout(500);
    await page.locator(".many input[type=file]").first().setInputFiles(Array.from({ length: 12 }, (_, i) => ({ name: `${i}.png`, mimeType: "image/png", buffer: readFileSync(SEVEN) })));
    await page.getByText("Classifying needs one.").waitFor();
    await page.getByRole("button", { name: "Not now" }).click();
    await page.locator(".many .problem", { hasText: "This server asks for a key." }).waitFor();
    await page.getByText("0 of 12 files answered").waitFor();
    assert.equal(await page.locator("dialog").count(), 0);
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByLabel("Key", { exact: true }).fill("beta");
    await page.keyboard.press("Enter");
    await page.getByText("12 of 12 files answered: 12 classified").waitFor();
  }));
});

test("a file that is gone when it is sent is told from a server that is away", () => withServer([], (server) => inConsole(server, { hash: "#many", expected: ["ERR_UPLOAD_FILE_CHANGED"] }, async (page) => {
  await choose(page, "mnist");
  const place = server.file("gone.png", readFileSync(SEVEN));
  await page.locator(".many input[type=file]").first().setInputFiles(place);
  await page.getByText("1 of 1 file answered: 1 classified").waitFor();
  writeFileSync(place, "another content");
  await page.getByRole("button", { name: "gone.png" }).click();
  await page.locator(".part-problem", { hasText: "The file cannot be read: it was changed, moved or removed" }).waitFor();
  assert.equal(await page.locator("#away").textContent(), "");
})));
