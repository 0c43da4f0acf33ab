//! Accuracy under noises of increasing strength.

use serde::{Deserialize, Serialize};

use crate::recipe::Noise;

/// Accuracy of one model, or of several trainings, under some noises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseCurve {
    /// Name in the legend.
    pub name: String,
    /// One point for each noise, in display order.
    pub points: Vec<CurvePoint>,
}

/// Accuracy under one noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The noise; `None` for clean inputs.
    pub noise: Option<Noise>,
    /// Accuracy, or its mean over trainings, in [0, 1].
    pub accuracy: f64,
    /// Macro F1, if known.
    pub macro_f1: Option<f64>,
    /// Error bar: the 95 % interval of the accuracy, or mean ± sample standard deviation.
    pub bar: Option<[f64; 2]>,
}

/// Name of a noise in tables and plots: `clean`, or its text form.
pub(super) fn noise_name(noise: Option<&Noise>) -> String {
    noise.map_or_else(|| "clean".to_owned(), ToString::to_string)
}

/// The distinct noises of some curves, in order of first appearance.
pub(super) fn noises(curves: &[NoiseCurve]) -> Vec<Option<Noise>> {
    let mut all: Vec<Option<Noise>> = Vec::new();
    for point in curves.iter().flat_map(|curve| &curve.points) {
        if !all.contains(&point.noise) {
            all.push(point.noise);
        }
    }
    all
}

impl NoiseCurve {
    /// The point of one noise.
    pub(super) fn point(&self, noise: Option<&Noise>) -> Option<&CurvePoint> {
        self.points.iter().find(|point| point.noise.as_ref() == noise)
    }
}
