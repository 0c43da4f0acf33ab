// WAV files for the tests.

/** A WAV file of PCM samples given as whole numbers, channel by channel in each frame. */
export function pcm(bits, rate, frames) {
  const bytes = bits / 8, count = frames[0].length, data = new DataView(new ArrayBuffer(44 + frames.length * count * bytes));
  [..."RIFF"].forEach((letter, i) => data.setUint8(i, letter.charCodeAt(0)));
  [..."WAVEfmt "].forEach((letter, i) => data.setUint8(8 + i, letter.charCodeAt(0)));
  data.setUint32(16, 16, true); data.setUint16(20, 1, true); data.setUint16(22, count, true); data.setUint32(24, rate, true);
  data.setUint16(32, count * bytes, true); data.setUint16(34, bits, true);
  [..."data"].forEach((letter, i) => data.setUint8(36 + i, letter.charCodeAt(0)));
  data.setUint32(40, frames.length * count * bytes, true);
  frames.flat().forEach((value, i) => { for (let byte = 0; byte < bytes; byte += 1) data.setUint8(44 + i * bytes + byte, (value >> (8 * byte)) & 255); });
  return data.buffer;
}
