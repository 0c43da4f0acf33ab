/** Inputs: what a file is, how it is sent, and the samples or the picture to show of it. */

import { classify, query, request } from "./api.js";
import { isWav, readWav, writeWav } from "./wav.js";

/** Media types by the ending of a name; files of other names are sent as parts of a form, and the server looks at them. */
const TYPES = {
  png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", webp: "image/webp", bmp: "image/bmp", gif: "image/gif",
  wav: "audio/wav", csv: "text/csv", txt: "text/csv", tsv: "text/csv", npy: "application/x-npy", npz: "application/x-npz", mat: "application/x-matlab-data",
};
const MAGIC = [["image/png", "\x89PNG"], ["image/jpeg", "\xff\xd8\xff"], ["image/gif", "GIF8"], ["image/bmp", "BM"], ["application/x-npy", "\x93NUMPY"]];

const RAW = "application/octet-stream";

function typeOf(name, first) {
  const text = String.fromCharCode(...first);
  if (isWav(first)) return "audio/wav";
  if (text.startsWith("RIFF") && text.slice(8, 12) === "WEBP") return "image/webp";
  const known = MAGIC.find(([, mark]) => text.startsWith(mark));
  return known ? known[0] : TYPES[name.toLowerCase().split(".").pop()] ?? null;
}

/** An input from a file. `folder` is the name of the folder that it was in, if any. */
export async function fromFile(file, folder = null) {
  // One that cannot be read is refused when it is sent, with the reason.
  const first = new Uint8Array(await file.slice(0, 16).arrayBuffer().catch(() => new ArrayBuffer(0)));
  const type = typeOf(file.name, first);
  return { name: file.name, folder, body: file, type, isImage: Boolean(type?.startsWith("image/")), samples: null, options: {} };
}

/** An input from samples, one array a channel; without a rate they are at the model's. It is a WAV file where that can tell the rate. */
export function fromSamples(name, channels, rate, options = {}) {
  const made = { name, folder: null, isImage: false, isMade: true, samples: { channels, rate } };
  if (Number.isInteger(rate)) return { ...made, body: new Blob([writeWav(channels, rate)]), type: "audio/wav", options };
  const told = rate ? { ...options, sample_rate_hz: rate } : options;
  return { ...made, body: new Blob(channels), type: RAW, options: told };
}

/** An input from a picture on a canvas. */
export async function fromCanvas(name, canvas) {
  const body = canvas.convertToBlob ? await canvas.convertToBlob({ type: "image/png" }) : await new Promise((done) => canvas.toBlob(done, "image/png"));
  return { name, folder: null, body, type: "image/png", isImage: true, isMade: true, samples: null, options: {} };
}

/** The test input that comes with a model: a picture of a public set, or made up where its data is not public. */
export async function sampleOf(model) {
  const response = await request(`/console/samples/${encodeURIComponent(model.name)}`, { part: "The sample" });
  const values = new Float32Array(await response.arrayBuffer());
  const name = `test input of ${model.name}`;
  if (model.input.kind === "signal") {
    const { channels, window, sample_rate_hz: rate } = model.input;
    const input = fromSamples(name, Array.from({ length: channels }, (_, i) => values.slice(i * window, (i + 1) * window)), rate);
    return { ...input, about: "a tone with noise, made to check the network's numbers, and no recording: an alarm is right" };
  }
  return fromCanvas(name, pixelsToCanvas(values, model.input));
}

/** A picture of numbers `[C, H, W]` in which white is 1. */
export function pixelsToCanvas(values, { channels, height, width }) {
  const canvas = new OffscreenCanvas(width, height), size = width * height;
  const image = new ImageData(width, height);
  for (let i = 0; i < size; i += 1) {
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = 255 * values[(channels === 3 ? c : 0) * size + i];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

/** The options of an input that the model may be given: pictures have none of a recording's. */
function optionsOf(input, options) {
  return input.isImage ? {} : { ...options, ...input.options };
}

/** Options that files of some types only have. */
const OF_TYPES = { variable: [TYPES.mat, TYPES.npz], skip_lines: [TYPES.csv] };

/** Those of the options that a file of this type can have. */
export function suiting(options, type) {
  return Object.fromEntries(Object.entries(options).filter(([name]) => OF_TYPES[name]?.includes(type) ?? true));
}

/** Classifies an input and returns the whole answer. */
export function ask(input, model, options, detail, signal) {
  const all = { ...optionsOf(input, options), diagnostics: detail };
  if (input.type) return classify(model.name, input.body, input.type, all, signal);
  const form = new FormData();
  form.append("file", input.body, input.name);
  return classify(model.name, form, null, all, signal);
}

function rateOf(text) {
  const rate = Number(text);
  return rate > 0 ? rate : null;
}

/** The channels that the answer names, of those of a WAV file. */
function chosen(channels, names) {
  const picked = (names ?? []).map((name) => channels[Number(name)]).filter(Boolean);
  return picked.length ? picked : channels;
}

/**
 * The samples of a recording: `{channels: [Float32Array], rate}`. A WAV file is read here; the server, which knows every
 * format, reads the others. `taken` is what the answer says of the input.
 */
export async function samplesOf(input, model, options, taken = {}) {
  if (input.samples) return input.samples;
  if (input.type === "audio/wav") {
    input.reading ??= input.body.arrayBuffer().then(readWav);
    const wav = await input.reading;
    if (wav) return { rate: wav.rate, channels: chosen(wav.channels, taken.channels) };
  }
  const { overlap, ...selection } = optionsOf(input, options);
  const type = input.type ?? TYPES.csv;
  const response = await request(`/console/recordings/${taken.index ?? 0}${query({ model: model.name, ...selection })}`, {
    method: "POST", body: input.body, type, part: "Drawing the recording",
  });
  const count = Number(response.headers.get("x-channels")) || 1;
  const values = new Float32Array(await response.arrayBuffer()), length = values.length / count;
  const channels = Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length));
  return { channels, rate: rateOf(response.headers.get("x-sample-rate-hz")) };
}

/** Files of a drop, those in folders too, as `[file, name of the folder]`. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => [file, null]);
  const found = [];
  const walk = async (entry, folder) => {
    if (entry.isFile) {
      found.push([await new Promise((done, failed) => entry.file(done, failed)), folder]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const one of some) await walk(one, entry.name);
    }
  };
  for (const entry of entries) await walk(entry, null);
  return found.filter(([file]) => !file.name.startsWith("."));
}

/** Chosen files with the names of their folders. */
export function chosenFiles(list) {
  const folder = (file) => file.webkitRelativePath?.split("/").slice(-2, -1)[0] ?? null;
  return [...list].filter((file) => !file.name.startsWith(".")).map((file) => [file, folder(file)]);
}
