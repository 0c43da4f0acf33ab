//! What a user should know about a data set that could be opened.

use std::fmt;

/// Something that was noticed while a data set was opened, such as files that were left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What was noticed, and how often.
    pub text: String,
    /// The first few it concerns, by name; may be empty.
    pub names: Vec<String>,
}

/// Names in a message; more are counted.
const SHOWN: usize = 5;

impl Note {
    /// A note with the first few of the names.
    pub(super) fn new<S: Into<String>>(
        text: impl Into<String>,
        names: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut names = names.into_iter().map(Into::into);
        let mut shown: Vec<String> = names.by_ref().take(SHOWN).collect();
        if names.next().is_some() {
            shown.push("…".to_owned());
        }
        Self { text: text.into(), names: shown }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.names[..] {
            [] => Ok(()),
            names => write!(f, ": {}", names.join(", ")),
        }
    }
}

/// "1 file is", "2 files are", … for a message.
pub(super) fn files_are(count: usize) -> String {
    if count == 1 { "1 file is".to_owned() } else { format!("{count} files are") }
}
