//! What an input meets in training so that the network does not learn what means nothing: where a thing lies in a
//! picture, which way it faces, how loud a signal is.

use rand::{Rng, RngExt as _};

use crate::recipe::Augmentation;

/// Shifts and mirrors a picture, `[channels, height, width]`; `outside` is each channel's value beyond its edges.
pub fn image(
    how: &Augmentation,
    values: &mut [f32],
    shape: [usize; 3],
    outside: &[f32],
    rng: &mut impl Rng,
) {
    if how.crop > 0 {
        let reach = how.crop as i64;
        let by = [0, 1].map(|_| rng.random_range(-reach..=reach) as isize);
        shift(values, shape, by, outside);
    }
    if how.flip && rng.random::<bool>() {
        for row in values.chunks_exact_mut(shape[2]) {
            row.reverse();
        }
    }
}

/// Makes a signal louder or softer.
pub fn signal(how: &Augmentation, values: &mut [f32], rng: &mut impl Rng) {
    if how.gain_db > 0.0 {
        let decibels = how.gain_db * (2.0 * rng.random::<f64>() - 1.0);
        let gain = 10_f64.powf(decibels / 20.0) as f32;
        for value in values {
            *value *= gain;
        }
    }
}

/// Moves a picture `[down, right]`; what leaves it is lost.
fn shift(values: &mut [f32], shape: [usize; 3], by: [isize; 2], outside: &[f32]) {
    let [_, height, width] = shape;
    for (channel, plane) in values.chunks_exact_mut(height * width).enumerate() {
        let fill = outside.get(channel).copied().unwrap_or_default();
        let original = plane.to_vec();
        for (row, pixels) in plane.chunks_exact_mut(width).enumerate() {
            for (column, pixel) in pixels.iter_mut().enumerate() {
                let source_row = row.checked_add_signed(-by[0]).filter(|&r| r < height);
                let source_column = column.checked_add_signed(-by[1]).filter(|&c| c < width);
                *pixel = match (source_row, source_column) {
                    (Some(r), Some(c)) => original[r * width + c],
                    _ => fill,
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn pixels_move_and_what_is_outside_follows() {
        let mut image = [1.0, 2.0, 3.0, 4.0];
        shift(&mut image, [1, 2, 2], [1, 0], &[0.5]);
        assert_eq!(image, [0.5, 0.5, 1.0, 2.0]);
        shift(&mut image, [1, 2, 2], [0, -1], &[0.0]);
        assert_eq!(image, [0.5, 0.0, 2.0, 0.0]);
    }

    #[test]
    fn channels_do_not_mix() {
        let mut image = [1.0, 2.0, 3.0, 4.0];
        shift(&mut image, [2, 1, 2], [0, 1], &[7.0, 8.0]);
        assert_eq!(image, [7.0, 1.0, 8.0, 3.0]);
    }

    #[test]
    fn about_half_of_all_pictures_are_mirrored() {
        let how = Augmentation { flip: true, ..Augmentation::default() };
        let mut rng = stream(1, Purpose::Training, 0, 0);
        let mirrored = (0..1_000).filter(|_| {
            let mut row = [1.0, 2.0];
            image(&how, &mut row, [1, 1, 2], &[0.0], &mut rng);
            row[0] > 1.5
        });
        assert!((400..600).contains(&mirrored.count()));
    }

    #[test]
    fn a_gain_stays_within_its_decibels() {
        let how = Augmentation { gain_db: 6.0, ..Augmentation::default() };
        let mut rng = stream(1, Purpose::Training, 0, 0);
        for _ in 0..100 {
            let mut values = [1.0];
            signal(&how, &mut values, &mut rng);
            assert!((0.5..=2.0).contains(&values[0]), "{values:?}");
        }
    }
}
