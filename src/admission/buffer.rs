//! A buffer of received bytes, of which each is reserved before it is kept.

use tokio::task::yield_now;

use super::Reservation;
use crate::error::ApiError;

/// The capacity that is reserved and allocated at a time: as much as there is already, within these
/// bounds.
const LEAST: usize = 512;
const MOST: usize = 256 << 10;

/// Bytes received so far, in memory of the buffer's own.
///
/// The pieces that a network library hands out are views of larger buffers: a piece of one byte can
/// keep many kilobytes alive. Copied here, what is held is what is reserved, spare capacity
/// included. A buffer that grows does not move: large ones are moved once, when they are whole.
#[derive(Debug, Default)]
pub(crate) struct ReservedBuffer {
    /// Segments without spare capacity.
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    length: usize,
}

impl ReservedBuffer {
    /// Adds a piece. `expected` is the final length, as far as the sender has told it: nothing is
    /// reserved for what was only promised, but no more is allocated than it.
    ///
    /// # Errors
    /// Those of [`Reservation::grow`].
    pub(crate) fn push(
        &mut self,
        piece: &[u8],
        expected: Option<u64>,
        memory: &mut Reservation,
    ) -> Result<(), ApiError> {
        let room = self.last.capacity() - self.last.len();
        let (fitting, rest) = piece.split_at(room.min(piece.len()));
        if rest.is_empty() {
            self.last.extend_from_slice(fitting);
        } else {
            let expected = expected.and_then(|length| usize::try_from(length).ok());
            let missing = expected.map(|length| length.saturating_sub(self.length + fitting.len()));
            let capacity = self.length.clamp(LEAST, MOST).min(missing.unwrap_or(usize::MAX));
            let capacity = capacity.max(rest.len());
            memory.grow(capacity as u64)?;
            let mut next = Vec::with_capacity(capacity);
            next.extend_from_slice(rest);
            self.last.extend_from_slice(fitting);
            let last = std::mem::replace(&mut self.last, next);
            if !last.is_empty() {
                self.full.push(last);
            }
        }
        self.length += piece.len();
        Ok(())
    }

    /// The bytes in one piece, without spare capacity; they stay reserved.
    ///
    /// # Errors
    /// Those of [`Reservation::grow`]: each segment is in memory twice while it moves.
    pub(crate) fn finish(mut self, memory: &mut Reservation) -> Result<Vec<u8>, ApiError> {
        let mut whole = self.begin_whole();
        for segment in self.segments() {
            append(&mut whole, segment, memory)?;
        }
        Ok(trimmed(whole, memory))
    }

    /// The same in steps, between which the thread serves other connections.
    ///
    /// # Errors
    /// Those of [`Self::finish`].
    pub(crate) async fn finish_in_steps(
        mut self,
        memory: &mut Reservation,
    ) -> Result<Vec<u8>, ApiError> {
        let mut whole = self.begin_whole();
        for segment in self.segments() {
            append(&mut whole, segment, memory)?;
            yield_now().await;
        }
        Ok(trimmed(whole, memory))
    }

    /// A buffer for all bytes, with those of the only segment if there is but one. It takes no memory
    /// before it is written to.
    fn begin_whole(&mut self) -> Vec<u8> {
        if self.full.is_empty() {
            std::mem::take(&mut self.last)
        } else {
            Vec::with_capacity(self.length)
        }
    }

    /// Takes all segments.
    fn segments(self) -> impl Iterator<Item = Vec<u8>> {
        self.full.into_iter().chain([self.last]).filter(|segment| !segment.is_empty())
    }

    /// Number of bytes received.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The first bytes: [`LEAST`] of them if there are as many, and no more than was promised.
    pub(crate) fn start(&self) -> &[u8] {
        self.full.first().unwrap_or(&self.last)
    }
}

/// Moves a segment to the end of a buffer that has room for it.
fn append(whole: &mut Vec<u8>, segment: Vec<u8>, memory: &mut Reservation) -> Result<(), ApiError> {
    memory.grow(segment.len() as u64)?;
    whole.extend_from_slice(&segment);
    let freed = segment.capacity() as u64;
    drop(segment);
    memory.shrink_to(memory.bytes().saturating_sub(freed));
    Ok(())
}

/// Gives back spare capacity, unless moving the bytes costs more than it is worth.
fn trimmed(mut bytes: Vec<u8>, memory: &mut Reservation) -> Vec<u8> {
    let spare = bytes.capacity() - bytes.len();
    if spare > bytes.len() / 4 {
        bytes.shrink_to_fit();
        memory.shrink_to(memory.bytes().saturating_sub(spare as u64));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::admission::ByteBudget;

    proptest! {
        /// However the bytes are split, they stay in order, and their capacity is reserved.
        #[test]
        fn what_is_reserved_is_what_is_held(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..60),
            promised in prop::option::of(0_u64..100_000),
        ) {
            let mut memory = ByteBudget::new(1 << 30).open();
            let mut buffer = ReservedBuffer::default();
            for piece in &pieces {
                buffer.push(piece, promised, &mut memory).unwrap();
                let capacity = buffer.full.iter().map(Vec::capacity).sum::<usize>();
                prop_assert_eq!(memory.bytes(), (capacity + buffer.last.capacity()) as u64);
            }
            let whole = pieces.concat();
            prop_assert_eq!(buffer.len(), whole.len());
            if promised.is_none_or(|length| length >= whole.len() as u64) {
                let start = whole.len().min(LEAST);
                prop_assert_eq!(&buffer.start()[..start], &whole[..start]);
            }
            let bytes = buffer.finish(&mut memory).unwrap();
            prop_assert_eq!(memory.bytes(), bytes.capacity() as u64);
            prop_assert_eq!(bytes, whole);
        }
    }

    /// Regression: half of what large bodies had reserved was spare capacity, and others were
    /// refused for it.
    #[test]
    fn little_is_spare_in_a_large_buffer_and_it_moves_segment_by_segment() {
        let mut memory = ByteBudget::new(1 << 30).open();
        let mut buffer = ReservedBuffer::default();
        while buffer.len() < 24 << 20 {
            buffer.push(&[7; 9000], Some(48 << 20), &mut memory).unwrap();
            let received = buffer.len() as u64;
            assert!(memory.bytes() <= received + MOST as u64, "{received}");
        }
    }

    #[tokio::test]
    async fn a_buffer_is_the_same_if_it_is_finished_in_steps() {
        let mut memory = ByteBudget::new(1 << 30).open();
        let mut buffer = ReservedBuffer::default();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        bytes.chunks(777).for_each(|piece| buffer.push(piece, None, &mut memory).unwrap());
        assert_eq!(buffer.finish_in_steps(&mut memory).await.unwrap(), bytes);
        assert_eq!(memory.bytes(), bytes.len() as u64);
    }

    #[test]
    fn a_promise_reserves_nothing() {
        let mut memory = ByteBudget::new(1 << 30).open();
        ReservedBuffer::default().push(b"x", Some(1 << 29), &mut memory).unwrap();
        assert_eq!(memory.bytes(), LEAST as u64);
    }
}
