//! An unseen speed: the vibration of a gear pair with four conditions at six speeds.
//! `<condition>/<speed>-hz/<run>.wav` at 5,120 Hz.
//!
//! The teeth mesh with a tone and its harmonics, which grow as the teeth wear. An eccentric gear
//! gives them sidebands at the distance of the shaft's speed; a chipped tooth is a blow a turn.

use std::{f32::consts::TAU, io, path::Path};

use super::signal::{Random, Resonance, write_wav};

const RATE: u32 = 5_120;
const SAMPLES: usize = 4 * RATE as usize;
const TEETH: f32 = 23.0;
const SPEEDS: [u32; 6] = [15, 18, 21, 24, 27, 30];
const RUNS: usize = 2;

/// A condition: the harmonics of the mesh, how deep the shaft modulates them, and the blow a turn.
const CONDITIONS: [(&str, [f32; 4], f32, f32); 4] = [
    ("healthy", [1.0, 0.5, 0.25, 0.12], 0.08, 0.0),
    ("worn", [1.0, 0.9, 0.6, 0.4], 0.08, 0.0),
    ("eccentric", [1.0, 0.5, 0.25, 0.12], 0.55, 0.0),
    ("chipped", [1.0, 0.5, 0.25, 0.12], 0.15, 14.0),
];

/// Writes the data set.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let mut random = Random::new(3);
    for (name, harmonics, depth, blow) in CONDITIONS {
        for speed in SPEEDS {
            for run in 0..RUNS {
                let path = format!("{name}/{speed}-hz/{run}.wav");
                let samples = vibration(speed as f32, &harmonics, depth, blow, &mut random);
                write_wav(&folder.join(path), RATE, &samples)?;
            }
        }
    }
    Ok(())
}

fn vibration(
    speed: f32,
    harmonics: &[f32],
    depth: f32,
    blow: f32,
    random: &mut Random,
) -> Vec<f32> {
    // No two runs have the same speed, mounting or noise.
    let speed = speed * random.between(0.98, 1.02);
    let harmonics: Vec<f32> =
        harmonics.iter().map(|size| size * random.between(0.7, 1.4)).collect();
    let phases: Vec<f32> = harmonics.iter().map(|_| random.between(0.0, TAU)).collect();
    let depth = depth * random.between(0.8, 1.2);
    let noise = random.between(0.4, 0.8);
    let housing = random.between(1_650.0, 1_850.0) / RATE as f32;
    let mut resonance = Resonance::default();
    let mut turns = random.between(0.0, 1.0);
    let sample = |_| {
        let before = turns;
        turns += speed / RATE as f32 * random.between(0.98, 1.02);
        let is_blow = before.floor() < turns.floor();
        let push = if is_blow { blow * random.between(0.7, 1.3) } else { 0.0 };
        let mesh: f32 = harmonics
            .iter()
            .zip(&phases)
            .enumerate()
            .map(|(n, (size, phase))| size * (TAU * (n + 1) as f32 * TEETH * turns + phase).sin())
            .sum();
        let rung = resonance.filter(8.0 * push, housing, 0.015);
        mesh * (1.0 + depth * (TAU * turns).cos()) + rung + noise * random.noise()
    };
    (0..SAMPLES).map(sample).collect()
}
