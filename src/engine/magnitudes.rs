//! How far the mean magnitudes of a model's blocks lie from those of training.

use drsn_bundle::Manifest;
use ndarray::ArrayView1;

/// The usual mean magnitudes: of each channel the mean of training, and the reciprocal of its
/// standard deviation and of the number of its block's channels.
#[derive(Debug)]
pub(crate) struct UsualMagnitudes(Vec<(f32, f32)>);

impl UsualMagnitudes {
    /// Those of a model; `None` if it has no baseline of the shift.
    pub(super) fn of(manifest: &Manifest) -> Option<Self> {
        let distance = manifest.baseline.as_ref()?.shift.as_ref()?.distance.as_ref()?;
        let channels = manifest.blocks.iter().map(|block| block.channels);
        let channels = channels.flat_map(|channels| std::iter::repeat_n(channels, channels));
        let usual = distance.mean.iter().zip(distance.deviations()).zip(channels);
        let usual = usual.map(|((&mean, deviation), channels)| {
            (mean, (1.0 / (deviation * channels as f64)) as f32)
        });
        Some(Self(usual.collect()))
    }

    /// The mean z-score of each block's channels, from the mean magnitudes of the blocks in order.
    pub(crate) fn mean_z<'a>(
        &self,
        blocks: impl Iterator<Item = ArrayView1<'a, f32>>,
    ) -> impl Iterator<Item = f64> {
        let mut rest = &self.0[..];
        blocks.map(move |block| {
            let (usual, after) = rest.split_at(block.len().min(rest.len()));
            rest = after;
            let z =
                |(&magnitude, &(mean, weight)): (&f32, &(f32, f32))| (magnitude - mean) * weight;
            f64::from(block.iter().zip(usual).map(z).sum::<f32>())
        })
    }
}
