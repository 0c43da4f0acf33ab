//! Random changes to training inputs that do not change their class: position and orientation of an
//! image, level of a signal.

use std::ops::Range;

use ndarray::{ArrayViewMut3, ArrayViewMutD, s};
use rand::{Rng, RngExt as _};

use crate::recipe::Augmentation;

/// Shifts and mirrors an image, `[channels, height, width]`; `outside` is the value of each channel
/// beyond the edges.
pub(crate) fn image(
    how: &Augmentation,
    mut values: ArrayViewMut3<'_, f32>,
    outside: &[f32],
    rng: &mut impl Rng,
) {
    if how.crop > 0 {
        let reach = how.crop as i64;
        let by = [0, 1].map(|_| rng.random_range(-reach..=reach) as isize);
        shift(values.view_mut(), by, outside);
    }
    if how.flip && rng.random::<bool>() {
        for mut row in values.rows_mut() {
            let width = row.len();
            (0..width / 2).for_each(|x| row.swap(x, width - 1 - x));
        }
    }
}

/// Changes the level of a signal.
pub(crate) fn signal(how: &Augmentation, mut values: ArrayViewMutD<'_, f32>, rng: &mut impl Rng) {
    if how.gain_db > 0.0 {
        let decibels = how.gain_db * (2.0 * rng.random::<f64>() - 1.0);
        let gain = 10_f64.powf(decibels / 20.0) as f32;
        values *= gain;
    }
}

/// Moves an image by `[down, right]` pixels and fills the freed pixels with `outside`.
fn shift(mut values: ArrayViewMut3<'_, f32>, by: [isize; 2], outside: &[f32]) {
    let (_, height, width) = values.dim();
    let [(to_rows, from_rows), (to_columns, from_columns)] =
        [overlap(by[0], height), overlap(by[1], width)];
    for (channel, mut plane) in values.outer_iter_mut().enumerate() {
        let original = plane.to_owned();
        plane.fill(outside.get(channel).copied().unwrap_or_default());
        plane
            .slice_mut(s![to_rows.clone(), to_columns.clone()])
            .assign(&original.slice(s![from_rows.clone(), from_columns.clone()]));
    }
}

/// The ranges of an axis that stay in view after a move, after and before it.
fn overlap(by: isize, size: usize) -> (Range<usize>, Range<usize>) {
    let distance = by.unsigned_abs().min(size);
    let (late, early) = (distance..size, 0..size - distance);
    if by >= 0 { (late, early) } else { (early, late) }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array3, array};

    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn pixels_move_and_what_is_outside_follows() {
        let mut image = array![[[1.0, 2.0], [3.0, 4.0]]];
        shift(image.view_mut(), [1, 0], &[0.5]);
        assert_eq!(image, array![[[0.5, 0.5], [1.0, 2.0]]]);
        shift(image.view_mut(), [0, -1], &[0.0]);
        assert_eq!(image, array![[[0.5, 0.0], [2.0, 0.0]]]);
        shift(image.view_mut(), [-3, 0], &[7.0]);
        assert_eq!(image, Array3::from_elem((1, 2, 2), 7.0));
    }

    #[test]
    fn channels_do_not_mix() {
        let mut image = array![[[1.0, 2.0]], [[3.0, 4.0]]];
        shift(image.view_mut(), [0, 1], &[7.0, 8.0]);
        assert_eq!(image, array![[[7.0, 1.0]], [[8.0, 3.0]]]);
    }

    #[test]
    fn about_half_of_all_images_are_mirrored() {
        let how = Augmentation { flip: true, ..Augmentation::default() };
        let mut rng = stream(1, Purpose::Training, 0, 0);
        let mirrored = (0..1_000).filter(|_| {
            let mut row = array![[[1.0, 2.0]]];
            image(&how, row.view_mut(), &[0.0], &mut rng);
            row[[0, 0, 0]] > 1.5
        });
        assert!((400..600).contains(&mirrored.count()));
    }

    #[test]
    fn a_gain_stays_within_its_decibels() {
        let how = Augmentation { gain_db: 6.0, ..Augmentation::default() };
        let mut rng = stream(1, Purpose::Training, 0, 0);
        for _ in 0..100 {
            let mut values = array![[1.0]];
            signal(&how, values.view_mut().into_dyn(), &mut rng);
            assert!((0.5..=2.0).contains(&values[[0, 0]]), "{values:?}");
        }
    }
}
