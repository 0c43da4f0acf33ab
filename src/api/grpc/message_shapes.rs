//! How much memory a protobuf message takes once it is decoded, found from its bytes before.
//!
//! Two bytes on the wire can become a message of hundreds of bytes in memory. The bytes are walked
//! along the messages' definitions, which the build script turns into tables; nothing is allocated.

/// What a field is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A message with the shape of this index.
    Message(usize),
    /// A string, which is copied.
    Text,
    /// Bytes, which stay where they were received.
    Bytes,
    /// Numbers of a fixed size.
    Fixed,
    /// Numbers of one byte or more, with eight bytes at most in memory.
    Varint,
}

/// A message's definition.
#[derive(Debug)]
struct Shape {
    /// Bytes of its struct.
    size: u64,
    /// Its fields by their numbers.
    fields: &'static [(u64, Kind)],
}

include!(concat!(env!("OUT_DIR"), "/message_shapes.rs"));

/// A list has room for twice its elements, and moves them when it grows.
const GROWTH: u64 = 3;
/// Bytes of a field that is not a message: its struct, or an entry of a list.
const FIELD: u64 = 32;
/// Nesting beyond which nothing is counted: prost refuses it.
const DEEPEST: usize = 100;
/// Wire types: <https://protobuf.dev/programming-guides/encoding/#structure>.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const DELIMITED: u64 = 2;
const FOUR_BYTES: u64 = 5;

/// Upper bound, in bytes, of what decoding `message` allocates: the request of the method at
/// `path`. The walk ends when the bound is above `limit`. Of a malformed message, what precedes the
/// fault is counted: decoding ends there, too.
pub(super) fn decoded_bytes(path: &str, message: &[u8], limit: u64) -> u64 {
    let method = METHODS.iter().find(|(method, _)| *method == path);
    let shape = method.and_then(|&(_, index)| SHAPES.get(index));
    let mut walk = Walk { total: 0, limit };
    walk.message(message, shape, 0);
    walk.total
}

struct Walk {
    total: u64,
    limit: u64,
}

impl Walk {
    /// Adds a message; `None` where it is malformed, or the limit is passed.
    fn message(&mut self, mut bytes: &[u8], shape: Option<&Shape>, depth: usize) -> Option<()> {
        // Without a definition, as for reflection, every field may be a text.
        self.add(shape.map_or(FIELD, |shape| shape.size) * GROWTH)?;
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let field = shape.and_then(|shape| shape.fields.iter().find(|f| f.0 == key >> 3));
            let kind = shape.map_or(Some(Kind::Text), |_| field.map(|&(_, kind)| kind));
            match key & 7 {
                VARINT => {
                    varint(&mut bytes)?;
                }
                EIGHT_BYTES => bytes = bytes.get(8..)?,
                FOUR_BYTES => bytes = bytes.get(4..)?,
                DELIMITED => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    // A cut message is counted as far as it goes.
                    let (content, rest) = bytes.split_at(length.min(bytes.len()));
                    self.delimited(content, kind, depth)?;
                    bytes = rest;
                    continue;
                }
                // Groups, which no message has: what they contain is skipped.
                _ => continue,
            }
            if kind.is_some() {
                self.add(FIELD * GROWTH)?;
            }
        }
        Some(())
    }

    fn delimited(&mut self, content: &[u8], kind: Option<Kind>, depth: usize) -> Option<()> {
        let length = content.len() as u64;
        match kind {
            // Unknown fields are skipped.
            None => Some(()),
            Some(Kind::Message(index)) if depth < DEEPEST => {
                self.message(content, SHAPES.get(index), depth + 1)
            }
            Some(Kind::Message(_)) => None,
            Some(Kind::Text) => self.add(FIELD * GROWTH + length),
            Some(Kind::Bytes) => self.add(FIELD * GROWTH),
            Some(Kind::Fixed) => self.add(FIELD + GROWTH * length),
            Some(Kind::Varint) => self.add(FIELD + GROWTH * 8 * length),
        }
    }

    fn add(&mut self, bytes: u64) -> Option<()> {
        self.total = self.total.saturating_add(bytes);
        (self.total <= self.limit).then_some(())
    }
}

/// Takes a number of at most 64 bits from the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for position in 0..10 {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << (7 * position);
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::api::grpc::proto::inference::{
        ModelInferRequest,
        model_infer_request::{InferInputTensor, InferRequestedOutputTensor},
    };

    const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

    #[test]
    fn two_bytes_that_become_hundreds_are_counted_as_what_they_become() {
        let count = 10_000;
        let inputs = vec![InferInputTensor::default(); count];
        let message = ModelInferRequest { inputs, ..ModelInferRequest::default() }.encode_to_vec();
        assert!(message.len() <= 2 * count);
        let real = (count * size_of::<InferInputTensor>()) as u64;
        let bound = decoded_bytes(INFER, &message, u64::MAX);
        assert!(bound >= real && bound < 8 * real, "{bound}, {real}");
        let outputs = vec![InferRequestedOutputTensor::default(); count];
        let message = ModelInferRequest { outputs, ..ModelInferRequest::default() }.encode_to_vec();
        let real = (count * size_of::<InferRequestedOutputTensor>()) as u64;
        assert!(decoded_bytes(INFER, &message, u64::MAX) >= real);
    }

    #[test]
    fn the_walk_ends_at_the_limit() {
        let message = [0x2a, 0].repeat(8 << 20);
        let started = std::time::Instant::now();
        assert!(decoded_bytes(INFER, &message, 1 << 20) > 1 << 20);
        assert!(started.elapsed().as_millis() < 100);
    }

    #[test]
    fn raw_contents_cost_no_more_than_their_list() {
        let raw_input_contents = vec![vec![7; 1 << 20].into()];
        let message = ModelInferRequest { raw_input_contents, ..ModelInferRequest::default() };
        assert!(decoded_bytes(INFER, &message.encode_to_vec(), u64::MAX) < 4096);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_walk_fail(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..500)) {
            for path in [INFER, "/drsn.v1.Classifier/Classify", "/unknown"] {
                decoded_bytes(path, &bytes, u64::MAX);
            }
        }
    }
}
