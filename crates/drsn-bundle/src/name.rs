//! Names of models, versions and blocks, which are safe as a folder, a part of a URL and a metric
//! label.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::BundleError;

/// Longest name, in bytes.
const MAX_BYTES: usize = 128;

/// A name of ASCII letters, digits, `.`, `_` and `-`, without a leading dot.
///
/// ```
/// use drsn_bundle::Name;
/// assert!(Name::new("stage1.block1").is_ok());
/// assert!(Name::new("../secret").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(with = "String"))]
pub struct Name(String);

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// [`BundleError::Name`] if it is empty, too long, or has a character that is not allowed.
    pub fn new(name: impl Into<String>) -> Result<Self, BundleError> {
        let name = name.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty()
            || name.len() > MAX_BYTES
            || name.starts_with('.')
            || !name.bytes().all(allowed)
        {
            return Err(BundleError::Name { name });
        }
        Ok(Self(name))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = BundleError;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl std::str::FromStr for Name {
    type Err = BundleError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}
