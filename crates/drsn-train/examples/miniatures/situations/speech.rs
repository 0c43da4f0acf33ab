//! A held-out speaker: ten digits said six times by each of eight speakers, who differ in pitch,
//! length of the vocal tract, tempo and hoarseness. `<digit>/speaker-<n>/<take>.wav` at 8 kHz.
//!
//! A word is a chain of sounds: pulses or noise through three resonances, the formants, that glide
//! from one sound to the next.

use std::{io, path::Path};

use super::signal::{Random, Resonance, write_wav};

const RATE: u32 = 8_000;
const SPEAKERS: u64 = 8;
const TAKES: u64 = 6;

/// A sound: seconds, voice, noise, and formants in hertz.
struct Sound(f32, f32, f32, [f32; 3]);

/// What one speaker's voice is like.
struct Voice {
    pitch: f32,
    /// Formants relative to those of the table.
    tract: f32,
    tempo: f32,
    hoarseness: f32,
}

const A: [f32; 3] = [700.0, 1_200.0, 2_500.0];
const E: [f32; 3] = [520.0, 1_850.0, 2_500.0];
const I: [f32; 3] = [310.0, 2_250.0, 2_900.0];
const O: [f32; 3] = [500.0, 880.0, 2_500.0];
const U: [f32; 3] = [320.0, 900.0, 2_300.0];
const R: [f32; 3] = [350.0, 1_100.0, 1_600.0];
const N: [f32; 3] = [260.0, 1_350.0, 2_300.0];
const S: [f32; 3] = [1_500.0, 3_000.0, 3_500.0];
const F: [f32; 3] = [900.0, 1_700.0, 2_700.0];

/// The sounds of a digit.
fn sounds(digit: usize) -> Vec<Sound> {
    let voiced = |seconds, formants| Sound(seconds, 1.0, 0.0, formants);
    let hissed = |seconds, loud, formants| Sound(seconds, 0.0, loud, formants);
    let silent = |seconds, formants| Sound(seconds, 0.0, 0.0, formants);
    match digit {
        0 => vec![Sound(0.08, 0.5, 0.3, S), voiced(0.09, I), voiced(0.07, R), voiced(0.14, O)],
        1 => vec![voiced(0.08, U), voiced(0.16, A), voiced(0.10, N)],
        2 => vec![hissed(0.05, 0.6, S), voiced(0.08, I), voiced(0.20, U)],
        3 => vec![hissed(0.09, 0.2, F), voiced(0.07, R), voiced(0.19, I)],
        4 => vec![hissed(0.09, 0.2, F), voiced(0.19, O), voiced(0.07, R)],
        5 => vec![hissed(0.08, 0.2, F), voiced(0.13, A), voiced(0.08, I), Sound(0.05, 0.4, 0.2, F)],
        6 => vec![hissed(0.10, 0.6, S), voiced(0.10, E), silent(0.05, E), hissed(0.11, 0.6, S)],
        7 => vec![hissed(0.10, 0.6, S), voiced(0.11, E), Sound(0.05, 0.6, 0.1, F), voiced(0.10, N)],
        8 => vec![voiced(0.12, E), voiced(0.11, I), silent(0.05, I), hissed(0.05, 0.4, S)],
        _ => vec![voiced(0.07, N), voiced(0.13, A), voiced(0.09, I), voiced(0.07, N)],
    }
}

/// Writes the data set.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let mut random = Random::new(1);
    for speaker in 0..SPEAKERS {
        // Their vocal tracts are evenly spread, and a long one mostly has a low voice.
        let tract = 0.86 + 0.045 * speaker as f32;
        let voice = Voice {
            pitch: 110.0 * tract * tract * random.between(0.9, 1.25),
            tract,
            tempo: random.between(0.95, 1.2),
            hoarseness: random.between(0.02, 0.15),
        };
        for digit in 0..10 {
            for take in 0..TAKES {
                let path = format!("{digit}/speaker-{speaker}/{take}.wav");
                write_wav(&folder.join(path), RATE, &say(digit, &voice, &mut random))?;
            }
        }
    }
    Ok(())
}

/// A digit said once: no take is like another.
fn say(digit: usize, voice: &Voice, random: &mut Random) -> Vec<f32> {
    let rate = RATE as f32;
    let mut resonances: [Resonance; 3] = Default::default();
    let (mut phase, mut radiated, mut samples) = (0.0, 0.0, Vec::new());
    let (pitch, tempo) = (voice.pitch * random.between(0.9, 1.1), random.between(0.9, 1.1));
    let mut formants: Option<[f32; 3]> = None;
    let (mut voicing, mut hiss) = (0.0, 0.0);
    for Sound(seconds, voiced, noisy, target) in sounds(digit) {
        let target = target.map(|formant| formant * voice.tract * random.between(0.96, 1.04));
        let length = (seconds * voice.tempo * tempo * random.between(0.85, 1.15) * rate) as usize;
        for _ in 0..length {
            // Within 20 ms the mouth is where it is to be.
            let glide = |from: f32, to: f32| from + (to - from) / (0.02 * rate);
            let now = formants.get_or_insert(target);
            *now = std::array::from_fn(|formant| glide(now[formant], target[formant]));
            (voicing, hiss) = (glide(voicing, voiced), glide(hiss, noisy));
            phase += pitch / rate * random.between(0.97, 1.03);
            let pulse = if phase >= 1.0 { 6.0 } else { -0.06 };
            phase = phase.fract();
            let source =
                voicing * (pulse + voice.hoarseness * random.noise()) + hiss * random.noise();
            let sound: f32 = (0..3)
                .map(|n| resonances[n].filter(source, now[n].min(3_700.0) / rate, 90.0 / rate))
                .sum();
            samples.push(sound - 0.7 * radiated + 0.003 * random.noise());
            radiated = sound;
        }
    }
    samples
}
