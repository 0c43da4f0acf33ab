//! Reading Burn's tensors.

use burn::tensor::Tensor;
use ndarray::Array2;

/// A tensor that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read a tensor: {reason}")]
pub struct TensorError {
    /// Burn's error.
    pub reason: String,
}

/// Returns the values of a tensor in row-major order.
///
/// # Errors
/// [`TensorError`] if Burn cannot read them.
pub fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, TensorError> {
    tensor.into_data().try_to_vec().map_err(|e| TensorError { reason: e.to_string() })
}

/// Returns the values of a tensor `[rows, …]` as a matrix, in which the other axes are one.
///
/// # Errors
/// As [`read`].
pub fn read_matrix<const D: usize>(tensor: Tensor<D>) -> Result<Array2<f32>, TensorError> {
    let rows = tensor.dims()[0];
    let values = read(tensor)?;
    let columns = values.len() / rows.max(1);
    Array2::from_shape_vec((rows, columns), values)
        .map_err(|e| TensorError { reason: e.to_string() })
}
