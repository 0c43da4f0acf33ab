//! Files of arrays that belong together, such as inputs `[N, C, L]` and their N labels: read in
//! blocks, so that an array need not fit into memory.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::CrcReader;

use crate::{
    Limits, MARK_BYTES, RecordingError, RecordingFormat, Value, Values, check_foreign, format_of,
    mat::{self, Class, Variable},
    npy::{Header, Item},
    npz,
    number::{ByteOrder, NumberKind, blocks},
    read_whole,
};

/// Most axes of an array.
const MAX_AXES: usize = 8;

/// The arrays of an NPZ or MAT file, or the one of an NPY file.
#[derive(Debug)]
pub struct ArrayFile {
    contents: Contents,
    arrays: Vec<ArrayInfo>,
    limits: Limits,
}

#[derive(Debug)]
enum Contents {
    Npy(PathBuf),
    Npz(Vec<u8>),
    Mat(Vec<u8>),
}

/// The description of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArrayInfo {
    /// Its name; empty in an NPY file.
    pub name: String,
    /// Sizes of its axes. A matrix of characters has one: its rows are texts.
    pub shape: Vec<usize>,
    /// Whether the first axis varies fastest.
    pub is_column_major: bool,
    /// What it is made of.
    pub kind: ArrayKind,
}

/// What an array is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrayKind {
    /// Real numbers.
    Numbers,
    /// Truth values.
    Truths,
    /// Texts.
    Texts,
    /// Something else, in words that follow "it is".
    Other(&'static str),
}

impl ArrayFile {
    /// Opens a file and lists its arrays. Variables in MATLAB's structures and cells are not listed.
    ///
    /// # Errors
    /// [`RecordingError`] if it cannot be read, is of another format, or exceeds the limits.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self, RecordingError> {
        let mut file = File::open(path)?;
        limits.check_bytes(file.metadata()?.len())?;
        let mut start = Vec::new();
        file.by_ref().take(MARK_BYTES).read_to_end(&mut start)?;
        check_foreign(&start)?;
        let format = format_of(&start, path).ok_or(RecordingError::UnknownFormat)?;
        let mut reader = start.chain(BufReader::new(file));
        let contents = match format {
            RecordingFormat::Npy => {
                let arrays = vec![of_header(String::new(), &Header::read(&mut reader)?)];
                let contents = Contents::Npy(path.to_owned());
                return Ok(Self { contents, arrays, limits: *limits });
            }
            RecordingFormat::Npz => Contents::Npz(read_whole(&mut reader, limits)?),
            RecordingFormat::Mat => Contents::Mat(read_whole(&mut reader, limits)?),
            RecordingFormat::Wav
            | RecordingFormat::Aiff
            | RecordingFormat::Flac
            | RecordingFormat::Csv => {
                return Err(RecordingError::Unsupported(format!(
                    "it is a {format} file, and arrays are in an NPY, NPZ or MAT file"
                )));
            }
        };
        let arrays = match &contents {
            Contents::Npz(bytes) => npz::all(bytes, limits)?
                .into_iter()
                .map(|entry| of_header(entry.member.name, &entry.header))
                .collect(),
            Contents::Mat(bytes) => {
                mat::variables(bytes, limits)?.iter().map(of_variable).collect()
            }
            Contents::Npy(_) => Vec::new(),
        };
        Ok(Self { contents, arrays, limits: *limits })
    }

    /// Its arrays in the order of the file.
    pub fn arrays(&self) -> &[ArrayInfo] {
        &self.arrays
    }

    /// Hands on the numbers of an array by its place, in the order of the file, rounded to 32 bits.
    ///
    /// # Errors
    /// [`RecordingError`] if there is no such array of numbers, it exceeds the limits or is damaged;
    /// or the error of `take`.
    pub fn numbers<E: From<RecordingError>>(
        &self,
        array: usize,
        mut take: impl FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut block = Vec::new();
        self.each_block(array, |item, order, part| {
            block.clear();
            match item {
                Item::Number(kind) => kind.decode(order, part, &mut block),
                Item::Truth => NumberKind::U8.decode(order, part, &mut block),
                Item::Characters(_) | Item::Bytes(_) => return Err(no_numbers().into()),
            }
            take(&block)
        })
    }

    /// The places in `values` of the values of an array by its place, in the order of the file.
    ///
    /// # Errors
    /// [`RecordingError`] if there is no such array, it exceeds the limits or is damaged, or has
    /// values that [`Values`] does not take.
    pub fn values(&self, array: usize, values: &mut Values) -> Result<Vec<u32>, RecordingError> {
        let mut places = Vec::new();
        if let (Contents::Mat(bytes), Some(ArrayKind::Texts)) =
            (&self.contents, self.arrays.get(array).map(|info| info.kind))
        {
            let variables = mat::variables(bytes, &self.limits)?;
            let variable = variables.get(array).ok_or(RecordingError::Empty)?;
            variable.texts(&self.limits, &mut |value| {
                places.push(values.place(value)?);
                Ok(())
            })?;
            return Ok(places);
        }
        let is_truth = self.arrays.get(array).is_some_and(|info| info.kind == ArrayKind::Truths);
        self.each_block(array, |item, order, part| {
            for bytes in part.chunks_exact(item.size()) {
                let value = if is_truth {
                    Value::Truth(bytes.iter().any(|&byte| byte != 0))
                } else {
                    value(item, order, bytes)?
                };
                places.push(values.place(value)?);
            }
            Ok::<_, RecordingError>(())
        })?;
        Ok(places)
    }

    /// Hands on the items of an array in blocks of their bytes.
    fn each_block<E: From<RecordingError>>(
        &self,
        array: usize,
        mut take: impl FnMut(Item, ByteOrder, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let limits = &self.limits;
        match &self.contents {
            Contents::Npy(path) => {
                let file = File::open(path).map_err(RecordingError::from)?;
                let mut reader = BufReader::new(file);
                let header = Header::read(&mut reader)?;
                if self.arrays.first() != Some(&of_header(String::new(), &header)) {
                    let reason = "it was changed while it was read".to_owned();
                    return Err(RecordingError::Unsupported(reason).into());
                }
                numpy(&header, &mut reader, limits, take)
            }
            Contents::Npz(bytes) => {
                let entries = npz::all(bytes, limits)?;
                let entry = entries.get(array).ok_or(RecordingError::Empty)?;
                let mut reader = CrcReader::new(entry.member.open(limits)?);
                let header = Header::read(&mut reader)?;
                numpy(&header, &mut reader, limits, take)?;
                Ok(entry.member.check(reader.crc().sum())?)
            }
            Contents::Mat(bytes) => {
                let variables = mat::variables(bytes, limits)?;
                let variable = variables.get(array).ok_or(RecordingError::Empty)?;
                variable.numbers(limits, |kind, order, part| take(Item::Number(kind), order, part))
            }
        }
    }
}

