//! A held-out patient: windows around heartbeats of twelve patients at 180 Hz, of which 89 % are
//! normal. `beats.csv` has a window a row, with its label and its patient as the group.
//!
//! A beat is a sum of bell curves. Ventricular beats are wide and have no P wave; supraventricular
//! ones are early, with another P wave. All of it differs from patient to patient.

use std::{f32::consts::TAU, fmt::Write as _, fs, io, path::Path};

use super::signal::Random;

const RATE: f32 = 180.0;
const WINDOW: usize = 256;
const PATIENTS: u64 = 12;
/// Normal, supraventricular and ventricular beats of a patient.
const BEATS: [(&str, usize); 3] = [("normal", 107), ("supraventricular", 4), ("ventricular", 9)];

/// A wave of a beat: height, centre in seconds after the R peak, and width.
type Wave = (f32, f32, f32);

/// What the beats of a patient are like.
struct Patient {
    interval: f32,
    normal: Vec<Wave>,
    early: Vec<Wave>,
    wide: Vec<Wave>,
    wander: f32,
    noise: f32,
}

impl Patient {
    fn new(random: &mut Random) -> Self {
        let mut near = |value: f32, share: f32| value * random.between(1.0 - share, 1.0 + share);
        let width = near(0.012, 0.3);
        let p = (near(0.14, 0.4), near(-0.17, 0.1), 0.025);
        let qrs = [
            (near(-0.12, 0.6), -2.3 * width, width),
            (near(1.1, 0.3), 0.0, width),
            (near(-0.3, 0.6), 2.4 * width, width),
        ];
        let t = (near(0.28, 0.5), near(0.27, 0.12), 0.05);
        let early = (near(-0.08, 0.6), -0.13, 0.02);
        let broad = near(0.042, 0.2);
        let turned = if near(1.0, 1.0) > 0.9 { 1.0 } else { -1.0 };
        let wide = vec![
            (turned * near(1.3, 0.3), 0.0, broad),
            (turned * near(-0.5, 0.4), 0.11, 1.3 * broad),
            (turned * near(-0.35, 0.4), 0.3, 0.07),
        ];
        let normal = [&[p], &qrs[..], &[t]].concat();
        let early = [&[early], &qrs[..], &[t]].concat();
        let (wander, noise) = (near(0.12, 0.8), near(0.035, 0.6));
        Self { interval: near(0.85, 0.18), normal, early, wide, wander, noise }
    }

    /// A window with a beat in its middle, the one before and the one after.
    fn window(&self, label: &str, random: &mut Random) -> Vec<f32> {
        let interval = self.interval * random.between(0.94, 1.06);
        let (waves, before, after) = match label {
            "ventricular" => (&self.wide, random.between(0.65, 0.8), 1.25),
            "supraventricular" => (&self.early, random.between(0.6, 0.75), 1.1),
            _ => (&self.normal, 1.0, 1.0),
        };
        let beats = [
            (&self.normal, -before * interval),
            (waves, random.between(-0.02, 0.02)),
            (&self.normal, after * interval),
        ];
        let (phase, gain) = (random.between(0.0, TAU), random.between(0.85, 1.15));
        let sample = |at: usize| {
            let time = (at as f32 - 0.5 * WINDOW as f32) / RATE;
            let bell = |&(height, centre, width): &Wave, beat: f32| {
                height * (-0.5 * ((time - beat - centre) / width).powi(2)).exp()
            };
            let beats = beats.iter();
            let heart: f32 =
                beats.flat_map(|(waves, at)| waves.iter().map(|wave| bell(wave, *at))).sum();
            gain * heart + self.wander * (2.0 * time + phase).sin() + self.noise * random.noise()
        };
        (0..WINDOW).map(sample).collect()
    }
}

/// Writes the data set.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let mut random = Random::new(2);
    let columns: Vec<String> = (0..WINDOW).map(|sample| format!("s{sample},")).collect();
    let mut table = format!("{}label,group\n", columns.concat());
    for number in 0..PATIENTS {
        let patient = Patient::new(&mut random);
        for (label, count) in BEATS {
            for _ in 0..count {
                for sample in patient.window(label, &mut random) {
                    write!(table, "{sample:.4},").map_err(io::Error::other)?;
                }
                writeln!(table, "{label},patient-{number}").map_err(io::Error::other)?;
            }
        }
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join("beats.csv"), table)
}
