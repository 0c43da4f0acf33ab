//! A buffer of received bytes, of which each is reserved before it is kept.

use super::Reservation;
use crate::error::ApiError;

/// The least capacity that is reserved and allocated at a time.
const LEAST: usize = 512;
/// A buffer of more bytes grows by a quarter, so that hardly more is reserved than was received; a
/// smaller one doubles.
const LARGE: usize = 1 << 20;

/// Bytes received so far, in memory of the buffer's own.
///
/// The pieces that a network library hands out are views of larger buffers: a piece of one byte can
/// keep many kilobytes alive. Copied here, what is held is what is reserved, spare capacity
/// included.
#[derive(Debug, Default)]
pub(crate) struct ReservedBuffer {
    bytes: Vec<u8>,
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
        let needed = self.bytes.len() + piece.len();
        if needed > self.bytes.capacity() {
            let expected = expected.and_then(|length| usize::try_from(length).ok());
            let capacity = self.bytes.capacity();
            let more = if capacity < LARGE { capacity } else { capacity / 4 };
            let grown = needed.max(capacity + more).max(LEAST);
            let capacity = expected.map_or(grown, |length| grown.min(length)).max(needed);
            self.grow_to(capacity, memory)?;
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// Both buffers are in memory while the bytes move.
    fn grow_to(&mut self, capacity: usize, memory: &mut Reservation) -> Result<(), ApiError> {
        memory.grow(capacity as u64)?;
        let before = self.bytes.capacity();
        self.bytes.reserve_exact(capacity - self.bytes.len());
        memory.shrink_to(memory.bytes().saturating_sub(before as u64));
        Ok(())
    }

    /// The bytes, without spare capacity; they stay reserved.
    pub(crate) fn finish(self, memory: &mut Reservation) -> Vec<u8> {
        let mut bytes = self.bytes;
        let spare = bytes.capacity() - bytes.len();
        // A little spare capacity costs less than moving the bytes.
        if spare > bytes.len() / 4 {
            bytes.shrink_to_fit();
            memory.shrink_to(memory.bytes().saturating_sub(spare as u64));
        }
        bytes
    }

    /// Number of bytes received.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What was received.
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }
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
                prop_assert_eq!(memory.bytes(), buffer.bytes.capacity() as u64);
            }
            let bytes = buffer.finish(&mut memory);
            prop_assert_eq!(memory.bytes(), bytes.capacity() as u64);
            prop_assert_eq!(bytes, pieces.concat());
        }
    }

    /// Regression: half of what large bodies had reserved was spare capacity, and others were
    /// refused for it.
    #[test]
    fn no_more_than_a_quarter_is_spare_in_a_large_buffer() {
        let mut memory = ByteBudget::new(1 << 30).open();
        let mut buffer = ReservedBuffer::default();
        while buffer.len() < 24 << 20 {
            buffer.push(&[7; 9000], Some(48 << 20), &mut memory).unwrap();
            let received = buffer.len() as u64;
            assert!(received < 2 << 20 || memory.bytes() <= received + received / 4, "{received}");
        }
    }

    #[test]
    fn a_promise_reserves_nothing() {
        let mut memory = ByteBudget::new(1 << 30).open();
        ReservedBuffer::default().push(b"x", Some(1 << 29), &mut memory).unwrap();
        assert_eq!(memory.bytes(), LEAST as u64);
    }
}
