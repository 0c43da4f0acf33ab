//! Many numbers in one line of JSON.

use std::ops::Deref;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// 32-bit floats, stored in JSON as one string: the base64 of their little-endian bytes. As a list,
/// a covariance of 112 dimensions would take 6,328 lines of the manifest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Numbers(Vec<f32>);

impl From<Vec<f32>> for Numbers {
    fn from(numbers: Vec<f32>) -> Self {
        Self(numbers)
    }
}

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl From<Numbers> for String {
    fn from(numbers: Numbers) -> Self {
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        STANDARD.encode(bytes)
    }
}

impl TryFrom<String> for Numbers {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = "base64 of little-endian 32-bit floats was expected";
        let bytes = STANDARD.decode(text).map_err(|error| format!("{wrong}: {error}"))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(format!("{wrong}, and the data has {} bytes", bytes.len()));
        }
        Ok(Self(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()))
    }
}
