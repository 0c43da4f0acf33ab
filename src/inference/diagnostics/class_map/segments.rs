//! Where in a signal the class changes: of networks that were trained to classify each position.

use serde::Serialize;
use utoipa::ToSchema;

/// A part of a signal whose positions, each classified alone, have the same class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Segment)]
pub(crate) struct Segment<'a> {
    /// First sample, at the model's sample rate.
    pub(crate) start: usize,
    /// One past the last sample.
    pub(crate) end: usize,
    /// Label of the class.
    pub(crate) label: &'a str,
    /// Position of the class in the model's list of classes.
    pub(crate) class_index: usize,
}

/// The segments of a signal of `samples` samples, from the logits of each class at each position;
/// a position without logits is in none.
pub(super) fn segments<L: Iterator<Item = f32>>(
    positions: impl Iterator<Item = Option<L>>,
    step: f64,
    samples: usize,
    labels: &[String],
) -> Vec<Segment<'_>> {
    let boundary = |position: usize| ((position as f64 * step).round() as usize).min(samples);
    let mut segments: Vec<Segment<'_>> = Vec::new();
    let mut last = None;
    for (position, logits) in positions.enumerate() {
        let best = logits.and_then(|logits| {
            logits.zip(labels).enumerate().max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b))
        });
        let class = best.map(|(class, _)| class);
        let end = boundary(position + 1);
        match (best, segments.last_mut()) {
            (Some(_), Some(segment)) if class == last => segment.end = end,
            (Some((class_index, (_, label))), _) => {
                segments.push(Segment { start: boundary(position), end, label, class_index });
            }
            (None, _) => {}
        }
        last = class;
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_one_segment_and_gaps_are_in_none() {
        let labels = ["a", "b"].map(str::to_owned);
        let [a, b] = [Some([1.0, 0.0]), Some([0.0, 1.0])];
        let positions = [a, a, b, None, b, b, a].map(|logits| logits.map(IntoIterator::into_iter));
        let found = segments(positions.into_iter(), 2.5, 17, &labels);
        let found: Vec<_> =
            found.iter().map(|s| (s.start, s.end, s.label, s.class_index)).collect();
        let expected = [(0, 5, "a", 0), (5, 8, "b", 1), (10, 15, "b", 1), (15, 17, "a", 0)];
        assert_eq!(found, expected);
        assert_eq!(
            segments([a.map(IntoIterator::into_iter)].into_iter(), 8.0, 8, &labels).len(),
            1
        );
    }
}
