//! Nested lists of numbers, read without an intermediate tree.

use std::fmt;

use drsn_bundle::InputSpec;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, SeqAccess, Visitor},
};

use crate::error::ApiError;

/// Maximum nesting of an input's lists: a list of images, `[N, C, H, W]`.
pub(super) const MAX_DEPTH: usize = 4;

/// Numbers and their shape, as `[[1, 2, 3], [4, 5, 6]]` has shape 2 x 3.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Nested {
    pub(crate) values: Vec<f32>,
    pub(crate) shape: Vec<usize>,
}

impl Nested {
    /// The numbers of one input, whose shape must be one of `shapes`.
    pub(super) fn one(self, shapes: &[Vec<usize>], spec: &InputSpec) -> Result<Vec<f32>, ApiError> {
        check_shape(&self.shape, shapes, spec)?;
        Ok(self.values)
    }

    /// The numbers of a list of inputs, one after the other; each input's shape must be one of
    /// `shapes`.
    pub(super) fn several(
        self,
        shapes: &[Vec<usize>],
        spec: &InputSpec,
    ) -> Result<Vec<f32>, ApiError> {
        let (_, inner) = self.inputs(true)?;
        check_shape(inner, shapes, spec)?;
        Ok(self.values)
    }

    /// The number of inputs and the shape of each.
    pub(super) fn inputs(&self, several: bool) -> Result<(usize, &[usize]), ApiError> {
        let invalid = |detail: &str| Err(ApiError::invalid(detail));
        match &self.shape[..] {
            shape if !several => Ok((1, shape)),
            [] => invalid("expected a list of inputs, got a single number"),
            [0, ..] => invalid("the request has no inputs"),
            [count, inner @ ..] => Ok((*count, inner)),
        }
    }

    /// The error for an input whose shape is not that of a signal.
    pub(super) fn wrong_shape(found: &[usize], spec: &InputSpec) -> ApiError {
        let error = check_shape(found, &[], spec).err().unwrap_or_else(ApiError::internal);
        let shorter = match spec {
            InputSpec::Signal(signal) if signal.padding.is_some() => {
                format!("one of at least {} samples is extended", signal.least_samples())
            }
            InputSpec::Signal(_) | InputSpec::Image(_) => {
                "a shorter one is extended by a model that was trained with data.padding".to_owned()
            }
        };
        let detail =
            format!("{}; a longer signal is cut into windows, and {shorter}", error.detail);
        ApiError { kind: error.kind, detail }
    }
}

fn check_shape(found: &[usize], shapes: &[Vec<usize>], spec: &InputSpec) -> Result<(), ApiError> {
    if shapes.iter().any(|shape| shape == found) {
        return Ok(());
    }
    let sizes: Vec<String> = found.iter().map(ToString::to_string).collect();
    let found = match sizes.len() {
        0 => "a single number".to_owned(),
        1 => format!("a list of {}", sizes[0]),
        _ => format!("shape {}", sizes.join(" x ")),
    };
    Err(ApiError::invalid(format!(
        "each input must have shape {}; got {found}",
        spec.shape_in_words()
    )))
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reading = Reading { values: Vec::new(), sizes: [None; MAX_DEPTH], depth: None };
        Level { reading: &mut reading, depth: 0 }.deserialize(deserializer)?;
        // Lists within an empty list do not exist: the shape ends there.
        let shape = reading.sizes.into_iter().map_while(|size| size).collect();
        Ok(Self { values: reading.values, shape })
    }
}

struct Reading {
    values: Vec<f32>,
    /// Size of the lists at each depth, once the first of them has ended.
    sizes: [Option<usize>; MAX_DEPTH],
    /// Depth of the numbers, once the first was read.
    depth: Option<usize>,
}

struct Level<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a list of numbers")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        if *self.reading.depth.get_or_insert(self.depth) != self.depth {
            return Err(E::custom("numbers and lists are mixed in one list"));
        }
        self.reading.values.push(value as f32);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { reading, depth } = self;
        if depth >= MAX_DEPTH {
            return Err(A::Error::custom("lists are nested deeper than any input"));
        }
        if reading.depth.is_some_and(|numbers| numbers <= depth) {
            return Err(A::Error::custom("numbers and lists are mixed in one list"));
        }
        let mut size = 0;
        while list.next_element_seed(Level { reading: &mut *reading, depth: depth + 1 })?.is_some()
        {
            size += 1;
        }
        match reading.sizes[depth].replace(size) {
            Some(before) if before != size => Err(A::Error::custom(format!(
                "lists of one level have different lengths, {before} and {size}"
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<(Vec<f32>, Vec<usize>), String> {
        serde_json::from_str::<Nested>(json)
            .map(|nested| (nested.values, nested.shape))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_shape_is_that_of_the_lists() {
        assert_eq!(read("[1, 2.5, -3]"), Ok((vec![1.0, 2.5, -3.0], vec![3])));
        assert_eq!(
            read("[[1, 2, 3], [4, 5, 6]]"),
            Ok((vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], vec![2, 3]))
        );
        assert_eq!(read("[[]]"), Ok((vec![], vec![1, 0])));
    }

    #[test]
    fn ragged_mixed_and_deep_lists_are_refused() {
        for (json, fault) in [
            ("[[1, 2], [3]]", "different lengths, 2 and 1"),
            ("[1, [2]]", "mixed"),
            ("[[2], 1]", "mixed"),
            ("[[[[[1]]]]]", "deeper"),
            ("[null]", "expected a number or a list of numbers"),
            ("[\"1\"]", "expected a number or a list of numbers"),
        ] {
            let error = read(json).err().unwrap_or_default();
            assert!(error.contains(fault), "{json}: {error}");
        }
    }

    #[test]
    fn a_number_above_32_bits_becomes_infinite_and_is_refused_later() {
        assert_eq!(read("[1e300]"), Ok((vec![f32::INFINITY], vec![1])));
    }
}
