// The page reads WAV files itself: to the same numbers as the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { uniform } from "../../../src/api/http/console/page/perturb.js";
import { readWav, writeWav } from "../../../src/api/http/console/page/wav.js";
import { pcm } from "../pcm.js";
import { Server } from "./server.js";

const COUNT = 3000;

let server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

test("WAV files of every width are read bit for bit as the server reads them", async () => {
  const random = uniform(9);
  const whole = (bits) => Array.from({ length: COUNT }, () => [Math.floor(random() * 2 ** bits) - (bits === 8 ? 0 : 2 ** (bits - 1)), 0]);
  const floats = Float32Array.from({ length: COUNT }, () => 2 * random() - 1);
  const files = [...[8, 16, 24, 32].map((bits) => [`${bits} bits`, pcm(bits, 48_000, whole(bits))]), ["floats", writeWav([floats], 48_000)]];
  for (const [name, file] of files) {
    const response = await fetch(`${server.url}/console/recordings/0?model=bearing&channel=0`, { method: "POST", headers: { "content-type": "audio/wav" }, body: file });
    assert.equal(response.status, 200, name);
    assert.equal(response.headers.get("x-sample-rate-hz"), "48000");
    assert.deepEqual(readWav(file).channels[0], new Float32Array(await response.arrayBuffer()), name);
  }
});
