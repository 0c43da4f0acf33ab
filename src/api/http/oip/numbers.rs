//! The `data` of a tensor: numbers in a flat or nested list, parsed without an intermediate tree.

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::inference::decode::Nested;

/// The numbers of a tensor in row-major order, and the sizes of their nested lists.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Numbers {
    /// Finite numbers.
    pub(super) values: Vec<f32>,
    /// One size for each level of nesting; a single one if the list is flat.
    pub(super) sizes: Vec<usize>,
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Nested { values, shape } = Nested::deserialize(deserializer)?;
        if shape.is_empty() {
            return Err(D::Error::custom("expected a list of numbers"));
        }
        if !values.iter().all(|number| number.is_finite()) {
            return Err(D::Error::custom("a number is too large for a 32-bit float"));
        }
        Ok(Self { values, sizes: shape })
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
    fn data_that_are_not_a_tensor_are_refused() {
        for (json, part) in [
            ("[[1, 2], [3]]", "differ"),
            ("[1, [2]]", "mix"),
            ("[[1], 2]", "mix"),
            ("[\"a\"]", "expected a number"),
            ("[true]", "expected a number"),
            ("[null]", "expected a number"),
            ("[1e39]", "too large"),
            ("[[[[[1]]]]]", "deeper"),
            ("7", "expected a list of numbers"),
        ] {
            let error = read(json).err().unwrap_or_default();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
