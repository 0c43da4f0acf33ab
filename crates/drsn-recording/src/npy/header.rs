//! The header of a NumPy array: a dictionary in Python's notation with three entries.

use std::io::{self, Read};

use super::malformed;
use crate::{
    RecordingError,
    number::{ByteOrder, NumberKind},
};

/// Longest header, in bytes, as in NumPy.
const MAX_HEADER_BYTES: u32 = 10_000;
/// Most axes of a NumPy array.
const MAX_AXES: usize = 64;

/// What an array is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Number(NumberKind),
    /// A byte, zero for false.
    Truth,
    /// A text of so many characters of 32 bits, filled up with zeros.
    Characters(usize),
    /// A text of so many bytes, filled up with zeros.
    Bytes(usize),
}

impl Item {
    /// Bytes of one item.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Number(kind) => kind.size(),
            Self::Truth => 1,
            Self::Characters(length) => length.saturating_mul(4),
            Self::Bytes(length) => length,
        }
    }
}

/// The description of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// Type of its numbers; `None` if they are not real.
    pub(crate) kind: Option<NumberKind>,
    pub(crate) order: ByteOrder,
    /// NumPy's name of that type.
    pub(crate) type_name: String,
    /// Whether the first axis varies fastest.
    pub(crate) fortran: bool,
    /// Sizes of the axes.
    pub(crate) shape: Vec<u64>,
}

impl Header {
    /// Reads up to the first number.
    pub(crate) fn read(reader: &mut impl Read) -> Result<Self, RecordingError> {
        let mut start = [0; 8];
        fill(reader, &mut start)?;
        let [magic @ .., major, _] = start;
        if magic != *b"\x93NUMPY" {
            return Err(malformed("it does not start with NumPy's magic string"));
        }
        let length = match major {
            1 => {
                let mut length = [0; 2];
                fill(reader, &mut length)?;
                u32::from(u16::from_le_bytes(length))
            }
            2 | 3 => {
                let mut length = [0; 4];
                fill(reader, &mut length)?;
                u32::from_le_bytes(length)
            }
            other => {
                return Err(malformed(format!(
                    "its version is {other}, and only 1 to 3 are supported"
                )));
            }
        };
        if length > MAX_HEADER_BYTES {
            return Err(malformed(format!(
                "its header has {length} bytes, above the limit of {MAX_HEADER_BYTES}"
            )));
        }
        let mut text = vec![0; length as usize];
        fill(reader, &mut text)?;
        Parser(&String::from_utf8_lossy(&text)).header().ok_or_else(|| {
            malformed("its header is not a dictionary of descr, fortran_order and shape")
        })
    }
}

impl Header {
    /// What the array is made of; `None` if it is something without numbers, truth values or text.
    pub(crate) fn item(&self) -> Option<Item> {
        if let Some(kind) = self.kind {
            return Some(Item::Number(kind));
        }
        let name = self.type_name.trim_start_matches(['<', '>', '|', '=']);
        match name.split_at_checked(1)? {
            ("b", "1") => Some(Item::Truth),
            ("U", length) => Some(Item::Characters(length.parse().ok()?)),
            ("S", length) => Some(Item::Bytes(length.parse().ok()?)),
            _ => None,
        }
    }

    /// Sizes of the axes, if this machine can address them.
    pub(crate) fn sizes(&self) -> Option<Vec<usize>> {
        self.shape.iter().map(|&size| usize::try_from(size).ok()).collect()
    }
}

fn fill(reader: &mut impl Read, bytes: &mut [u8]) -> Result<(), RecordingError> {
    reader.read_exact(bytes).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return malformed("it ends within its header: it was truncated");
        }
        error.into()
    })
}

/// The unparsed rest of a header.
struct Parser<'a>(&'a str);

impl<'a> Parser<'a> {
    fn header(mut self) -> Option<Header> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.token("{").then_some(())?;
        while !self.token("}") {
            let key = self.string()?;
            self.token(":").then_some(())?;
            match key {
                "descr" => descr = Some(self.descr()?),
                "fortran_order" => fortran = Some(self.truth()?),
                "shape" => shape = Some(self.shape()?),
                _ => return None,
            }
            if !self.token(",") {
                self.token("}").then_some(())?;
                break;
            }
        }
        self.0.trim().is_empty().then_some(())?;
        let descr = descr?;
        let (kind, order) = number(&descr);
        Some(Header { kind, order, type_name: descr, fortran: fortran?, shape: shape? })
    }

    /// Consumes a token, if it is next.
    fn token(&mut self, token: &str) -> bool {
        let rest = self.0.trim_start();
        self.0 = rest.strip_prefix(token).unwrap_or(rest);
        self.0.len() < rest.len()
    }

    fn truth(&mut self) -> Option<bool> {
        if self.token("True") { Some(true) } else { self.token("False").then_some(false) }
    }

    fn string(&mut self) -> Option<&'a str> {
        let rest = self.0.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (text, rest) = rest.get(1..)?.split_once(quote)?;
        self.0 = rest;
        Some(text)
    }

    /// The type. A structured type is a list of fields, which is not parsed.
    fn descr(&mut self) -> Option<String> {
        if !self.0.trim_start().starts_with('[') {
            return self.string().map(str::to_owned);
        }
        let (_, rest) = self.0.rsplit_once(']')?;
        // The rest of the dictionary follows the list; it contains no other one.
        self.0 = rest;
        Some("with fields".to_owned())
    }

    fn shape(&mut self) -> Option<Vec<u64>> {
        let mut sizes = Vec::new();
        self.token("(").then_some(())?;
        while !self.token(")") {
            let rest = self.0.trim_start();
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, rest) = rest.split_at_checked(end)?;
            sizes.push(digits.parse().ok()?);
            // Python 2 wrote an L after long integers.
            self.0 = rest.strip_prefix('L').unwrap_or(rest);
            if sizes.len() > MAX_AXES {
                return None;
            }
            if !self.token(",") {
                self.token(")").then_some(())?;
                break;
            }
        }
        Some(sizes)
    }
}

/// The type and byte order of a name such as `<f8`; no type if its numbers are not real.
fn number(descr: &str) -> (Option<NumberKind>, ByteOrder) {
    let (order, name) = match descr.split_at_checked(1) {
        Some((">", name)) => (ByteOrder::Big, name),
        Some(("<" | "|" | "=", name)) => (ByteOrder::Little, name),
        _ => (ByteOrder::Little, descr),
    };
    let kind = match name {
        "i1" => Some(NumberKind::I8),
        "u1" => Some(NumberKind::U8),
        "i2" => Some(NumberKind::I16),
        "u2" => Some(NumberKind::U16),
        "i4" => Some(NumberKind::I32),
        "u4" => Some(NumberKind::U32),
        "i8" => Some(NumberKind::I64),
        "u8" => Some(NumberKind::U64),
        "f2" => Some(NumberKind::F16),
        "f4" => Some(NumberKind::F32),
        "f8" => Some(NumberKind::F64),
        _ => None,
    };
    (kind, order)
}
