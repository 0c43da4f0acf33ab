//! Random numbers, a resonance, and WAV files.

use std::{
    f32::consts::{PI, TAU},
    fs, io,
    path::Path,
};

/// Random numbers by the generator `SplitMix64` of S. Vigna.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number in [low, high).
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((bits ^ (bits >> 31)) >> 40) as f32 / (1 << 24) as f32;
        low + (high - low) * unit
    }

    /// Noise of variance 1, nearly normal: a sum of four uniform numbers.
    pub(super) fn noise(&mut self) -> f32 {
        let sum: f32 = (0..4).map(|_| self.between(-1.0, 1.0)).sum();
        sum * 0.866
    }
}

/// A resonance: a filter with two poles, whose frequency may change from sample to sample.
#[derive(Default)]
pub(super) struct Resonance([f32; 2]);

impl Resonance {
    /// Filters a sample; frequency and bandwidth are in parts of the sample rate. The gain at the
    /// resonance is about one.
    pub(super) fn filter(&mut self, sample: f32, frequency: f32, bandwidth: f32) -> f32 {
        let radius = (-PI * bandwidth).exp();
        let [last, before] = self.0;
        let poles = 2.0 * radius * (TAU * frequency).cos() * last - radius * radius * before;
        let gain = 2.0 * (1.0 - radius) * (TAU * frequency).sin();
        self.0 = [gain * sample + poles, last];
        self.0[0]
    }
}

/// Writes samples as a WAV file of 16 bits with their peak at half of the scale.
pub(super) fn write_wav(path: &Path, rate: u32, samples: &[f32]) -> io::Result<()> {
    let peak = samples.iter().fold(f32::MIN_POSITIVE, |peak, sample| peak.max(sample.abs()));
    let bytes = 2 * samples.len() as u32;
    let mut file =
        [b"RIFF", &(36 + bytes).to_le_bytes()[..], b"WAVEfmt \x10\0\0\0\x01\0\x01\0"].concat();
    file.extend([rate, 2 * rate].map(u32::to_le_bytes).concat());
    file.extend([&b"\x02\0\x10\0data"[..], &bytes.to_le_bytes()].concat());
    let scale = 16_384.0 / peak;
    file.extend(samples.iter().flat_map(|sample| ((sample * scale) as i16).to_le_bytes()));
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    fs::write(path, file)
}
