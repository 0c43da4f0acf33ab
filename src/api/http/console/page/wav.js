/** WAV files to samples. What is not plain PCM or floats is left to the server. */

const PCM = 1, FLOAT = 3, EXTENSIBLE = 0xfffe;

/** Whether a file begins like a WAV file. */
export function isWav(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 4), ...bytes.subarray(8, 12));
  return text === "RIFFWAVE";
}

function reader(view, format, bits) {
  if (format === FLOAT && bits === 32) return (at) => view.getFloat32(at, true);
  if (format === FLOAT && bits === 64) return (at) => view.getFloat64(at, true);
  if (format !== PCM) return null;
  if (bits === 8) return (at) => (view.getUint8(at) - 128) / 128;
  if (bits === 16) return (at) => view.getInt16(at, true) / 32768;
  if (bits === 24) return (at) => ((view.getUint8(at) | (view.getUint8(at + 1) << 8) | (view.getInt8(at + 2) << 16))) / 8388608;
  return bits === 32 ? (at) => view.getInt32(at, true) / 2147483648 : null;
}

/** Finds the chunks `fmt ` and `data`; null if there are none. */
function chunks(view) {
  let at = 12, format = null;
  while (at + 8 <= view.byteLength) {
    const name = String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
    const length = view.getUint32(at + 4, true);
    if (name === "fmt " && length >= 16) {
      let kind = view.getUint16(at + 8, true);
      if (kind === EXTENSIBLE && length >= 40) kind = view.getUint16(at + 32, true);
      format = { kind, channels: view.getUint16(at + 10, true), rate: view.getUint32(at + 12, true), bits: view.getUint16(at + 22, true) };
    }
    // A file that is still being written, or was streamed, declares too much.
    if (name === "data") return format && { format, start: at + 8, length: Math.min(length, view.byteLength - at - 8) };
    at += 8 + length + (length & 1);
  }
  return null;
}

/** Samples of a WAV file: `{channels: [Float32Array], rate}`, or null if it is of a kind that is not read here. */
export function readWav(buffer) {
  const bytes = new Uint8Array(buffer);
  if (bytes.length < 44 || !isWav(bytes)) return null;
  const view = new DataView(buffer);
  const found = chunks(view);
  const read = found && reader(view, found.format.kind, found.format.bits);
  if (!read || !found.format.channels) return null;
  const { format: { channels: count, rate, bits, kind }, start, length } = found;
  const width = bits / 8, frames = Math.floor(length / (width * count));
  const channels = Array.from({ length: count }, () => new Float32Array(frames));
  if (kind === PCM && bits === 16 && count === 1 && start % 2 === 0) {
    const values = new Int16Array(buffer, start, frames), out = channels[0];
    for (let i = 0; i < frames; i += 1) out[i] = values[i] / 32768;
    return { channels, rate };
  }
  for (let channel = 0; channel < count; channel += 1) {
    const out = channels[channel];
    for (let i = 0, at = start + channel * width; i < frames; i += 1, at += width * count) out[i] = read(at);
  }
  return { channels, rate };
}

/** A WAV file of 32-bit floats, of one array a channel. */
export function writeWav(channels, rate) {
  const count = channels.length, frames = channels[0].length, bytes = 4 * count * frames;
  const view = new DataView(new ArrayBuffer(44 + bytes));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + bytes, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, FLOAT, true); view.setUint16(22, count, true);
  view.setUint32(24, rate, true); view.setUint32(28, 4 * count * rate, true); view.setUint16(32, 4 * count, true); view.setUint16(34, 32, true);
  text(36, "data"); view.setUint32(40, bytes, true);
  channels.forEach((samples, channel) => {
    for (let i = 0; i < frames; i += 1) view.setFloat32(44 + 4 * (i * count + channel), samples[i], true);
  });
  return view.buffer;
}
