//! The `data` of a tensor: numbers in a flat or nested list, read without a tree in between.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, SeqAccess, Visitor},
};

/// Deepest nesting of a tensor, `[N, C, H, W]`.
const DEEPEST: usize = 4;

/// Numbers of a tensor, row after row, and the sizes of the lists that they came in.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Numbers {
    pub(super) values: Vec<f32>,
    /// One size for each depth; one size where the list is flat.
    pub(super) sizes: Vec<usize>,
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reading = Reading { values: Vec::new(), sizes: [None; DEEPEST], leaves: None };
        deserializer.deserialize_seq(List { reading: &mut reading, depth: 0 })?;
        let sizes = reading.sizes.into_iter().map_while(|size| size).collect();
        Ok(Self { values: reading.values, sizes })
    }
}

struct Reading {
    values: Vec<f32>,
    /// Size of the lists at each depth, once the first of them has ended.
    sizes: [Option<usize>; DEEPEST],
    /// Depth of the lists that hold numbers, once the first number was seen.
    leaves: Option<usize>,
}

/// A list at a depth.
struct List<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

/// What is in a list: a number, or a list again.
struct Item<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of 32-bit floats")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.depth >= DEEPEST {
            return Err(A::Error::custom("the data are nested deeper than any tensor"));
        }
        let mut size = 0;
        let reading = self.reading;
        while list.next_element_seed(Item { reading: &mut *reading, depth: self.depth })?.is_some()
        {
            size += 1;
        }
        match reading.sizes[self.depth] {
            Some(before) if before != size => {
                Err(A::Error::custom("lists of the data that should be of one size differ"))
            }
            _ => {
                reading.sizes[self.depth] = Some(size);
                Ok(())
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Item<'_> {
    fn push<E: Error>(self, number: f32) -> Result<(), E> {
        if *self.reading.leaves.get_or_insert(self.depth) != self.depth {
            return Err(E::custom("the data mix numbers and lists"));
        }
        if !number.is_finite() {
            return Err(E::custom("a number of the data is too large for a 32-bit float"));
        }
        self.reading.values.push(number);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a 32-bit float, or a list of them")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.push(number as f32)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.push(number as f32)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.push(number as f32)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<(), A::Error> {
        if self.reading.leaves.is_some_and(|leaves| leaves == self.depth) {
            return Err(A::Error::custom("the data mix numbers and lists"));
        }
        List { reading: self.reading, depth: self.depth + 1 }.visit_seq(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Numbers, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn flat_and_nested_lists_give_the_same_numbers() {
        let flat = read("[1, -2.5, 3e2, 4]").unwrap();
        assert_eq!((flat.values, flat.sizes), (vec![1.0, -2.5, 300.0, 4.0], vec![4]));
        let nested = read("[[[1], [-2.5]], [[3e2], [4]]]").unwrap();
        assert_eq!((nested.values, nested.sizes), (vec![1.0, -2.5, 300.0, 4.0], vec![2, 2, 1]));
        assert_eq!(read("[]").unwrap().sizes, [0]);
    }

    #[test]
    fn data_that_are_no_tensor_are_refused() {
        for (json, part) in [
            ("[[1, 2], [3]]", "differ"),
            ("[1, [2]]", "mix"),
            ("[[1], 2]", "mix"),
            ("[\"a\"]", "expected a 32-bit float"),
            ("[true]", "expected a 32-bit float"),
            ("[null]", "expected a 32-bit float"),
            ("[1e39]", "too large"),
            ("[[[[[1]]]]]", "deeper"),
            ("7", "expected a list of 32-bit floats"),
        ] {
            let error = read(json).err().unwrap_or_default();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
