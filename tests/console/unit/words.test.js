// Numbers, sentences and tables: what the page says.
import assert from "node:assert/strict";
import { test } from "node:test";

import { confusion } from "../../../src/api/http/console/page/confusion.js";
import { number, percent, seconds, ticks } from "../../../src/api/http/console/page/format.js";
import { mutedInWords } from "../../../src/api/http/console/page/heatmap.js";
import { csvLine } from "../../../src/api/http/console/page/many.js";
import { buckets, parse, quantile, total } from "../../../src/api/http/console/page/metrics.js";
import { asked } from "../../../src/api/http/console/page/options.js";
import { changesInWords, segments } from "../../../src/api/http/console/page/segments.js";
import { snippets } from "../../../src/api/http/console/page/snippets.js";
import { sorted } from "../../../src/api/http/console/page/table.js";
import { Timeline } from "../../../src/api/http/console/page/timeline.js";

test("a probability is never rounded to certainty", () => {
  assert.equal(percent(0.99996), "> 99.9 %");
  assert.equal(percent(1), "100 %");
  assert.equal(percent(0.00002), "< 0.1 %");
  assert.equal(percent(0), "0 %");
  assert.equal(percent(0.978), "97.8 %");
  assert.equal(percent(null), "–");
});

test("numbers have three digits and a unit that fits", () => {
  assert.deepEqual([0.123456, 97.55, 12_345, 0, 1.5e-7, -2].map(number), ["0.123", "97.5", "12,345", "0", "1.50e−7", "−2"]);
  assert.deepEqual([0.0000021, 0.0042, 1.5, 125].map(seconds), ["2.1 µs", "4.2 ms", "1.5 s", "2:05.0 min"]);
  assert.deepEqual(ticks(0, 1, 5).map((mark) => Number(mark.toFixed(3))), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(1, 1, 5), []);
});

const refusal = (detail) => ({ code: "invalid_argument", detail });

test("a refusal's sentence becomes the field that it asks for", () => {
  assert.deepEqual(asked(refusal("the recording cannot be read: the variable to read is ambiguous: name one of X1_DE_time, X1_FE_time")), { name: "variable", choices: ["X1_DE_time", "X1_FE_time"] });
  assert.deepEqual(asked(refusal('the recording cannot be read: it has no numeric variable named "a" or ending with that name; it has X1, X2')).choices, ["X1", "X2"]);
  assert.deepEqual(asked(refusal("the recording has 2 channels (left, right), but this model expects 1 channel; select with the option channel, such as channel=left")), { name: "channel", choices: ["left", "right"] });
  assert.deepEqual(asked(refusal("the recording has 3 channels, but this model expects 1 channel; select with the option channel, such as channel=0")).choices, ["0", "1", "2"]);
  assert.equal(asked(refusal("the recording's sample rate is 12000 Hz, but this model expects 48000 Hz; record at that rate or set resample=true")).name, "resample");
  assert.equal(asked(refusal("the recording does not declare its sample rate; set the option sample_rate_hz")).name, "sample_rate_hz");
  assert.equal(asked(refusal("the body is empty; expected a file")), null);
  assert.equal(asked({ code: "too_large", detail: "sample_rate_hz" }), null);
});

const window = (start, class_index) => ({ start, end: start + 10, class_index, label: `class ${class_index}`, probability: 0.9 });

test("stretches tell when a class begins, whatever a single window says", () => {
  const classes = [0, 0, 0, 0, 2, 0, 0, 1, 1, 1, 1];
  const list = segments(classes.map((one, i) => window(10 * i, one)));
  assert.deepEqual(list.map(({ start, end, class_index }) => [start, end, class_index]), [[0, 70, 0], [70, 110, 1]]);
  assert.deepEqual(segments([window(0, 0), window(10, 1)]).map(({ class_index }) => class_index), [0, 1]);
  assert.deepEqual(segments([]), []);
  // Windows that overlap do not make stretches overlap.
  const overlapping = segments([0, 0, 0, 1, 1, 1].map((one, i) => window(5 * i, one)));
  assert.deepEqual(overlapping.map(({ start, end }) => [start, end]), [[0, 20], [20, 35]]);
});

