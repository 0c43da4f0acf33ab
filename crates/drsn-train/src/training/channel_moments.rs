//! Mean and variance of each channel of a layer.

/// Mean and population variance of each channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ChannelMoments {
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
}

/// Pools the moments of the parts of a batch, layer by layer; each part has its share of the batch.
pub(super) fn pooled(parts: &[(f64, Vec<ChannelMoments>)]) -> Vec<ChannelMoments> {
    let layers = parts.first().map_or(0, |(_, layers)| layers.len());
    let pool = |layer: usize| {
        let channels = parts.first().map_or(0, |(_, layers)| layers[layer].mean.len());
        let sum = |of: &dyn Fn(&ChannelMoments) -> f64| -> f64 {
            parts.iter().map(|(share, layers)| share * of(&layers[layer])).sum()
        };
        let moments = (0..channels).map(|c| {
            let mean = sum(&|moments| f64::from(moments.mean[c]));
            let spread = |moments: &ChannelMoments| {
                f64::from(moments.variance[c]) + (f64::from(moments.mean[c]) - mean).powi(2)
            };
            (mean as f32, sum(&spread) as f32)
        });
        let (mean, variance) = moments.unzip();
        ChannelMoments { mean, variance }
    };
    (0..layers).map(pool).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_parts_are_those_of_the_whole() {
        // 1, 3 and 5, 7, 9: together 1, 3, 5, 7, 9 with mean 5 and variance 8.
        let part =
            |mean, variance| vec![ChannelMoments { mean: vec![mean], variance: vec![variance] }];
        let whole = pooled(&[(0.4, part(2.0, 1.0)), (0.6, part(7.0, 8.0 / 3.0))]);
        assert!((whole[0].mean[0] - 5.0).abs() < 1e-6);
        assert!((whole[0].variance[0] - 8.0).abs() < 1e-5);
    }
}
