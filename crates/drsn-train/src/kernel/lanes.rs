//! Vectors of eight 32-bit floats, as plain arrays.
//!
//! Code on them compiles to vector instructions inside functions declared with
//! [`drsn_bundle::vectorized`], which selects the widest instruction set of the CPU.

/// Number of floats in a vector.
pub(super) const LANES: usize = 8;

/// Eight floats.
pub(super) type Lanes = [f32; LANES];

/// Reads the vector at `at`; zeros if it is out of range.
#[inline(always)]
pub(super) fn load(values: &[f32], at: usize) -> Lanes {
    match values.get(at..at + LANES) {
        Some(lanes) => std::array::from_fn(|i| lanes[i]),
        None => [0.0; LANES],
    }
}

/// `sum + a · b`, rounded once.
#[inline(always)]
pub(super) fn fused(sum: &mut Lanes, a: Lanes, b: Lanes) {
    for lane in 0..LANES {
        sum[lane] = a[lane].mul_add(b[lane], sum[lane]);
    }
}

/// `sum + factor · b`, rounded once.
#[inline(always)]
pub(super) fn fused_scalar(sum: &mut Lanes, factor: f32, b: Lanes) {
    for lane in 0..LANES {
        sum[lane] = factor.mul_add(b[lane], sum[lane]);
    }
}