test("how the class changes is told in a sentence", () => {
  const words = (classes) => changesInWords(classes.map((one, i) => window(10 * i, one)), (sample) => `${sample} s`);
  assert.equal(words([0, 0, 0, 1, 1, 1]), "The class changes within the recording: class 0 until 30 s, then class 1.");
  assert.equal(words([0, 0, 0]), null);
  assert.match(words([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]), /changes 3 times/);
});

test("a muted channel is named", () => {
  const channel = (zeroed) => ({ zeroed });
  assert.match(mutedInWords([{ name: "a", channel: [channel(0.99), channel(0.2)] }]), /1 of 2 channels were muted .*: a 0$/);
  assert.match(mutedInWords([{ name: "a", channel: [channel(0.1), channel(0.5)] }]), /No channel .* 50\.0 % .*: a, channel 1/);
  assert.equal(mutedInWords([]), "This network has no thresholds.");
});

test("metrics are read with their labels, and percentiles are those between two looks", () => {
  const text = (fast, slow) => `# TYPE a histogram\na_bucket{le="0.1",model="x \\"y\\", z"} ${fast}\na_bucket{le="1",model="x \\"y\\", z"} ${slow}\na_bucket{le="+Inf",model="x \\"y\\", z"} ${slow}\nb{model="m"} 2\nb{model="n"} 3\nc 4\n`;
  const [before, after] = [parse(text(100, 100)), parse(text(100, 110))];
  const of = (found) => buckets(found, "a", { model: 'x "y", z' });
  assert.equal(quantile(of(before), of(after), 0.5), 0.55);
  assert.equal(quantile(of(after), of(after), 0.5), null);
  assert.equal(total(after, "b"), 5);
  assert.equal(total(after, "b", { model: "n" }), 3);
  assert.equal(total(after, "c"), 4);
});

test("rows are sorted as numbers or words, and those without a value come last", () => {
  const rows = [{ a: 10 }, { a: null }, { a: 9 }], of = ({ a }) => a;
  assert.deepEqual(sorted(rows, of, true).map(of), [9, 10, null]);
  assert.deepEqual(sorted(rows, of, false).map(of), [10, 9, null]);
  assert.deepEqual(sorted([{ a: "run 10" }, { a: "run 9" }], of, true).map(of), ["run 9", "run 10"]);
});

test("a file with commas and quotes stays one cell", () => {
  assert.equal(csvLine(['a,"b".wav', null, 0.5, true]), '"a,""b"".wav",,0.5,true');
});

test("folders are counted against answers", () => {
  const rows = [["a", "a"], ["a", "b"], ["b", "b"], ["c", "b"], [null, "a"], ["a", null]].map(([folder, label]) => ({ folder, label }));
  const { folders, counts, right, all } = confusion(rows, ["a", "b"]);
  assert.deepEqual(folders, ["a", "b", "c"]);
  assert.deepEqual(counts, [[1, 1], [0, 1], [0, 1]]);
  assert.deepEqual([right, all], [2, 3]);
});

test("the request to copy quotes what a shell would read otherwise", () => {
  const input = { name: "it's.wav", type: "audio/wav", options: {} };
  const { curl, python } = snippets("http://h", input, { name: "m" }, { channel: "left" }, true);
  assert.ok(curl.includes(`'@it'\\''s.wav'`) && curl.includes("$DRSN_KEY"), curl);
  assert.ok(curl.includes("channel=left&diagnostics=full"));
  assert.ok(python.includes(`open("it's.wav", "rb")`) && !python.includes("secret"));
});

test("the view stays within the recording", () => {
  const timeline = new Timeline();
  timeline.reset(1000, 10);
  timeline.zoom(0.1, 0);
  assert.deepEqual([timeline.from, timeline.to], [0, 100]);
  timeline.pan(-50);
  assert.deepEqual([timeline.from, timeline.to], [0, 100]);
  timeline.pan(5000);
  assert.deepEqual([timeline.from, timeline.to], [900, 1000]);
  timeline.zoom(1e-9);
  assert.equal(timeline.to - timeline.from, 16);
  timeline.zoom(1e9);
  assert.deepEqual([timeline.from, timeline.to], [0, 1000]);
});
