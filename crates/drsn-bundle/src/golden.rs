//! `golden.json`: a few inputs with the outputs that every engine must reproduce.

use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use ndarray::ArrayD;
use serde::{Deserialize, Serialize};

use crate::{BundleError, Manifest, files::without_mark, onnx};

/// The golden format this crate reads and writes.
const FORMAT: u32 = 1;

/// Key of the tolerance for providers without one of their own.
pub const DEFAULT_TOLERANCE: &str = "default";

/// Inputs and outputs of a model, and the tolerance for other engines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Version of this format.
    pub format: u32,
    /// Tolerances by execution provider; `default` for the others.
    pub tolerances: BTreeMap<String, Tolerance>,
    /// The prepared inputs, `[batch, …]`.
    pub input: Tensor,
    /// Every output of the model, by name, `[batch, …]`.
    pub outputs: BTreeMap<String, Tensor>,
}

/// A dense array of 32-bit floats. In JSON it is `{"shape": […], "data": […]}`, with the elements
/// in row-major order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "StoredTensor", try_from = "StoredTensor")]
pub struct Tensor(pub ArrayD<f32>);

/// A tensor in JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl TryFrom<StoredTensor> for Tensor {
    type Error = String;

    fn try_from(StoredTensor { shape, data }: StoredTensor) -> Result<Self, String> {
        let values = data.len();
        ArrayD::from_shape_vec(&shape[..], data)
            .map(Self)
            .map_err(|_| format!("a tensor of shape {shape:?} cannot have {values} values"))
    }
}

impl From<Tensor> for StoredTensor {
    fn from(Tensor(array): Tensor) -> Self {
        Self { shape: array.shape().to_vec(), data: array.into_iter().collect() }
    }
}

impl Deref for Tensor {
    type Target = ArrayD<f32>;

    fn deref(&self) -> &ArrayD<f32> {
        &self.0
    }
}

impl DerefMut for Tensor {
    fn deref_mut(&mut self) -> &mut ArrayD<f32> {
        &mut self.0
    }
}

/// The allowed difference of an output from the golden one: `|a − b| ≤ rtol · max|b| + atol` for
/// each element, with b the golden tensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Relative to the golden tensor's largest magnitude.
    pub rtol: f32,
    /// Absolute.
    pub atol: f32,
}

/// A difference between two tensors that should agree.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// They have different sizes.
    #[error("{found} values were returned, and {expected} were expected")]
    Size {
        /// Elements of the golden tensor.
        expected: usize,
        /// Elements of the other.
        found: usize,
    },
    /// One element differs too much.
    #[error("element {index} is {found}, expected {expected} (within {allowed:e})")]
    Value {
        /// Position in row-major order.
        index: usize,
        /// The golden value.
        expected: f32,
        /// The other value.
        found: f32,
        /// The allowed difference.
        allowed: f32,
    },
}

impl Tolerance {
    /// The tolerance between two CPU engines.
    pub const CPU: Self = Self { rtol: 1e-4, atol: 1e-5 };
    /// The tolerance for CUDA without TF32, which sums in another order.
    pub const CUDA: Self = Self { rtol: 1e-3, atol: 1e-4 };

    /// Compares an output with the golden one, element by element.
    ///
    /// # Errors
    /// The first element that differs too much; NaN always does.
    pub fn check<'v>(
        &self,
        expected: impl IntoIterator<Item = &'v f32, IntoIter: ExactSizeIterator + Clone>,
        found: impl IntoIterator<Item = &'v f32, IntoIter: ExactSizeIterator>,
    ) -> Result<(), Mismatch> {
        let (expected, found) = (expected.into_iter(), found.into_iter());
        if expected.len() != found.len() {
            return Err(Mismatch::Size { expected: expected.len(), found: found.len() });
        }
        let largest = expected.clone().fold(0.0_f32, |max, b| max.max(b.abs()));
        let allowed = self.rtol * largest + self.atol;
        for (index, (&expected, &found)) in expected.zip(found).enumerate() {
            let close = (expected - found).abs() <= allowed;
            if !close {
                return Err(Mismatch::Value { index, expected, found, allowed });
            }
        }
        Ok(())
    }
}

impl Golden {
    /// Golden data with the default tolerances.
    pub fn new(input: Tensor, outputs: BTreeMap<String, Tensor>) -> Self {
        Self {
            format: FORMAT,
            tolerances: BTreeMap::from([
                (DEFAULT_TOLERANCE.to_owned(), Tolerance::CPU),
                ("CUDAExecutionProvider".to_owned(), Tolerance::CUDA),
            ]),
            input,
            outputs,
        }
    }

    /// The tolerance for an execution provider.
    pub fn tolerance(&self, provider: &str) -> Tolerance {
        self.tolerances
            .get(provider)
            .or_else(|| self.tolerances.get(DEFAULT_TOLERANCE))
            .copied()
            .unwrap_or(Tolerance::CPU)
    }

    /// Number of golden inputs.
    pub fn batch(&self) -> usize {
        self.input.shape().first().copied().unwrap_or(0)
    }

    /// Reads golden data from JSON and checks that it fits a manifest.
    ///
    /// # Errors
    /// [`BundleError::Golden`] with what is wrong.
    pub fn from_json(json: &[u8], manifest: &Manifest) -> Result<Self, BundleError> {
        let wrong = |reason: String| BundleError::Golden { reason };
        let golden: Self =
            serde_json::from_slice(without_mark(json)).map_err(|e| wrong(e.to_string()))?;
        golden.check(manifest).map_err(wrong)?;
        Ok(golden)
    }

    pub(crate) fn to_json(&self) -> Result<Vec<u8>, BundleError> {
        let mut json =
            serde_json::to_vec(self).map_err(|e| BundleError::Golden { reason: e.to_string() })?;
        json.push(b'\n');
        Ok(json)
    }

    pub(crate) fn check(&self, manifest: &Manifest) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "its format is {}, and this program supports format {FORMAT}",
                self.format
            ));
        }
        let batch = self.batch();
        if batch == 0 {
            return Err("it has no inputs".to_owned());
        }
        let sized = |name: &str, tensor: &Tensor, inner: &[usize]| {
            let shape: Vec<usize> = std::iter::once(batch).chain(inner.iter().copied()).collect();
            if tensor.shape() != shape {
                return Err(format!(
                    "\"{name}\" has shape {:?}, and the manifest requires {shape:?}",
                    tensor.shape()
                ));
            }
            Ok(())
        };
        sized(onnx::INPUT, &self.input, &manifest.input.shape())?;
        for (name, width) in manifest.outputs() {
            let tensor = self
                .outputs
                .get(&name)
                .ok_or_else(|| format!("the output \"{name}\" is missing"))?;
            sized(&name, tensor, &[width])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_is_relative_to_the_largest_value_of_the_tensor() {
        let tolerance = Tolerance { rtol: 1e-2, atol: 0.0 };
        assert_eq!(tolerance.check(&[100.0, 0.0], &[100.0, 0.9]), Ok(()));
        assert!(tolerance.check(&[100.0, 0.0], &[100.0, 1.1]).is_err());
    }

    #[test]
    fn nan_never_agrees() {
        assert!(Tolerance::CPU.check(&[0.0], &[f32::NAN]).is_err());
    }

    #[test]
    fn a_missing_value_is_a_mismatch_of_size() {
        assert_eq!(
            Tolerance::CPU.check(&[0.0, 1.0], &[0.0]),
            Err(Mismatch::Size { expected: 2, found: 1 })
        );
    }
}
