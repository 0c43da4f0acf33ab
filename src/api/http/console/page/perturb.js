/** Changes to a signal or a picture: gain, offset, dropped samples, noise. The same every time, so that sliders move smoothly. */

/** Numbers from 0 to 1 from a seed (mulberry32). */
export function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function normal(next) {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

function deviation(samples) {
  let [sum, squares] = [0, 0];
  for (const sample of samples) { sum += sample; squares += sample * sample; }
  const mean = sum / samples.length;
  return Math.sqrt(Math.max(0, squares / samples.length - mean * mean));
}

/**
 * `{snr, gain, offset, dropout}`: noise at this signal-to-noise ratio (dB; null for none), gain (dB), offset (in
 * standard deviations of the input), share of samples set to zero. Noise is relative to what the gain has made of it.
 */
export function perturb(channels, { snr = null, gain = 0, offset = 0, dropout = 0 }, seed = 1) {
  const factor = 10 ** (gain / 20);
  return channels.map((samples, index) => {
    const [lost, noise] = [uniform(seed + 2 * index), uniform(seed + 2 * index + 1)];
    const spread = deviation(samples) * factor, loud = snr === null ? 0 : spread * 10 ** (-snr / 20);
    return samples.map((sample) => {
      const kept = lost() < dropout ? 0 : sample * factor + offset * spread;
      return loud ? kept + loud * normal(noise) : kept;
    });
  });
}
