// Numbers, sentences and tables: what the page says.
import assert from "node:assert/strict";
import { test } from "node:test";

import { isOfOneClass } from "../../../src/api/http/console/page/baseline.js";
import { lookFor, whyLevel, whyShift } from "../../../src/api/http/console/page/causes.js";
import { confusion } from "../../../src/api/http/console/page/confusion.js";
import { number, percent, seconds, sentence, signed, ticks } from "../../../src/api/http/console/page/format.js";
import { deviation, inWords, mutedInWords, unusualInWords } from "../../../src/api/http/console/page/heatmap.js";
import { csvLine } from "../../../src/api/http/console/page/export.js";
import { inOrder } from "../../../src/api/http/console/page/many.js";
import { buckets, parse, quantile, total } from "../../../src/api/http/console/page/metrics.js";
import { asked, questions } from "../../../src/api/http/console/page/options.js";
import { changesInWords, changesWithinWindow, placed, segments, unlikeInWords } from "../../../src/api/http/console/page/segments.js";
import { suiting } from "../../../src/api/http/console/page/inputs.js";
import { marks, shareUpTo } from "../../../src/api/http/console/page/shift-plot.js";
import { loops, snippets } from "../../../src/api/http/console/page/snippets.js";
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
  assert.deepEqual([0.123456, 97.55, 12_345, 0, -1.5e-7, -2].map(number), ["0.123", "97.5", "12,345", "0", "−1.50e−7", "−2"]);
  assert.deepEqual([0.0000021, 0.0042, 1.5, 125].map(seconds), ["2.1 µs", "4.2 ms", "1.5 s", "2:05.0 min"]);
  assert.deepEqual([0.04, -4.26, 412.3].map(signed), ["+0.0 σ", "−4.3 σ", "+412 σ"]);
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
  assert.equal(asked(refusal("the option variable applies to MAT and NPZ files; leave it out for other bodies")), null);
  assert.deepEqual(asked(refusal('the recording cannot be read: it has no channel "left"; it has channels 0 to 2')).choices, ["0", "1", "2"]);
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

test("where a class begins within a window is told by the segments of its map", () => {
  const time = (sample) => `${sample} ms`;
  const segments = [{ start: 0, end: 3, label: "normal" }, { start: 3, end: 9, label: "inner race" }];
  assert.equal(changesWithinWindow({ segments }, time), "The class changes within the window: normal until 3 ms, then inner race.");
  assert.equal(changesWithinWindow({ segments: segments.slice(0, 1) }, time), null);
  const map = { start: 0, end: 9, step: 3, segments };
  assert.deepEqual(placed(map, 100, 2), { start: 200, end: 218, step: 3, segments: [{ start: 200, end: 206, label: "normal" }, { start: 206, end: 218, label: "inner race" }] });
  assert.equal(placed({ start: 0, end: 9 }, 1, 1).segments, undefined);
  // Pictures, other models, and a model without a map.
  assert.equal(changesWithinWindow({}, time), null);
  assert.equal(changesWithinWindow(undefined, time), null);
});

test("a muted channel is named", () => {
  const channel = (zeroed) => ({ zeroed });
  assert.match(mutedInWords([{ name: "a", channel: [channel(0.99), channel(0.2)] }]), /1 of 2 channels were muted .*: a 0$/);
  assert.match(mutedInWords([{ name: "a", channel: [channel(0.1), channel(0.5)] }]), /No channel .* 50\.0 % .*: a, channel 1/);
  assert.equal(mutedInWords([]), "This network has no thresholds.");
});

const spread = (mean, deviation) => ({ mean, deviation });

