//! Accuracy under noise of growing strength.

use serde::{Deserialize, Serialize};

use crate::recipe::Noise;

/// Accuracy of one model, or of several trainings of it, under some noises.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseCurve {
    /// What the legend calls it.
    pub name: String,
    /// One point a noise, in the order in which they are shown.
    pub points: Vec<CurvePoint>,
}

/// How well a model does under one noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The noise; none for clean inputs.
    pub noise: Option<Noise>,
    /// Accuracy, or its mean over trainings, in [0, 1].
    pub accuracy: f64,
    /// Macro F1, where it is known.
    pub macro_f1: Option<f64>,
    /// What the error bar spans: the accuracy's interval of 95 %, or mean ± sample standard deviation.
    pub bar: Option<[f64; 2]>,
}

/// What tables and plots call a noise: `clean`, or its text form.
pub fn noise_name(noise: Option<&Noise>) -> String {
    noise.map_or_else(|| "clean".to_owned(), ToString::to_string)
}

/// Every noise of some curves once, in the order of their first appearance.
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
    pub fn point(&self, noise: Option<&Noise>) -> Option<&CurvePoint> {
        self.points.iter().find(|point| point.noise.as_ref() == noise)
    }
}
