//! Recordings that cost more than they are long: at odd rates, with many channels, hundreds of them
//! in one request, and archives with thousands of names.

use std::{fmt::Write as _, io::Write as _};

use flate2::{Compression, Crc, write::DeflateEncoder};
use serde_json::json;

use super::{random::Random, send::Post};
use crate::recordings::{npy, wav, wav_header};

const PATH: &str = "/models/bearing/classify";
const FORM: &str = "multipart/form-data; boundary=b";

/// A form with these files.
pub(crate) fn form(files: &[Vec<u8>]) -> Vec<u8> {
    let head: &[u8] =
        b"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let mut body: Vec<u8> = files.iter().flat_map(|file| [head, file, b"\r\n"].concat()).collect();
    body.extend(b"--b--\r\n");
    body
}

/// A rate that has no small ratio to the model's.
fn rate(random: &mut Random) -> u32 {
    match random.below(4) {
        0 => random.within(1, 50) as u32,
        1 => random.within(7000, 200_000) as u32 | 1,
        2 => 47_999,
        _ => random.pick(&[u32::MAX, 1_000_003, 44_101]),
    }
}

fn samples(random: &mut Random, count: usize) -> Vec<f32> {
    (0..count).map(|_| (random.next() >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// A request with recordings.
pub(crate) fn request(random: &mut Random) -> Post {
    let path = format!("{PATH}?resample=true");
    match random.below(9) {
        // Hundreds of files, each at a rate of its own.
        0 | 1 => {
            let count = random.within(50, 400);
            let files: Vec<Vec<u8>> =
                (0..count).map(|_| wav(rate(random), &[samples(random, 3000)])).collect();
            Post::http(&path, FORM, form(&files))
        }
        2 => {
            let channels = vec![samples(random, 400); random.within(100, 1024)];
            Post::http(&format!("{path}&channel=0"), "audio/wav", wav(rate(random), &channels))
        }
        3 => {
            let wav = wav(rate(random), &[samples(random, 2_000_000)]);
            Post::http(&path, "audio/wav", wav)
        }
        4 => {
            let header = wav_header(rate(random), 1, 1, 16, u32::MAX - 36);
            Post::http(&path, "audio/wav", [header, random.bytes(4 << 20)].concat())
        }
        5 => Post::http(&path, "text/csv", table(random)),
        6 => {
            let rate = f64::from(rate(random)) + 0.37;
            let body = json!({"signal": samples(random, 100_000), "sample_rate_hz": rate, "resample": true});
            Post::http(PATH, "application/json", body.to_string())
        }
        7 => {
            let array = npy("(200, 1, 2048)", &samples(random, 200 * 2048));
            let path = format!("{path}&sample_rate_hz={}", rate(random));
            Post::http(&path, "application/x-npy", array)
        }
        _ => {
            let array = npy("(2048,)", &samples(random, 2048));
            let count = random.within(100, 600);
            let entries: Vec<Entry> =
                (0..count).map(|n| Entry::stored(&format!("a{n}.npy"), &array)).collect();
            let path = format!("{path}&variable=a7&sample_rate_hz={}", rate(random));
            Post::http(&path, "application/x-npy", zip(&entries))
        }
    }
}

/// A table with a column of times at an odd rate, or with very many columns.
fn table(random: &mut Random) -> Vec<u8> {
    let mut text = String::new();
    if random.below(2) == 0 {
        let step = 1.0 / f64::from(rate(random));
        text.push_str("time [s];x\n");
        for row in 0..100_000 {
            let _ = writeln!(text, "{};{}", f64::from(row) * step, random.below(1000));
        }
    } else {
        let columns = random.within(500, 3000);
        for _ in 0..2_000_000 / columns {
            text.push_str(&"1.5,".repeat(columns));
            text.push('\n');
        }
    }
    text.into_bytes()
}

/// An entry of an archive.
#[derive(Clone)]
struct Entry {
    name: String,
    method: u16,
    packed: Vec<u8>,
    length: u32,
    checksum: u32,
}

impl Entry {
    fn stored(name: &str, content: &[u8]) -> Self {
        let mut checksum = Crc::new();
        checksum.update(content);
        let (length, checksum) = (content.len() as u32, checksum.sum());
        Self { name: name.to_owned(), method: 0, packed: content.to_vec(), length, checksum }
    }

    fn deflated(name: &str, content: &[u8]) -> Self {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(content).unwrap();
        Self { method: 8, packed: packed.finish().unwrap(), ..Self::stored(name, content) }
    }

    /// What the header before the content and the directory say alike.
    fn description(&self) -> Vec<u8> {
        let mut bytes = [20_u16, 0, self.method, 0, 0].map(u16::to_le_bytes).concat();
        let sizes = [self.checksum, self.packed.len() as u32, self.length];
        bytes.extend(sizes.map(u32::to_le_bytes).concat());
        bytes.extend([self.name.len() as u16, 0].map(u16::to_le_bytes).concat());
        bytes
    }
}

fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = (file.len() as u32).to_le_bytes();
        file.extend([b"PK\x03\x04", &entry.description()[..], entry.name.as_bytes()].concat());
        file.extend(&entry.packed);
        directory.extend([b"PK\x01\x02\x14\0", &entry.description()[..], &[0; 10]].concat());
        directory.extend([&offset[..], entry.name.as_bytes()].concat());
    }
    let count = (entries.len().min(0xffff) as u16).to_le_bytes();
    let sizes = [directory.len() as u32, file.len() as u32].map(u32::to_le_bytes).concat();
    file.extend(directory);
    file.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &sizes, &[0; 2]].concat());
    file
}

/// An archive of arrays with thousands of names, or whose content unpacks to much.
pub(crate) fn archive(random: &mut Random) -> Post {
    let small = npy("(1,)", &[1.0]);
    let entries: Vec<Entry> = match random.below(4) {
        0 => (0..random.within(2000, 60_000))
            .map(|n| Entry::stored(&format!("{n}.npy"), &small))
            .collect(),
        // Long names, of which no two differ before their end.
        1 => {
            let long = "x".repeat(random.within(100, 5000));
            let count = (15 << 20) / (2 * long.len());
            (0..count).map(|n| Entry::stored(&format!("{long}{n}.npy"), &small)).collect()
        }
        2 => {
            let samples = random.within(1 << 20, 32 << 20);
            let zeros = npy(&format!("({samples},)"), &vec![0.0; samples]);
            vec![Entry::deflated("a.npy", &zeros)]
        }
        _ => {
            let bomb = Entry::deflated("a.npy", &npy("(1000000,)", &vec![1.5; 1_000_000]));
            let again = |n| Entry { name: format!("{n}.npy"), ..bomb.clone() };
            (0..random.within(100, 2000)).map(again).collect()
        }
    };
    let query = random.pick(&["", "?variable=7", "?variable=a", "?resample=true&sample_rate_hz=9"]);
    Post::http(&format!("{PATH}{query}"), "application/x-npy", zip(&entries))
}
