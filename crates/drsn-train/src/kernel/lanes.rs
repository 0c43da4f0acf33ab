//! Vectors of eight 32-bit floats, as plain arrays.
//!
//! Code over them compiles to the processor's vector instructions inside a function that is declared with
//! [`drsn_bundle::vectorized`], which picks the widest set that the processor has.

/// Floats in a vector.
pub(super) const LANES: usize = 8;

/// Eight floats.
pub(super) type Lanes = [f32; LANES];

/// The vector at `at`; zeros where there is none.
#[inline(always)]
pub(super) fn load(values: &[f32], at: usize) -> Lanes {
    match values.get(at..at + LANES) {
        Some(lanes) => std::array::from_fn(|i| lanes[i]),
        None => [0.0; LANES],
    }
}

/// The vector at `at`, which there is: as fast as it can be read.
#[inline(always)]
pub(super) fn whole(values: &[f32], at: usize) -> &Lanes {
    const NONE: &Lanes = &[0.0; LANES];
    values[at..].first_chunk().unwrap_or(NONE)
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
