//! Random numbers that are the same every time: probes must be reproducible.

use ndarray::{ArrayD, IxDyn};

/// A generator of random numbers (`SplitMix64`: Steele, Lea, Flood, "Fast splittable pseudorandom
/// number generators", 2014).
#[derive(Debug)]
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number of the open interval from 0 to 1.
    pub(crate) fn uniform(&mut self) -> f32 {
        ((self.bits() >> 41) as f32 + 0.5) / (1_u64 << 23) as f32
    }

    /// A number with mean 0 and standard deviation 1.
    pub(crate) fn normal(&mut self) -> f32 {
        let (radius, angle) = ((-2.0 * self.uniform().ln()).sqrt(), self.uniform());
        radius * (std::f32::consts::TAU * angle).cos()
    }

    /// An array of normal numbers with this standard deviation.
    pub(crate) fn array(&mut self, shape: &[usize], deviation: f32) -> ArrayD<f32> {
        ArrayD::from_shape_simple_fn(IxDyn(shape), || deviation * self.normal())
    }
}
