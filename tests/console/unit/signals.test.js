// Samples: minimum and maximum of any stretch, WAV files, spectra, changes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Spectrum } from "../../../src/api/http/console/page/fft.js";
import { perturb, uniform } from "../../../src/api/http/console/page/perturb.js";
import { Pyramid } from "../../../src/api/http/console/page/pyramid.js";
import { readWav, writeWav } from "../../../src/api/http/console/page/wav.js";
import { pcm } from "../pcm.js";

const random = uniform(7);
const noise = (count) => Float32Array.from({ length: count }, () => 2 * random() - 1);

test("the range of any stretch is that of its samples: none is skipped", () => {
  for (const length of [1, 2, 63, 64, 65, 511, 513, 4096, 40_001]) {
    const samples = noise(length), pyramid = new Pyramid(samples);
    for (let i = 0; i < 300; i += 1) {
      const from = Math.floor(random() * length), to = from + 1 + Math.floor(random() * (length - from));
      const stretch = samples.subarray(from, to);
      const expected = [stretch.reduce((a, b) => Math.min(a, b)), stretch.reduce((a, b) => Math.max(a, b))];
      assert.deepEqual(pyramid.range(from, to), expected, `${length}: ${from} to ${to}`);
    }
    assert.equal(pyramid.range(length, length + 5), null);
  }
});

test("a single spike in ten minutes of 48 kHz is seen however far the view is zoomed out", () => {
  const samples = new Float32Array(28_800_000);
  samples[12_345_678] = 1;
  const pyramid = new Pyramid(samples), width = 1000, step = samples.length / width;
  const tops = Array.from({ length: width }, (_, x) => pyramid.range(x * step, (x + 1) * step)[1]);
  assert.deepEqual(tops.map((top, x) => (top === 1 ? x : null)).filter((x) => x !== null), [Math.floor(12_345_678 / step)]);
});

test("PCM of every width is the number over 2^(bits - 1)", () => {
  for (const [bits, low] of [[16, -32768], [24, -8388608], [32, -2147483648]]) {
    const { channels, rate } = readWav(pcm(bits, 8000, [[low, 1], [low / 2, -1], [0, 3]]));
    assert.equal(rate, 8000);
    assert.deepEqual([...channels[0]], [-1, -0.5, 0]);
    assert.deepEqual([...channels[1]], [1, -1, 3].map((value) => Math.fround(value / -low)));
  }
  assert.deepEqual([...readWav(pcm(8, 8000, [[0], [128], [192]])).channels[0]], [-1, 0, 0.5]);
  assert.deepEqual([...readWav(pcm(16, 8000, [[-32768], [16384]])).channels[0]], [-1, 0.5]);
});

test("a WAV file of floats is read as it was written, and other files are left to the server", () => {
  const samples = noise(1000), { channels, rate } = readWav(writeWav([samples], 44_100));
  assert.deepEqual(channels[0], samples);
  assert.equal(rate, 44_100);
  const both = readWav(writeWav([samples, samples.map((value) => -value)], 8000));
  assert.deepEqual(both.channels[1], samples.map((value) => -value));
  const cut = writeWav([samples], 44_100).slice(0, 44 + 400);
  assert.equal(readWav(cut).channels[0].length, 100);
  for (const other of [new ArrayBuffer(0), new ArrayBuffer(100), new TextEncoder().encode("RIFF0000WAVE".padEnd(60, "x")).buffer]) assert.equal(readWav(other), null);
});

test("the power of a tone is at its frequency", () => {
  const size = 256, spectrum = new Spectrum(size), sums = new Float32Array(size / 2);
  const tone = Float32Array.from({ length: size }, (_, i) => Math.cos((2 * Math.PI * 40 * i) / size));
  spectrum.add(tone, 0, sums);
  const largest = sums.indexOf(Math.max(...sums));
  assert.equal(largest, 40);
  // The window's own transform: size / 4 of amplitude.
  assert.ok(Math.abs(Math.sqrt(sums[40]) / (size / 4) - 1) < 1e-4);
});

const spread = (samples) => {
  const mean = samples.reduce((a, b) => a + b) / samples.length;
  return Math.sqrt(samples.reduce((sum, value) => sum + (value - mean) ** 2, 0) / samples.length);
};

test("noise has the ratio that the slider says, and the rest is as told", () => {
  const samples = noise(50_000);
  for (const snr of [20, 0, -10]) {
    const [changed] = perturb([samples], { snr });
    const ratio = 20 * Math.log10(spread(samples) / spread(changed.map((value, i) => value - samples[i])));
    assert.ok(Math.abs(ratio - snr) < 0.1, `${ratio} dB instead of ${snr}`);
  }
  const [louder] = perturb([samples], { gain: 20, offset: 1 });
  assert.ok(Math.abs(louder[0] - (10 * samples[0] + 10 * spread(samples))) < 1e-3);
  const [fewer] = perturb([samples], { dropout: 0.25 });
  assert.ok(Math.abs(fewer.filter((value) => value === 0).length / samples.length - 0.25) < 0.01);
  assert.deepEqual(perturb([samples], {})[0], samples);
  assert.deepEqual(perturb([samples], { snr: 3 }), perturb([samples], { snr: 3 }));
});
