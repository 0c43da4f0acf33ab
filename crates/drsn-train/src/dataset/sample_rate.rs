//! Comparison of sample rates.

/// Whether two sample rates are equal, apart from the rounding of rates written as text.
pub(crate) fn is_same_rate(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}
