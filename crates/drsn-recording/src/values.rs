//! Values that many inputs share, such as their labels: each is kept once.

use std::collections::HashMap;

use crate::RecordingError;

/// Most different values: far above the classes and groups of every real data set.
const MAX_VALUES: usize = 1 << 20;
/// Longest text, in bytes.
const MAX_TEXT_BYTES: usize = 1024;

/// A value of an array or a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number, exact as far as 64 bits are.
    Number(f64),
    /// A truth value.
    Truth(bool),
    /// A text without surrounding blanks; empty if it is missing.
    Text(String),
}

/// Different values, each with its place in the order of their first appearance.
#[derive(Debug, Default)]
pub struct Values {
    in_order: Vec<Value>,
    /// Places of the numbers by their bits.
    numbers: HashMap<u64, u32>,
    truths: [Option<u32>; 2],
    texts: HashMap<String, u32>,
}

impl Values {
    /// The place of a value, which is added if it is new. Zero has no sign, and all numbers that
    /// are none are the same.
    ///
    /// # Errors
    /// [`RecordingError::Unsupported`] if there are too many different values, or a text is too
    /// long or has characters that could not be read.
    pub fn place(&mut self, value: Value) -> Result<u32, RecordingError> {
        let known = match &value {
            Value::Number(number) => self.numbers.get(&bits(*number)).copied(),
            Value::Truth(truth) => self.truths[usize::from(*truth)],
            Value::Text(text) => self.texts.get(text).copied(),
        };
        match known {
            Some(place) => Ok(place),
            None => self.add(value),
        }
    }

    /// The place of a text, as [`Self::place`] without a copy of what is known.
    ///
    /// # Errors
    /// As [`Self::place`].
    pub fn place_text(&mut self, text: &str) -> Result<u32, RecordingError> {
        match self.texts.get(text) {
            Some(&place) => Ok(place),
            None => self.add(Value::Text(text.to_owned())),
        }
    }

    /// The value at a place.
    pub fn get(&self, place: u32) -> Option<&Value> {
        self.in_order.get(place as usize)
    }

    /// All values in the order of their places.
    pub fn all(&self) -> &[Value] {
        &self.in_order
    }

    fn add(&mut self, value: Value) -> Result<u32, RecordingError> {
        if self.in_order.len() >= MAX_VALUES {
            return Err(RecordingError::Unsupported(format!(
                "it has more than {MAX_VALUES} different values where labels or groups are expected"
            )));
        }
        let place = self.in_order.len() as u32;
        match &value {
            Value::Number(number) => {
                self.numbers.insert(bits(*number), place);
            }
            Value::Truth(truth) => self.truths[usize::from(*truth)] = Some(place),
            Value::Text(text) => {
                check_text(text)?;
                self.texts.insert(text.clone(), place);
            }
        }
        self.in_order.push(value);
        Ok(place)
    }
}

/// Rejects a text that nobody uses as a label, and one that could be mixed up with another.
fn check_text(text: &str) -> Result<(), RecordingError> {
    let reason = if text.len() > MAX_TEXT_BYTES {
        format!("a text of {} bytes is no label or group: at most {MAX_TEXT_BYTES}", text.len())
    } else if text.contains(char::REPLACEMENT_CHARACTER) {
        "a label or group has characters that cannot be read: write it in plain letters".to_owned()
    } else {
        return Ok(());
    };
    Err(RecordingError::Unsupported(reason))
}

/// The bits of a number, the same for equal ones.
fn bits(number: f64) -> u64 {
    if number.is_nan() { f64::NAN.to_bits() } else { (number + 0.0).to_bits() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_one_place_and_kinds_do_not_mix() {
        let mut values = Values::default();
        let mut place = |value| values.place(value).unwrap();
        assert_eq!(place(Value::Number(0.0)), 0);
        assert_eq!(place(Value::Number(-0.0)), 0);
        assert_eq!(place(Value::Number(f64::NAN)), 1);
        assert_eq!(place(Value::Number(-f64::NAN)), 1);
        assert_eq!(place(Value::Truth(false)), 2);
        assert_eq!(place(Value::Text("0".to_owned())), 3);
        assert_eq!(place(Value::Number(20_240_315_001.0)), 4);
        assert_eq!(place(Value::Number(20_240_315_002.0)), 5);
        assert_eq!(values.place_text("0").unwrap(), 3);
        assert_eq!((values.get(4), values.get(6)), (Some(&Value::Number(20_240_315_001.0)), None));
        assert!(values.place_text(&"x".repeat(2000)).is_err());
        assert!(values.place_text("a\u{fffd}").is_err());
    }
}
