//! Matrices in JSON, as a list of rows.

use ndarray::Array2;
use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// Writes the rows of a matrix.
pub(super) fn serialize<S: Serializer>(
    matrix: &Array2<usize>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(matrix.rows().into_iter().map(|row| row.to_vec()))
}

/// Reads the rows of a matrix.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Array2<usize>, D::Error> {
    let rows = Vec::<Vec<usize>>::deserialize(deserializer)?;
    let shape = (rows.len(), rows.first().map_or(0, Vec::len));
    Array2::from_shape_vec(shape, rows.concat()).map_err(D::Error::custom)
}
