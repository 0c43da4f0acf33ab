//! Multinomial logistic regression on standardised log-spectra, with a squared penalty that is
//! chosen on the held-out inputs, and with weights by which every class counts the same.

use drsn_train::dataset::Part;
use ndarray::{Array1, Array2, ArrayD, Axis, Zip};

use super::spectrum::log_spectrum;

/// Strengths of the penalty, from the strongest.
const PENALTIES: [f32; 6] = [10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4];
/// Steps for each; each starts from the weights of the one before.
const STEPS: usize = 100;

/// The log-spectra of the inputs of a part, `[inputs, bins]`, with their classes.
pub(super) struct Inputs {
    spectra: Array2<f32>,
    labels: Vec<usize>,
    classes: usize,
}

impl Inputs {
    pub(super) fn new(part: &Part, shape: &[usize], classes: usize) -> Self {
        let mut values = ArrayD::zeros(shape.to_vec());
        let mut spectra = Vec::new();
        for &index in &part.indices {
            part.source.read(index, 0, values.view_mut()).unwrap();
            spectra.extend(log_spectrum(values.as_slice().unwrap()));
        }
        let labels: Vec<usize> = part.indices.iter().map(|&i| part.source.label(i)).collect();
        let bins = spectra.len() / labels.len();
        let spectra = Array2::from_shape_vec((labels.len(), bins), spectra).unwrap();
        Self { spectra, labels, classes }
    }

    /// Mean over the classes of the share of their inputs that the weights get right.
    fn macro_recall(&self, weights: &Weights) -> f64 {
        let mut counts = vec![[0.0; 2]; self.classes];
        for (&label, scores) in self.labels.iter().zip(weights.scores(&self.spectra).rows()) {
            let best = (0..self.classes).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
            counts[label][0] += f64::from(u8::from(best == Some(label)));
            counts[label][1] += 1.0;
        }
        counts.iter().map(|[right, all]| right / all).sum::<f64>() / self.classes as f64
    }
}

/// A weight for each bin and class, and a bias for each class.
#[derive(Clone)]
struct Weights {
    matrix: Array2<f32>,
    bias: Array1<f32>,
}

impl Weights {
    /// `[inputs, classes]`.
    fn scores(&self, spectra: &Array2<f32>) -> Array2<f32> {
        spectra.dot(&self.matrix) + &self.bias
    }

    /// `self + share · (self − other)`.
    fn beyond(&self, other: &Self, share: f32) -> Self {
        let matrix = &self.matrix + &((&self.matrix - &other.matrix) * share);
        let bias = &self.bias + &((&self.bias - &other.bias) * share);
        Self { matrix, bias }
    }
}

/// Macro recall on the test of the weights with the highest one on the held-out inputs.
pub(super) fn tuned(mut training: Inputs, mut held_out: Inputs, mut test: Inputs) -> f64 {
    let mean = training.spectra.mean_axis(Axis(0)).unwrap();
    let deviation = training.spectra.std_axis(Axis(0), 0.0).mapv(|x| x.max(1e-6));
    for inputs in [&mut training, &mut held_out, &mut test] {
        inputs.spectra = (&inputs.spectra - &mean) / &deviation;
    }
    let bins = training.spectra.ncols();
    let mut weights = Weights {
        matrix: Array2::zeros((bins, training.classes)),
        bias: Array1::zeros(training.classes),
    };
    let mut best = (-1.0, 0.0);
    for penalty in PENALTIES {
        weights = fit(&training, penalty, weights);
        let found = held_out.macro_recall(&weights);
        if found > best.0 {
            best = (found, test.macro_recall(&weights));
        }
    }
    best.1
}

/// Minimises the weighted mean of the cross entropy and `penalty / 2 · ‖W‖²` by Nesterov's
/// accelerated gradient.
fn fit(inputs: &Inputs, penalty: f32, start: Weights) -> Weights {
    let counts = (0..inputs.classes)
        .map(|class| inputs.labels.iter().filter(|&&label| label == class).count() as f32);
    let shares: Vec<f32> = counts.map(|count| 1.0 / (inputs.classes as f32 * count)).collect();
    let rate = 1.0 / (0.5 * largest_curvature(inputs, &shares) + penalty);
    let (mut weights, mut before) = (start.clone(), start);
    for step in 0..STEPS {
        let ahead = weights.beyond(&before, step as f32 / (step + 3) as f32);
        let mut errors = ahead.scores(&inputs.spectra);
        for (mut row, &label) in errors.rows_mut().into_iter().zip(&inputs.labels) {
            let most = row.fold(f32::MIN, |most, &score| most.max(score));
            row.mapv_inplace(|score| (score - most).exp());
            let sum = row.sum();
            row /= sum;
            row[label] -= 1.0;
            row *= shares[label];
        }
        before = weights;
        let gradient = inputs.spectra.t().dot(&errors) + &ahead.matrix * penalty;
        let bias = errors.sum_axis(Axis(0));
        weights = Weights {
            matrix: &ahead.matrix - &(gradient * rate),
            bias: &ahead.bias - &(bias * rate),
        };
    }
    weights
}

/// The largest eigenvalue of the weighted second moments of the spectra with a constant, by power
/// iteration: half of it bounds the curvature of the cross entropy.
fn largest_curvature(inputs: &Inputs, shares: &[f32]) -> f32 {
    let mut direction = Array1::<f32>::ones(inputs.spectra.ncols());
    let mut size = 0.0;
    for _ in 0..30 {
        direction /= direction.dot(&direction).sqrt();
        let mut along = inputs.spectra.dot(&direction);
        Zip::from(&mut along)
            .and(&Array1::from(inputs.labels.clone()))
            .for_each(|value, &label| *value *= shares[label]);
        direction = inputs.spectra.t().dot(&along);
        size = direction.dot(&direction).sqrt();
    }
    // Power iteration comes from below.
    1.1 * size + 1.0
}
