//! Means of classes and their shared, shrunk covariance in a stream of vectors, and its Cholesky
//! factor.
//!
//! Of symmetric and triangular matrices, `[D, D]`, only the lower triangle is used.

use ndarray::{Array1, Array2, ArrayRef1, ArrayView1, Axis, s};

use super::{BaselineError, Distance, MAX_DIMENSIONS, Numbers};

/// Least variance of a dimension, relative to the mean variance. Without it, any change of a
/// channel that was constant in training would be infinitely far.
const MIN_VARIANCE: f64 = 1e-6;
/// Least shrinkage: with it, even copies of one channel have a factor in 32-bit floats.
const MIN_SHRINKAGE: f64 = 1e-6;

/// Means of classes, and the scatter around them, of a stream of vectors, in memory that does not
/// depend on their number.
#[derive(Debug, Clone)]
pub struct ShiftAccumulator {
    classes: Vec<ClassMean>,
    /// Σ (x − mean)(x − mean)ᵀ, with the mean of each vector's class.
    scatter: Array2<f64>,
    difference: Array1<f64>,
}

#[derive(Debug, Clone)]
struct ClassMean {
    count: u64,
    mean: Array1<f64>,
}

impl ShiftAccumulator {
    /// An accumulator for vectors of `dimensions` numbers in some classes; one class if they are not
    /// told apart.
    ///
    /// # Errors
    /// [`BaselineError::Dimensions`] for none, or above [`MAX_DIMENSIONS`].
    pub fn new(dimensions: usize, classes: usize) -> Result<Self, BaselineError> {
        if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
            return Err(BaselineError::Dimensions { found: dimensions });
        }
        let class = ClassMean { count: 0, mean: Array1::zeros(dimensions) };
        Ok(Self {
            classes: vec![class; classes],
            scatter: Array2::zeros((dimensions, dimensions)),
            difference: Array1::zeros(dimensions),
        })
    }

    /// Adds the vector of one training input of a class.
    /// (Welford 1962: no cancellation, whatever the mean.)
    ///
    /// # Errors
    /// [`BaselineError`] if the length or the class is wrong, or a number is not finite. Then nothing
    /// is added.
    pub fn add<'a>(
        &mut self,
        vector: impl Into<ArrayView1<'a, f32>>,
        class: usize,
    ) -> Result<(), BaselineError> {
        let vector = vector.into();
        if vector.len() != self.difference.len() {
            let (expected, found) = (self.difference.len(), vector.len());
            return Err(BaselineError::Length { expected, found });
        }
        if !vector.iter().all(|x| x.is_finite()) {
            return Err(BaselineError::NotFinite);
        }
        let classes = self.classes.len();
        let unknown = BaselineError::Class { class, classes };
        let ClassMean { count, mean } = self.classes.get_mut(class).ok_or(unknown)?;
        *count += 1;
        let count = *count as f64;
        for ((difference, mean), &x) in self.difference.iter_mut().zip(mean).zip(&vector) {
            *difference = f64::from(x) - *mean;
            *mean += *difference / count;
        }
        let weight = (count - 1.0) / count;
        for (i, mut row) in self.scatter.rows_mut().into_iter().enumerate() {
            let others = self.difference.slice(s![..=i]);
            row.slice_mut(s![..=i]).scaled_add(weight * self.difference[i], &others);
        }
        Ok(())
    }

    /// Number of training inputs added.
    pub fn count(&self) -> u64 {
        self.classes.iter().map(|class| class.count).sum()
    }

    /// The mean of all inputs.
    fn mean(&self) -> Array1<f64> {
        let count = self.count() as f64;
        let mut mean = Array1::zeros(self.difference.len());
        for class in &self.classes {
            mean.scaled_add(class.count as f64 / count, &class.mean);
        }
        mean
    }

    /// The distance from the inputs added: the means of their classes, and the Cholesky factor of
    /// the shrunk covariance around them.
    ///
    /// The correlations are shrunk, not the covariance, so that the unit of a channel has no
    /// influence. They are shrunk towards zero by the oracle approximating shrinkage (Chen, Wiesel,
    /// Eldar, Hero, "Shrinkage algorithms for MMSE covariance estimation", IEEE Transactions on
    /// Signal Processing 58(10), 2010, equation 23), which needs only the covariance and the number
    /// of inputs, as a stream provides them.
    ///
    /// # Errors
    /// [`BaselineError`] if there are fewer than two inputs, or all are alike.
    pub fn distance(&self) -> Result<Distance, BaselineError> {
        let count = self.count();
        if count < 2 {
            return Err(BaselineError::TooFewTraining { found: count });
        }
        let mean = self.mean();
        let variances: Vec<f64> =
            self.scatter.diag().iter().map(|sum| sum / count as f64).collect();
        let mean_variance = variances.iter().sum::<f64>() / variances.len() as f64;
        // Equal 32-bit magnitudes differ by rounding, which is not variation.
        let rounding = mean.iter().fold(0.0_f64, |m, x| m.max(x.abs())) * 1e-7;
        if mean_variance.sqrt() <= rounding.max(f64::from(f32::MIN_POSITIVE)) {
            return Err(BaselineError::Constant);
        }
        let deviation = |variance: f64| variance.max(MIN_VARIANCE * mean_variance).sqrt();
        let deviations: Array1<f64> = variances.into_iter().map(deviation).collect();
        let (mut matrix, shrinkage) = self.shrunk_correlations(&deviations);
        cholesky(&mut matrix)?;
        let columns = matrix.columns().into_iter().enumerate();
        let factor = columns.flat_map(|(j, column)| {
            let below = column.into_iter().zip(&deviations).skip(j);
            below.map(|(element, deviation)| element * deviation)
        });
        Ok(Distance {
            inputs: count,
            shrinkage: shrinkage as f32,
            mean: single(mean.iter().copied())?.into(),
            factor: single(factor)?.into(),
            centres: self.centres(&mean, &deviations, &matrix)?,
            limit: 1.0,
        })
    }

    /// L⁻¹ (μ − m) of each class's mean μ, with m the mean of all; none if there is one class.
    fn centres(
        &self,
        mean: &Array1<f64>,
        deviations: &Array1<f64>,
        correlations: &Array2<f64>,
    ) -> Result<Vec<Numbers>, BaselineError> {
        if self.classes.len() < 2 {
            return Ok(Vec::new());
        }
        let seen = self.classes.iter().filter(|class| class.count > 0);
        seen.map(|class| {
            let mut centre = (&class.mean - mean) / deviations;
            for (i, row) in correlations.rows().into_iter().enumerate() {
                let known = dot(&row.slice(s![..i]), &centre.slice(s![..i]));
                centre[i] = (centre[i] - known) / row[i];
            }
            Ok(single(centre.into_iter())?.into())
        })
        .collect()
    }

    fn shrunk_correlations(&self, deviations: &Array1<f64>) -> (Array2<f64>, f64) {
        let (count, dimensions) = (self.count() as f64, deviations.len() as f64);
        let mut matrix = self.scatter.clone();
        // tr(S²): the sum of all squares. The trace itself is the number of dimensions.
        let mut squares = dimensions;
        for (i, mut row) in matrix.rows_mut().into_iter().enumerate() {
            let others = deviations.slice(s![..i]);
            for (element, other) in row.slice_mut(s![..i]).iter_mut().zip(&others) {
                *element /= count * deviations[i] * other;
                squares += 2.0 * element.powi(2);
            }
            row[i] = 1.0;
        }
        let numerator = (1.0 - 2.0 / dimensions) * squares + dimensions.powi(2);
        let denominator = (count + 1.0 - 2.0 / dimensions) * (squares - dimensions);
        let shrinkage = if numerator < denominator { numerator / denominator } else { 1.0 };
        let shrinkage = shrinkage.max(MIN_SHRINKAGE);
        for (i, mut row) in matrix.rows_mut().into_iter().enumerate() {
            row.slice_mut(s![..i]).mapv_inplace(|element| element * (1.0 - shrinkage));
        }
        (matrix, shrinkage)
    }
}

