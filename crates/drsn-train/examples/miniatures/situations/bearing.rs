//! An unseen load: the vibration of a bearing with four conditions at four loads.
//! `<condition>/load-<n>/<run>.wav` at 8,192 Hz.
//!
//! A fault is struck at a rate that follows from the bearing's geometry and the speed, and each
//! blow rings in the housing. With the load the speed falls, the blows become stronger, and the
//! resonance moves.

use std::{f32::consts::TAU, io, path::Path};

use super::signal::{Random, Resonance, write_wav};

const RATE: u32 = 8_192;
const SAMPLES: usize = 2 * RATE as usize;
const LOADS: u32 = 4;
const RUNS: usize = 2;

/// A condition: blows a turn, how deep the load modulates them once a turn, and the frequency of
/// their resonance in hertz.
const CONDITIONS: [(&str, f32, f32, f32); 4] = [
    ("normal", 0.0, 0.0, 2_800.0),
    ("outer", 3.58, 0.1, 2_800.0),
    ("inner", 5.42, 0.9, 2_900.0),
    ("ball", 2.36, 0.5, 2_700.0),
];

/// Writes the data set.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let mut random = Random::new(4);
    for (name, blows, depth, resonance) in CONDITIONS {
        for load in 0..LOADS {
            for run in 0..RUNS {
                let path = format!("{name}/load-{load}/{run}.wav");
                let samples = vibration(load as f32, blows, depth, resonance, &mut random);
                write_wav(&folder.join(path), RATE, &samples)?;
            }
        }
    }
    Ok(())
}

fn vibration(load: f32, blows: f32, depth: f32, resonance: f32, random: &mut Random) -> Vec<f32> {
    let speed = (30.0 - 0.4 * load) * random.between(0.995, 1.005);
    let frequency = resonance * (1.0 - 0.06 * load) * random.between(0.98, 1.02) / RATE as f32;
    let strength = (1.0 + 0.3 * load) * random.between(14.0, 22.0);
    let noise = (1.0 + 0.15 * load) * random.between(0.5, 0.7);
    let [mut ringing, mut shaken] = <[Resonance; 2]>::default();
    let (mut turns, mut next) = (random.between(0.0, 1.0), 0.0);
    let sample = |_| {
        turns += speed / RATE as f32;
        let mut push = 0.0;
        if blows > 0.0 && turns >= next {
            // Rolling elements slip: no distance between two blows is like another.
            next = turns + random.between(0.97, 1.03) / blows;
            push = strength * (1.0 + depth * (TAU * turns).cos()) * random.between(0.6, 1.4);
        }
        let shaft = 0.4 * (TAU * turns).sin() + 0.25 * (2.0 * TAU * turns + 1.0).sin();
        let floor = shaken.filter(2.0 * random.noise(), frequency, 0.05);
        ringing.filter(push, frequency, 0.025) + floor + shaft + noise * random.noise()
    };
    (0..SAMPLES).map(sample).collect()
}
