//! Vectors of eight 32-bit floats, as plain arrays.
//!
//! Code over them compiles to the processor's vector instructions where it runs inside [`vectorized`], which picks
//! the widest set that the processor has.

/// Floats in a vector.
pub(super) const LANES: usize = 8;

/// Eight floats.
pub(super) type Lanes = [f32; LANES];

/// Runs a computation compiled for the processor's vector instructions. What it calls must be inlined into it.
pub(super) fn vectorized<T>(computation: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(computation)
}

/// The vector at `at`; zeros where there is none.
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

/// `size`, rounded up to whole vectors.
pub(super) const fn whole_vectors(size: usize) -> usize {
    size.div_ceil(LANES) * LANES
}
