// What a page in Chromium that watches the server costs the requests of others: rounds of wrk, with and without it by turns.
//
//     DRSN_SERVE=target/release/drsn-serve node tests/console/throughput.js [ROUNDS] [SECONDS]
//
// Prints the rate and the server's CPU time a request of each round, and the median of the ratios of neighbouring rounds.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";

import { choose, closeBrowser, inConsole, openBrowser } from "./browser/page.js";
import { Server } from "./browser/server.js";

const [ROUNDS, SECONDS] = [Number(process.argv[2] ?? 9), Number(process.argv[3] ?? 6)];
const THREADS = 1, CLIENTS = 32, WINDOW = 2048;
/** Seconds that the page has before its round, so that it is loaded and at work. */
const LOADING = 5;
/** Clock ticks a second in /proc, which Linux fixes for user space. */
const TICKS = 100;

const server = await Server.start();
const script = server.file("raw.lua", `
local file = io.open("${server.file("window.f32", Buffer.from(Float32Array.from({ length: WINDOW }, (_, i) => 0.1 * Math.sin(i / 5) + 0.02 * Math.sin(i * i)).buffer))}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
wrk.headers["content-type"] = "application/octet-stream"
`);

/** Seconds of CPU time that the server took so far. */
function cpu() {
  const fields = readFileSync(`/proc/${server.child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** Requests a second, and microseconds of the server's CPU time for each. */
async function round(seconds = SECONDS) {
  const before = cpu();
  const said = await new Promise((done, failed) => {
    execFile("wrk", [`-t${THREADS}`, `-c${CLIENTS}`, `-d${seconds}s`, "-s", script, `${server.url}/models/bearing/classify`], (error, out) => (error ? failed(error) : done(out)));
  });
  if (/Non-2xx/.test(said)) throw new Error(`requests were refused:\n${said}`);
  const [, count] = said.match(/(\d+) requests in/), [, rate] = said.match(/Requests\/sec:\s+([\d.]+)/);
  return { rate: Number(rate), cost: (1e6 * (cpu() - before)) / Number(count) };
}

async function watched() {
  let found;
  await inConsole(server, { hash: "#operate" }, async (page) => {
    await choose(page, "bearing");
    await page.waitForTimeout(1000 * LOADING);
    found = await round();
  });
  return found;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const say = (words) => process.stdout.write(`${words}\n`);

await openBrowser();
await round(2);
const ratios = [];
for (let i = 0; i < ROUNDS; i += 1) {
  // Which comes first changes, so that what drifts falls on both.
  const first = i % 2 ? await watched() : await round(), second = i % 2 ? await round() : await watched();
  const [open, closed] = i % 2 ? [first, second] : [second, first];
  ratios.push({ rate: open.rate / closed.rate, cost: open.cost / closed.cost });
  say(`without ${closed.rate.toFixed(0)} a second, ${closed.cost.toFixed(1)} us; with ${open.rate.toFixed(0)} a second, ${open.cost.toFixed(1)} us`);
}
say(`with / without, median of ${ROUNDS}: rate ${median(ratios.map(({ rate }) => rate)).toFixed(3)}, CPU time a request ${median(ratios.map(({ cost }) => cost)).toFixed(3)}`);
await closeBrowser();
await server.stop();
