//! `golden.json`: a few inputs with the outputs that they must give, on any engine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{BundleError, Manifest, onnx};

/// The golden format this crate reads and writes.
const FORMAT: u32 = 1;

/// Tolerance that is used where none is named for a provider.
pub const DEFAULT_TOLERANCE: &str = "default";

/// Inputs and outputs of a model, and how far another engine may be from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// Version of this format.
    pub format: u32,
    /// Tolerances by the name of the execution provider; `default` for the others.
    pub tolerances: BTreeMap<String, Tolerance>,
    /// The prepared inputs, `[batch, …]`.
    pub input: Tensor,
    /// Every output of the model, by name, `[batch, …]`.
    pub outputs: BTreeMap<String, Tensor>,
}

/// A dense array of 32-bit floats in row-major order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tensor {
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Vec<f32>,
}

/// How far an output tensor may lie from the golden one: for each element
/// `|a − b| ≤ rtol · max|b| + atol`, with b the golden tensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// Share of the golden tensor's largest magnitude.
    pub rtol: f32,
    /// Absolute part.
    pub atol: f32,
}

/// Two tensors that should agree and do not.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// They have different sizes.
    #[error("{expected} values were expected and {found} came")]
    Size {
        /// Elements of the golden tensor.
        expected: usize,
        /// Elements of the other.
        found: usize,
    },
    /// One element is too far off.
    #[error("element {index} is {found}, expected {expected} (within {allowed:e})")]
    Value {
        /// Position in row-major order.
        index: usize,
        /// The golden value.
        expected: f32,
        /// The other value.
        found: f32,
        /// The distance that is allowed.
        allowed: f32,
    },
}

impl Tolerance {
    /// The tolerance between two CPU engines.
    pub const CPU: Self = Self { rtol: 1e-4, atol: 1e-5 };
    /// The tolerance for CUDA with TF32 off: other orders of summation.
    pub const CUDA: Self = Self { rtol: 1e-3, atol: 1e-4 };

    /// Compares a tensor with the golden one, element by element.
    ///
    /// # Errors
    /// The first element that is too far off; a value that is not a number is always.
    pub fn check(&self, expected: &[f32], found: &[f32]) -> Result<(), Mismatch> {
        if expected.len() != found.len() {
            return Err(Mismatch::Size { expected: expected.len(), found: found.len() });
        }
        let largest = expected.iter().fold(0.0_f32, |max, b| max.max(b.abs()));
        let allowed = self.rtol * largest + self.atol;
        let pairs = expected.iter().zip(found).enumerate();
        for (index, (&expected, &found)) in pairs {
            let close = (expected - found).abs() <= allowed;
            if !close {
                return Err(Mismatch::Value { index, expected, found, allowed });
            }
        }
        Ok(())
    }
}

impl Golden {
    /// Golden data with the usual tolerances.
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
        self.input.shape.first().copied().unwrap_or(0)
    }

    /// Reads golden data from JSON and checks that it fits a manifest.
    ///
    /// # Errors
    /// [`BundleError::Golden`] with what is wrong, in words.
    pub fn from_json(json: &[u8], manifest: &Manifest) -> Result<Self, BundleError> {
        let wrong = |reason: String| BundleError::Golden { reason };
        let golden: Self = serde_json::from_slice(json).map_err(|e| wrong(e.to_string()))?;
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
                "it has format {}, and this program reads format {FORMAT}",
                self.format
            ));
        }
        let batch = self.batch();
        if batch == 0 {
            return Err("it has no inputs".to_owned());
        }
        let sized = |name: &str, tensor: &Tensor, inner: &[usize]| {
            let shape: Vec<usize> = std::iter::once(batch).chain(inner.iter().copied()).collect();
            if tensor.shape != shape || tensor.data.len() != shape.iter().product::<usize>() {
                return Err(format!(
                    "\"{name}\" has shape {:?} and {} values, and the manifest asks for shape {shape:?}",
                    tensor.shape,
                    tensor.data.len()
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
    fn a_value_that_is_not_a_number_never_agrees() {
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