test("a threshold is compared with those of the predicted class's training inputs", () => {
  const blocks = [{ name: "a", channel: [{ threshold: 0.5, scale: 0.4, mean_abs: 1.25, mean_abs_after: 0.9, zeroed: 0.3 }, { threshold: 0.5, scale: null, mean_abs: 0, mean_abs_after: 0, zeroed: 1 }] }];
  const usual = { label: "seven", blocks: [{ name: "a", channel: [{ threshold: spread(0.3, 0.05), scale: spread(0.35, 0.02) }, { threshold: spread(0.49, 0.02), scale: null }] }] };
  const [first, second] = usual.blocks[0].channel;
  assert.ok(Math.abs(deviation(blocks[0].channel[0], first) - 4) < 1e-9);
  assert.equal(inWords(blocks[0], 0, first), "a, channel 0: τ 0.5 (usual 0.3 ± 0.05, +4.0 σ), 40.0 % of A 1.25 (usual 35.0 % ± 2.0 %), 30.0 % set to zero, 0.9 left on average");
  assert.equal(inWords(blocks[0], 1, second), "a, channel 1: τ 0.5 (usual 0.49 ± 0.02, +0.5 σ), 100 % set to zero, 0 left on average");
  assert.equal(unusualInWords(blocks, usual), "1 of 2 thresholds are more than 3 σ from what is usual for seven; the farthest is a, channel 0 (+4.0 σ).");
  first.threshold.mean = 0.49;
  assert.match(unusualInWords(blocks, usual), /^All thresholds are within 3 σ of what is usual for seven; the farthest is a, channel 1/);
});

test("where it is not known what is usual, nothing is compared", () => {
  const channel = { threshold: 0.5, scale: 0.4, mean_abs: 1.25, mean_abs_after: 0.9, zeroed: 0.3 };
  assert.equal(deviation(channel, null), null);
  assert.equal(deviation(channel, { threshold: null, scale: null }), null, "a class without training inputs");
  assert.equal(deviation(channel, { threshold: spread(0.4, 0), scale: null }), null, "a threshold that never varied");
  assert.equal(deviation(channel, { threshold: spread(0.5, 0), scale: null }), 0);
  assert.equal(unusualInWords([{ name: "a", channel: [channel] }], null), null);
  assert.equal(inWords({ name: "a", channel: [channel] }, 0), "a, channel 0: τ 0.5, 40.0 % of A 1.25, 30.0 % set to zero, 0.9 left on average");
});

test("a recording of several classes is compared with what is usual for none of them", () => {
  const prediction = (normal, others) => ({ class_index: 0, windows: [...Array(normal).fill({ class_index: 0 }), ...Array(others).fill({ class_index: 1 })] });
  assert.ok(isOfOneClass({ class_index: 0 }) && isOfOneClass(prediction(1, 0)) && isOfOneClass(prediction(18, 2)));
  assert.ok(!isOfOneClass(prediction(17, 3)));
});

test("the reason of an alarm is told in words, and what to look for", () => {
  const words = (found) => found.why + found.list.map((pair) => pair.join(" ")).join(", ");
  const input = { alarm: true, reason: "input", statistics: [{ what: "dips", channel: 0, z: 12.3, share: 0.5 }, { what: "kurtosis", channel: 0, z: -3, share: 0.1 }, { what: "jumps", channel: 0, z: 0.6, share: 0.001 }] };
  assert.equal(words(whyShift(input)), "Because of the input itself: more values lie far below their neighbours +12.3 σ, large values stand out less −3.0 σ");
  assert.equal(lookFor({ input_shift: input }, true), "lost samples or noise");
  assert.equal(lookFor({ input_shift: input }, false), "noise or dead pixels");
  const picture = { alarm: true, reason: "input", statistics: [{ what: "repeats", axis: "vertical", channel: 2, z: 4, share: 0.5 }] };
  assert.match(words(whyShift(picture, { channels: 3 })), /more values repeat the one before \(vertical direction, channel 2\) \+4\.0 σ$/);
  const spectrum = { alarm: true, reason: "spectrum", bands: [{ low: 0, high: 1500, channel: 1, change_db: 9.26, z: 7 }] };
  assert.equal(words(whyShift(spectrum, { channels: 2, sample_rate_hz: 48000 })), "Because of the power at these frequencies: 0 Hz to 1.5 kHz (channel 1) +9.26 dB");
  assert.match(words(whyShift({ ...spectrum, bands: [{ low: 0, high: 0.03125, channel: 0, change_db: -2, z: -4 }] })), /0.* of the rate to 3\.1 % of the rate −2 dB/);
  assert.match(lookFor({ input_shift: spectrum }, true), /^weak noise, hum/);
  const magnitudes = { alarm: true, reason: "magnitudes", causes: [{ block: "stage1", channel: 3, z: 6.14, share: 0.5 }] };
  assert.equal(words(whyShift(magnitudes)), "Because of the mean magnitudes of channels: stage1, channel 3 +6.1 σ");
  assert.match(lookFor({ input_shift: magnitudes }, true), /^hum, another sample rate/);
  const features = { alarm: true, reason: "features", nearest: [{ label: "ball", class_index: 1, distance: 3.14 }] };
  assert.match(words(whyShift(features)), /no class of the training data.*The nearest: ball at 3\.14$/);
  assert.equal(whyShift({ alarm: true, reason: "something new" }), null);
  const level = { alarm: true, causes: [{ what: "stuck", channel: 1, z: 9 }, { what: "something_new", channel: 0, z: 3 }] };
  assert.equal(words(whyLevel(level, { channels: 2 })), "What moved: samples that repeat the one before of channel 1 +9.0 σ, something_new of channel 0 +3.0 σ");
  assert.match(lookFor({ input_shift: input, input_level: level }, true), /^lost samples: a link/);
  assert.equal(lookFor({ input_shift: { alarm: false }, input_level: { alarm: false } }, true), null);
});

