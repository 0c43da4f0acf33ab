//! How many bytes each message of a call is on its way: gRPC writes a byte and a length of 32 bits before each.

use std::collections::VecDeque;

/// Bytes before each message.
const PREFIX: usize = 5;

/// The messages of a call in the order in which they come.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The beginning of a prefix that has not come whole.
    prefix: Vec<u8>,
    /// Bytes that are still to come of the last message.
    left: u64,
    /// Bytes of each message that has come, or begun, with its prefix.
    sizes: VecDeque<u64>,
}

impl Messages {
    /// Notes the next bytes.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let length = usize::try_from(self.left).map_or(bytes.len(), |l| l.min(bytes.len()));
                bytes = &bytes[length..];
                self.left -= length as u64;
                continue;
            }
            let (head, rest) = bytes.split_at((PREFIX - self.prefix.len()).min(bytes.len()));
            self.prefix.extend_from_slice(head);
            bytes = rest;
            if let [_, length @ ..] = &self.prefix[..]
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.left = u64::from(u32::from_be_bytes(length));
                self.sizes.push_back(self.left + PREFIX as u64);
                self.prefix.clear();
            }
        }
    }

    /// Bytes of the message that came first and was not taken yet.
    pub(super) fn take(&mut self) -> u64 {
        self.sizes.pop_front().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_byte_belongs_to_one_message_however_they_come(
            lengths in prop::collection::vec(0_usize..40, 0..20), step in 1_usize..60
        ) {
            let mut bytes = Vec::new();
            for &length in &lengths {
                bytes.push(0);
                bytes.extend((length as u32).to_be_bytes());
                bytes.extend(vec![7; length]);
            }
            let mut messages = Messages::default();
            bytes.chunks(step).for_each(|piece| messages.push(piece));
            let taken: Vec<u64> = lengths.iter().map(|_| messages.take()).collect();
            let expected: Vec<u64> = lengths.iter().map(|&length| length as u64 + 5).collect();
            prop_assert_eq!(taken, expected);
            prop_assert_eq!(messages.take(), 0);
        }
    }
}
