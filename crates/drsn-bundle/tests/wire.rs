//! The memory of a decoded message is known from its bytes: compared with what prost needs.

#[path = "../../drsn-recording/tests/support/counting.rs"]
mod counting;

use drsn_bundle::wire::count_fields;
use proptest::prelude::*;
use prost::Message;

/// A message of every kind of field.
#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(message, repeated, tag = "1")]
    children: Vec<Node>,
    #[prost(string, optional, tag = "2")]
    name: Option<String>,
    #[prost(bytes = "vec", tag = "3")]
    content: Vec<u8>,
    #[prost(int64, repeated, tag = "4")]
    packed: Vec<i64>,
    #[prost(double, optional, tag = "5")]
    number: Option<f64>,
    #[prost(string, repeated, tag = "6")]
    names: Vec<String>,
    #[prost(int64, repeated, packed = "false", tag = "7")]
    numbers: Vec<i64>,
    #[prost(fixed32, repeated, tag = "8")]
    fixed: Vec<u32>,
}

fn is_content(path: &[u32]) -> bool {
    path.last() == Some(&3) && path[..path.len() - 1].iter().all(|&number| number == 1)
}

fn leaf() -> impl Strategy<Value = Node> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let numbers = || prop::collection::vec(prop_oneof![0_i64..3, any::<i64>()], 0..40);
    let names = prop::collection::vec(".{0,4}", 0..20);
    let fixed = prop::collection::vec(any::<u32>(), 0..20);
    (any::<Option<String>>(), bytes(), numbers(), any::<Option<f64>>(), names, numbers(), fixed)
        .prop_map(|(name, content, packed, number, names, numbers, fixed)| {
            let number = number.filter(|number| !number.is_nan());
            Node { children: Vec::new(), name, content, packed, number, names, numbers, fixed }
        })
}

fn tree() -> impl Strategy<Value = Node> {
    let small = prop_oneof![Just(Node::default()), leaf()];
    small.prop_recursive(6, 200, 20, |inner| {
        (leaf(), prop::collection::vec(inner, 0..20))
            .prop_map(|(node, children)| Node { children, ..node })
    })
}

/// Decodes a message, and returns it with the estimate of its memory.
fn check(bytes: &[u8]) -> Option<Node> {
    let fields = count_fields(bytes, is_content);
    let (decoded, peak) = counting::peak(|| Node::decode(bytes));
    let Some(fields) = fields else {
        assert!(decoded.is_err(), "{bytes:?}");
        return None;
    };
    let memory = fields.memory(size_of::<Node>() as u64);
    // The text of an error has its own memory.
    assert!(peak as u64 <= memory + 1024, "{peak} and {memory} of {}", bytes.len());
    decoded.ok()
}

proptest! {
    #[test]
    fn the_memory_of_a_message_is_bounded(node in tree()) {
        prop_assert_eq!(check(&node.encode_to_vec()), Some(node));
    }

    #[test]
    fn the_memory_of_damaged_messages_is_bounded_too(
        node in tree(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
    ) {
        let mut bytes = node.encode_to_vec();
        prop_assume!(!bytes.is_empty());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check(&bytes);
    }

    #[test]
    fn any_bytes_are_counted_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
    }
}

#[test]
fn empty_messages_count_for_what_they_become() {
    for count in [1_usize, 10, 1000, 100_000] {
        let bytes = [0x0a, 0].repeat(count);
        let memory = count_fields(&bytes, is_content).unwrap().memory(size_of::<Node>() as u64);
        assert!(memory >= (count * size_of::<Node>()) as u64);
        check(&bytes);
    }
}

#[test]
fn nesting_and_length_cost_time_in_proportion() {
    let begun = std::time::Instant::now();
    // As deep as the bytes allow, and beyond what decoders follow.
    let mut nested = Vec::new();
    for _ in 0..3000 {
        let mut length = Vec::new();
        prost::encoding::encode_varint(nested.len() as u64, &mut length);
        nested = [&[0x0a][..], &length, &nested].concat();
    }
    check(&nested.repeat(100));
    check(&vec![0x0b; 1 << 20]);
    check(&[0x0b, 0x0c].repeat(1 << 20));
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
}