test("since when a recording is unlike the training data is told in a sentence", () => {
  const time = (sample) => `${sample} s`, change = (start, found, end) => ({ start, found, end });
  assert.equal(unlikeInWords([change(12, 14, null)], time), "Unlike the training data from 12 s (certain at 14 s).");
  assert.equal(unlikeInWords([change(12, 14, 20), change(30, 33, null)], time), "Unlike the training data from 12 s to 20 s (certain at 14 s), and in 1 more stretch.");
  assert.equal(unlikeInWords(undefined, time), null);
  assert.equal(unlikeInWords([], time), null);
});

test("the place of a score among held-out inputs lies between the quantiles beside it", () => {
  const quantiles = [0.1, 0.2, 0.4, 0.4, 1.6].map((score, i) => ({ share: i / 4, score }));
  const found = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 400].map((score) => Number(shareUpTo(quantiles, score).toFixed(3)));
  assert.deepEqual(found, [0, 0, 0.25, 0.75, 0.875, 1, 1]);
  assert.deepEqual(marks(0.1, 1.5).map((mark) => Number(mark.toPrecision(3))), [0.1, 0.2, 0.5, 1]);
  assert.deepEqual(marks(0.09, 500).map((mark) => Number(mark.toPrecision(3))), [0.1, 1, 10, 100]);
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
  assert.deepEqual([...parse(text(1, 1), new Set(["b"])).keys()], ["b"], "the others are skipped");
});

test("rows are sorted as numbers or words, and those without a value come last", () => {
  const rows = [{ a: 10 }, { a: null }, { a: 9 }], of = ({ a }) => a;
  assert.deepEqual(sorted(rows, of, true).map(of), [9, 10, null]);
  assert.deepEqual(sorted(rows, of, false).map(of), [10, 9, null]);
  assert.deepEqual(sorted([{ a: "run 10" }, { a: "run 9" }], of, true).map(of), ["run 9", "run 10"]);
});

test("a file with commas and quotes stays one cell", () => {
  assert.equal(csvLine(['a,"b".wav', null, 0.5, true]), '"a,""b"".wav",,0.5,true');
  assert.equal(csvLine(["two\nlines", "a\rb"]), '"two\nlines","a\rb"');
});

test("a spreadsheet runs nothing of a name, and a negative number stays one", () => {
  assert.equal(csvLine(["=cmd|' /C calc'!A0", "+1.wav", "@a", "-b", -0.5]), "'=cmd|' /C calc'!A0,'+1.wav,'@a,'-b,-0.5");
});

const refused = (detail) => ({ problem: refusal(detail) });
const ambiguous = (...names) => refused(`the recording cannot be read: the variable to read is ambiguous: name one of ${names.join(", ")}`);