/// Hands on the items of a NumPy array after its header, and checks that nothing follows.
fn numpy<E: From<RecordingError>>(
    header: &Header,
    reader: &mut impl Read,
    limits: &Limits,
    mut take: impl FnMut(Item, ByteOrder, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let item = header.item().filter(|item| (1..=MAX_ITEM_BYTES).contains(&item.size()));
    let item = item.ok_or_else(no_numbers)?;
    let count = limits.check_shape(header.shape.iter().copied())?;
    let cut = |error| crate::npy::cut(error, count);
    blocks(item.size(), count, limits.deadline, &mut *reader, cut, |part| {
        take(item, header.order, part)
    })?;
    if reader.read(&mut [0]).map_err(RecordingError::from)? > 0 {
        let reason = format!("there are more bytes after its {count} items");
        return Err(RecordingError::malformed(RecordingFormat::Npy, reason).into());
    }
    Ok(())
}

/// Longest item of an array, in bytes.
const MAX_ITEM_BYTES: usize = 1 << 12;

fn of_header(name: String, header: &Header) -> ArrayInfo {
    let kind = match header.item() {
        _ if header.shape.len() > MAX_AXES => ArrayKind::Other("an array of more than 8 axes"),
        Some(item) if !(1..=MAX_ITEM_BYTES).contains(&item.size()) => {
            ArrayKind::Other("an array of empty or very long texts")
        }
        Some(Item::Number(_)) => ArrayKind::Numbers,
        Some(Item::Truth) => ArrayKind::Truths,
        Some(Item::Characters(_) | Item::Bytes(_)) => ArrayKind::Texts,
        None if header.type_name.ends_with('O') => {
            ArrayKind::Other("an array of Python objects: save texts with dtype=str")
        }
        None => ArrayKind::Other("an array without real numbers, truth values or text"),
    };
    // A shape that this machine cannot address is refused when it is read.
    let shape = header.shape.iter().map(|&size| usize::try_from(size).unwrap_or(usize::MAX));
    ArrayInfo { name, shape: shape.collect(), is_column_major: header.fortran, kind }
}

fn of_variable(variable: &Variable<'_>) -> ArrayInfo {
    let sizes = variable.sizes.iter().map(|&size| size as usize);
    let (kind, axes) = match variable.class {
        Class::Numbers if variable.complex => {
            (ArrayKind::Other("an array of complex numbers"), MAX_AXES)
        }
        Class::Numbers if variable.sizes.len() > MAX_AXES => {
            (ArrayKind::Other("an array of more than 8 axes"), MAX_AXES)
        }
        Class::Numbers => (ArrayKind::Numbers, MAX_AXES),
        Class::Cells => (ArrayKind::Texts, MAX_AXES),
        Class::Other(mat::Kind::Text) => (ArrayKind::Texts, 1),
        Class::Other(mat::Kind::Truth) => (ArrayKind::Truths, MAX_AXES),
        Class::Other(mat::Kind::Object) => (
            ArrayKind::Other(
                "an object of MATLAB, such as string or categorical: save cellstr of it",
            ),
            MAX_AXES,
        ),
        Class::Other(kind) => (ArrayKind::Other(kind.names().0), MAX_AXES),
        Class::Structures => {
            (ArrayKind::Other("a structure: save its fields as variables"), MAX_AXES)
        }
    };
    ArrayInfo {
        name: variable.name.clone(),
        shape: sizes.take(axes).collect(),
        is_column_major: true,
        kind,
    }
}

/// The value of an item, without the zeros that fill a text up.
fn value(item: Item, order: ByteOrder, bytes: &[u8]) -> Result<Value, RecordingError> {
    let text = match item {
        Item::Number(kind) => {
            return kind.one(order, bytes).map(Value::Number).ok_or_else(no_numbers);
        }
        Item::Truth => return Ok(Value::Truth(bytes.iter().any(|&byte| byte != 0))),
        Item::Bytes(_) => String::from_utf8_lossy(bytes).into_owned(),
        Item::Characters(_) => {
            let (codes, _) = bytes.as_chunks();
            let code = |&code: &[u8; 4]| char::from_u32(order.u32(code)).unwrap_or('\u{fffd}');
            codes.iter().map(code).collect()
        }
    };
    Ok(Value::Text(text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()))
}

fn no_numbers() -> RecordingError {
    RecordingError::Unsupported("it has no array of numbers at this place".to_owned())
}
