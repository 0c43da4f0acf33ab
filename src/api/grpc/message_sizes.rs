//! The size of each message of a call on the wire, where gRPC puts a byte and a length of 32 bits
//! before each message.

use std::collections::VecDeque;

/// Size of the prefix of a message, in bytes.
const PREFIX: usize = 5;

/// Sizes of the messages of a call, in the order of their arrival.
#[derive(Debug, Default)]
pub(super) struct MessageSizes {
    /// The beginning of an incomplete prefix.
    prefix: Vec<u8>,
    /// Bytes missing from the last message.
    missing: u64,
    /// Size of each message that has begun, with its prefix.
    sizes: VecDeque<u64>,
}

impl MessageSizes {
    /// Processes the next received bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.missing > 0 {
                let length =
                    usize::try_from(self.missing).map_or(bytes.len(), |l| l.min(bytes.len()));
                bytes = &bytes[length..];
                self.missing -= length as u64;
                continue;
            }
            let (head, rest) = bytes.split_at((PREFIX - self.prefix.len()).min(bytes.len()));
            self.prefix.extend_from_slice(head);
            bytes = rest;
            if let [_, length @ ..] = &self.prefix[..]
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.missing = u64::from(u32::from_be_bytes(length));
                self.sizes.push_back(self.missing + PREFIX as u64);
                self.prefix.clear();
            }
        }
    }

    /// Removes the oldest message and returns its size; 0 if there is none.
    pub(super) fn pop(&mut self) -> u64 {
        self.sizes.pop_front().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_belongs_to_one_message_however_they_are_split(
            lengths in prop::collection::vec(0_usize..40, 0..20), step in 1_usize..60
        ) {
            let mut bytes = Vec::new();
            for &length in &lengths {
                bytes.push(0);
                bytes.extend((length as u32).to_be_bytes());
                bytes.extend(vec![7; length]);
            }
            let mut messages = MessageSizes::default();
            bytes.chunks(step).for_each(|piece| messages.push(piece));
            let taken: Vec<u64> = lengths.iter().map(|_| messages.pop()).collect();
            let expected: Vec<u64> = lengths.iter().map(|&length| length as u64 + 5).collect();
            prop_assert_eq!(taken, expected);
            prop_assert_eq!(messages.pop(), 0);
        }
    }
}