test("files that leave the same open are asked for together", () => {
  const rows = [ambiguous("X097_DE_time", "X097_FE_time"), { problem: null }, ambiguous("X109_DE_time", "X109_FE_time", "X109_BA_time"), ambiguous("signal", "time")];
  assert.deepEqual(questions(rows).map(({ name, choices, rows: { length } }) => [name, choices, length]), [["variable", ["DE_time", "FE_time"], 2], ["variable", ["signal", "time"], 1]]);
  const channels = (count, names) => refused(`the recording has ${count} channels${names}, but this model expects 1 channel; select with the option channel, such as channel=0`);
  assert.deepEqual(questions([channels(2, " (left, right)"), channels(2, ""), channels(3, "")]).map(({ choices, rows: { length } }) => [choices, length]), [[["left", "right"], 1], [["0", "1"], 2]]);
  const unknown = refused("the recording does not declare its sample rate; set the option sample_rate_hz");
  assert.deepEqual(questions([unknown, unknown]).map(({ name, rows: { length } }) => [name, length]), [["sample_rate_hz", 2]]);
});

test("an option is sent with the files that can have it", () => {
  const options = { variable: "DE_time", skip_lines: "2", channel: "0" };
  assert.deepEqual(suiting(options, "application/x-matlab-data"), { variable: "DE_time", channel: "0" });
  assert.deepEqual(suiting(options, "text/csv"), { skip_lines: "2", channel: "0" });
  assert.deepEqual(suiting(options, null), { channel: "0" });
});

test("the server's messages are sentences, unless they begin with a name", () => {
  assert.equal(sentence("the body is empty"), "The body is empty");
  assert.equal(sentence("sample_rate_hz must be above 0"), "sample_rate_hz must be above 0");
});

test("files are in the order of folders and names, as people count", () => {
  const pairs = [["b10", "x"], ["b9", "x"], ["c", null], ["a", "y"]].map(([name, folder]) => [{ name }, folder]);
  assert.deepEqual(inOrder(pairs).map(([{ name }]) => name), ["c", "b9", "b10", "a"]);
});

test("folders are counted against answers, in the order of the classes", () => {
  const rows = [["a", "a"], ["a", "b"], ["b", "b"], ["B", "b"], [null, "a"], ["a", null, "too short"], ["a", null]].map(([folder, label, error]) => ({ folder, label, error }));
  const { folders, counts, refused: without, right, all } = confusion(rows, ["b", "a"]);
  assert.deepEqual(folders, ["b", "a", "B"]);
  assert.deepEqual(counts, [[1, 0], [1, 1], [1, 0]]);
  assert.deepEqual(without, [0, 1, 0]);
  assert.deepEqual([right, all], [2, 3]);
});

test("the request to copy quotes what a shell would read otherwise", () => {
  const input = { name: "it's.wav", type: "audio/wav", options: {} };
  const { curl, python } = snippets("http://h", input, { name: "m" }, { channel: "left" }, true);
  assert.ok(curl.includes(`'@it'\\''s.wav'`) && curl.includes("$DRSN_KEY"), curl);
  assert.ok(curl.includes("channel=left&diagnostics=full"));
  assert.ok(python.includes(`open("it's.wav", "rb")`) && python.includes('os.environ["DRSN_KEY"]') && python.startsWith("import os, requests"));
  // In a form curl takes commas and semicolons for its own, unless the name is quoted.
  assert.ok(snippets("http://h", { ...input, name: 'a;b,"c".flac', type: null }, { name: "m" }, {}, false).curl.includes(`-F 'file=@"a;b,\\"c\\".flac"'`));
});

test("the requests for many files have a loop for those with the same options", () => {
  const row = (name, options) => ({ name, folder: "x", options });
  const { curl, python } = loops("http://h", [row("a.mat", { variable: "v" }), row("b.mat", { variable: "v" }), row("it's.csv", {}), row("[2].csv", { channel: "right" })], { name: "m" }, true);
  assert.ok(curl.includes("for file in */*.mat; do") && curl.includes("classify?variable=v'"), curl);
  assert.ok(curl.includes(`for file in 'x/it'\\''s.csv'; do`) && curl.includes("for file in 'x/[2].csv'; do") && curl.includes("channel=right"), curl);
  assert.ok(python.includes(`(["x/[[]2].csv"], {"channel":"right"})`), python);
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
