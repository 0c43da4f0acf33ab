//! Messages of gRPC that are small on the wire and large in memory: compressed ones, empty
//! sub-messages by the million, numbers of a byte each, maps, strings and nesting.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};

use super::{random::Random, send::Post};

const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const CLASSIFY: &str = "/drsn.v1.Classifier/Classify";
const STREAM: &str = "/drsn.v1.Classifier/ClassifyStream";
const CONFIG: &str = "/inference.GRPCInferenceService/ModelConfig";

/// A field whose content has a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
    bytes
}

/// Something repeated up to about this many bytes.
fn fill(unit: &[u8], bytes: usize) -> Vec<u8> {
    unit.repeat((bytes / unit.len()).max(1))
}

/// An entry of a map with a key that occurs once.
fn entries(number: u8, bytes: usize) -> Vec<u8> {
    let entry = |key: u32| field(number, &field(1, &key.to_le_bytes().map(|b| b'a' + b % 26)));
    (0..bytes / 8).flat_map(|key| entry(key as u32)).collect()
}

/// A path and a message of about `bytes` bytes.
fn content(random: &mut Random, bytes: usize) -> (&'static str, Vec<u8>) {
    let contents = |content: &[u8]| field(5, &field(5, content));
    match random.below(18) {
        0 => (INFER, fill(&[0x2a, 0], bytes)),
        1 => (INFER, fill(&[0x32, 0], bytes)),
        2 => (INFER, fill(&[0x3a, 0], bytes)),
        3 => (INFER, fill(&[0x22, 0], bytes)),
        4 => (INFER, entries(4, bytes)),
        // Inputs with parameters, contents and shapes.
        5 => (INFER, fill(&field(5, &[0x22, 0, 0x2a, 0, 0x18, 0]), bytes)),
        6 => (INFER, field(5, &entries(4, bytes))),
        // Packed and unpacked numbers of eight bytes, of a byte each.
        7 => (INFER, field(5, &field(3, &vec![0; bytes]))),
        8 => (INFER, contents(&field(random.pick(&[1, 2, 3, 5]), &vec![0; bytes]))),
        9 => (INFER, contents(&fill(&[random.pick(&[0x08, 0x10, 0x18, 0x28]), 0], bytes))),
        // Empty strings of bytes, and a long one.
        10 => (INFER, contents(&fill(&[0x42, 0], bytes))),
        11 => (INFER, field(random.pick(&[1, 2, 3, 7]), &vec![b'x'; bytes])),
        // The same field again and again, unknown fields, groups in groups.
        12 => (INFER, fill(&field(1, b"mnist"), bytes)),
        13 => (INFER, fill(&[0x7b], bytes)),
        14 => (CLASSIFY, field(4, &field(1, &vec![0; bytes]))),
        15 => (CLASSIFY, fill(&[0x52, 0], bytes)),
        16 => (CLASSIFY, fill(&field(1, &field(2, &[0; 8])), bytes)),
        _ => (random.pick(&[STREAM, CONFIG]), fill(&field(2, &field(1, &[0; 8])), bytes)),
    }
}

/// Compresses bytes with gzip.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// A call whose message decodes to much.
pub(crate) fn call(random: &mut Random) -> Post {
    let bytes = random.pick(&[200 << 10, 1 << 20, 4 << 20, 8 << 20, (16 << 20) - 64]);
    let (path, content) = content(random, bytes);
    match random.below(4) {
        0 => Post::call(path, &content, false),
        // Far above the largest message once it is unpacked.
        1 => Post::call(path, &gzip(&fill(&content, 128 << 20)), true),
        _ => Post::call(path, &gzip(&content), true),
    }
}

/// A whole message of a call that does not end.
pub(crate) fn whole(random: &mut Random) -> Post {
    match random.below(4) {
        // Pixels, as raw contents.
        0 => Post::call(INFER, &field(7, &random.bytes(12 << 20)), false),
        1 => Post::call(CLASSIFY, &field(2, &random.bytes(9 << 20)), false),
        2 => {
            let start = field(1, &field(1, b"bearing"));
            Post::call(STREAM, &start, false)
        }
        _ => call(random),
    }
}
