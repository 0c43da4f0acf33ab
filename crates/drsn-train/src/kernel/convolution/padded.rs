//! Padded inputs and gradients of convolutions.

use crate::kernel::lanes::{LANES, Lanes};

/// `[channels, height, width, batch]`, padded with zeros and cut into tiles of one vector of the
/// batch, the last one padded with zeros: `[tiles, channels, height, width]` vectors. The operands
/// of a sum are therefore close together in memory.
#[derive(Debug)]
pub(crate) struct Padded {
    pub(super) values: Vec<Lanes>,
    pub(super) size: [usize; 2],
    channels: usize,
    pub(super) tiles: usize,
}

impl Padded {
    /// After the last pixel come `spare` vectors more.
    pub(super) fn new(
        values: &[f32],
        input: [usize; 2],
        batch: usize,
        before: [usize; 2],
        size: [usize; 2],
        spare: usize,
    ) -> Self {
        let tiles = batch.div_ceil(LANES);
        let channels = values.len() / (input[0] * input[1] * batch).max(1);
        let vectors = tiles * channels * size[0] * size[1] + spare;
        let mut padded = Self { values: vec![[0.0; LANES]; vectors], size, channels, tiles };
        for tile in 0..tiles {
            let lanes = tile * LANES..batch.min((tile + 1) * LANES);
            for (index, row) in values.chunks_exact(input[1] * batch).enumerate() {
                let (channel, y) = (index / input[0], index % input[0]);
                let at = padded.place(tile, channel, before[0] + y, before[1]);
                for (to, from) in padded.values[at..].iter_mut().zip(row.chunks_exact(batch)) {
                    let from = &from[lanes.clone()];
                    match from.first_chunk() {
                        Some(from) => *to = *from,
                        None => to[..from.len()].copy_from_slice(from),
                    }
                }
            }
        }
        padded
    }

    /// Position of a vector.
    pub(super) fn place(&self, tile: usize, channel: usize, y: usize, x: usize) -> usize {
        let [height, width] = self.size;
        ((tile * self.channels + channel) * height + y) * width + x
    }

    /// Number of vectors in one channel of a tile.
    pub(super) fn channel(&self) -> usize {
        self.size[0] * self.size[1]
    }
}