/// Replaces a positive definite matrix by L with L Lᵀ equal to it, row by row
/// (Cholesky–Banachiewicz).
fn cholesky(matrix: &mut Array2<f64>) -> Result<(), BaselineError> {
    for i in 0..matrix.nrows() {
        let (above, mut rest) = matrix.view_mut().split_at(Axis(0), i);
        let mut row = rest.row_mut(0);
        for (j, other) in above.rows().into_iter().enumerate() {
            let product = dot(&row.slice(s![..j]), &other.slice(s![..j]));
            row[j] = (row[j] - product) / other[j];
        }
        let square = row[i] - dot(&row.slice(s![..i]), &row.slice(s![..i]));
        if square.is_nan() || square <= 0.0 {
            // No eigenvalue is below the shrinkage: only overflowing numbers lead here.
            return Err(BaselineError::NotFinite);
        }
        row[i] = square.sqrt();
    }
    Ok(())
}

/// Summed in order, so that the same data gives the same bytes on every machine.
fn dot(a: &ArrayRef1<f64>, b: &ArrayRef1<f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn single(numbers: impl Iterator<Item = f64>) -> Result<Vec<f32>, BaselineError> {
    let numbers: Vec<f32> = numbers.map(|n| n as f32).collect();
    if numbers.iter().all(|n| n.is_finite()) { Ok(numbers) } else { Err(BaselineError::NotFinite) }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_factor_times_its_transpose_is_the_matrix() {
        let matrix = array![[4.0, 0.0, 0.0], [2.0, 5.0, 0.0], [-2.0, 3.0, 14.0]];
        let mut factor = matrix.clone();
        cholesky(&mut factor).unwrap();
        let product = factor.dot(&factor.t());
        for ((i, j), element) in product.indexed_iter().filter(|((i, j), _)| j <= i) {
            assert!((element - matrix[[i, j]]).abs() < 1e-12, "{i}, {j}");
        }
        assert!(cholesky(&mut array![[1.0, 0.0], [2.0, 1.0]]).is_err());
    }

    #[test]
    fn mean_and_scatter_of_a_stream_are_those_of_the_definition() {
        let vectors = [[1e4_f32, 1.0], [1e4 + 1.0, 3.0], [1e4 + 5.0, -1.0]];
        let mut sums = ShiftAccumulator::new(2, 1).unwrap();
        for vector in &vectors {
            sums.add(vector, 0).unwrap();
        }
        assert_eq!(sums.mean(), array![10_002.0, 1.0]);
        let expected = array![[14.0, 0.0], [-8.0, 8.0]];
        assert!((&sums.scatter - &expected).iter().all(|x| x.abs() < 1e-9));
        assert_eq!(sums.add(&[1.0], 0), Err(BaselineError::Length { expected: 2, found: 1 }));
        assert_eq!(sums.add(&[1.0, f32::INFINITY], 0), Err(BaselineError::NotFinite));
        assert_eq!(sums.add(&[1.0, 1.0], 1), Err(BaselineError::Class { class: 1, classes: 1 }));
        assert_eq!(sums.count(), 3);
    }

    /// Two classes that lie far from each other, each with the same small spread.
    #[test]
    fn an_input_between_two_classes_is_far_although_it_is_the_mean_of_all() {
        let mut sums = ShiftAccumulator::new(2, 3).unwrap();
        for class in [0, 1] {
            for step in 0..40 {
                let (x, y) = ((step % 5) as f32, (step * 3 % 7) as f32);
                sums.add(&[100.0 * class as f32 + x, y], class).unwrap();
            }
        }
        let distance = sums.distance().unwrap();
        assert_eq!(distance.centres.len(), 2, "a class without inputs has no centre");
        for (vector, near) in [([2.0, 3.0], true), ([102.0, 3.0], true), ([52.0, 3.0], false)] {
            let score = distance.squared(&vector).unwrap();
            assert_eq!(score < 1.0, near, "{vector:?}: {score}");
        }
        let one_class = {
            let mut sums = ShiftAccumulator::new(2, 1).unwrap();
            for step in 0..80 {
                let x = 100.0 * (step % 2) as f32 + (step % 5) as f32;
                sums.add(&[x, (step * 3 % 7) as f32], 0).unwrap();
            }
            sums.distance().unwrap()
        };
        assert!(one_class.squared(&[52.0, 3.0]).unwrap() < 1.0);
    }
}
