//! Shifting of images, so that a network does not learn where exactly in the picture a digit stands.

/// Moves `[channels, height, width]` values `[down, right]`; what leaves the picture is lost, and zeros follow.
pub(super) fn shift<T: Copy + Default>(values: &mut [T], shape: [usize; 3], by: [isize; 2]) {
    let [_, height, width] = shape;
    for plane in values.chunks_exact_mut(height * width) {
        let original = plane.to_vec();
        for (row, pixels) in plane.chunks_exact_mut(width).enumerate() {
            for (column, pixel) in pixels.iter_mut().enumerate() {
                let source_row = row.checked_add_signed(-by[0]).filter(|&r| r < height);
                let source_column = column.checked_add_signed(-by[1]).filter(|&c| c < width);
                *pixel = match (source_row, source_column) {
                    (Some(r), Some(c)) => original[r * width + c],
                    _ => T::default(),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_move_and_zeros_follow() {
        let mut image = [1, 2, 3, 4];
        shift(&mut image, [1, 2, 2], [1, 0]);
        assert_eq!(image, [0, 0, 1, 2]);
        shift(&mut image, [1, 2, 2], [0, -1]);
        assert_eq!(image, [0, 0, 2, 0]);
    }

    #[test]
    fn channels_do_not_mix() {
        let mut image = [1, 2, 3, 4];
        shift(&mut image, [2, 1, 2], [0, 1]);
        assert_eq!(image, [0, 1, 0, 3]);
    }
}
