//! The wire format of protobuf, read without a schema before a message is decoded: how much memory
//! the message can become.
//!
//! An empty message in a list takes two bytes on the wire and hundreds in memory. A decoder that
//! limits only the bytes that it receives needs a hundred times as many.

/// Deepest nesting that is counted; decoders reject messages beyond it.
const MAX_DEPTH: usize = 100;
/// A list has room for four elements, and may have twice the room that it needs beside its former
/// self as it grows.
const GROWTH: u64 = 4;
/// Memory of the largest number, which may be one byte on the wire.
const BYTES_OF_A_NUMBER: u64 = 8;

/// The fields of a message and of all messages in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields {
    /// Fields with a length: text, bytes, packed numbers, messages.
    pub with_length: u64,
    /// Bytes that are numbers, or may be packed numbers.
    pub number_bytes: u64,
    /// Bytes of opaque fields.
    pub opaque_bytes: u64,
}

/// Counts the fields of a message. Whatever can be a message counts as one: the wire does not say
/// what is text. `is_opaque` names the fields that are known to be bytes or text, and need not be
/// looked into, by the numbers of the fields on the way to them.
///
/// Takes time in proportion to the bytes, for each level of nesting. Returns `None` if the bytes are
/// not a message: decoding them fails.
pub fn count_fields(message: &[u8], is_opaque: impl Fn(&[u32]) -> bool) -> Option<Fields> {
    count(message, &is_opaque, &mut Vec::new())
}

impl Fields {
    /// Upper bound, in bytes, of the memory of the decoded message, if a message or text in a list
    /// needs at most `bytes_of_an_element` (at least 32), apart from what it holds itself.
    pub fn memory(&self, bytes_of_an_element: u64) -> u64 {
        let elements = self.with_length.saturating_mul(bytes_of_an_element.max(32));
        let numbers = self.number_bytes.saturating_mul(BYTES_OF_A_NUMBER);
        elements.saturating_add(numbers).saturating_mul(GROWTH).saturating_add(self.opaque_bytes)
    }

    fn add(&mut self, other: Self) {
        self.with_length += other.with_length;
        self.number_bytes += other.number_bytes;
        self.opaque_bytes += other.opaque_bytes;
    }
}

fn count(
    message: &[u8],
    is_opaque: &impl Fn(&[u32]) -> bool,
    path: &mut Vec<u32>,
) -> Option<Fields> {
    let mut rest = message;
    let mut fields = Fields::default();
    let depth = path.len();
    // Groups, which are obsolete, are opened and closed by fields of their own.
    let mut groups = Vec::new();
    while !rest.is_empty() {
        let before = rest.len();
        let tag = u32::try_from(varint(&mut rest)?).ok()?;
        let (number, kind) = (tag >> 3, tag & 7);
        if number == 0 {
            return None;
        }
        match kind {
            0 => {
                varint(&mut rest)?;
                fields.number_bytes += (before - rest.len()) as u64;
            }
            1 | 5 => {
                rest = rest.get(if kind == 1 { 8 } else { 4 }..)?;
                fields.number_bytes += (before - rest.len()) as u64;
            }
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                let (content, after) = rest.split_at_checked(length)?;
                rest = after;
                path.push(number);
                fields.with_length += 1;
                fields.add(count_content(content, is_opaque, path));
                path.truncate(depth);
            }
            3 if depth + groups.len() < MAX_DEPTH => groups.push(number),
            4 if groups.pop() == Some(number) => {}
            _ => return None,
        }
    }
    groups.is_empty().then_some(fields)
}

/// Counts what is in a field with a length.
fn count_content(
    content: &[u8],
    is_opaque: &impl Fn(&[u32]) -> bool,
    path: &mut Vec<u32>,
) -> Fields {
    let bytes = content.len() as u64;
    if is_opaque(path) {
        return Fields { opaque_bytes: bytes, ..Fields::default() };
    }
    let inner = if path.len() < MAX_DEPTH { count(content, is_opaque, path) } else { None };
    // Packed numbers that look like a message need no more than that message.
    inner.unwrap_or(Fields { number_bytes: bytes, ..Fields::default() })
}

/// Takes an integer of one to ten bytes off the front.
fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let low = u64::from(byte & 0x7f);
        if shift == 63 && byte > 1 {
            return None;
        }
        value |= low << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
