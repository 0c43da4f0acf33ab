//! Where an input is from, and what was taken of its file.

use std::sync::Arc;

use drsn_recording::Notice;

/// Where an input is from.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Origin {
    /// The name of its file, if it came as a named one.
    pub(crate) name: Option<String>,
    /// What was taken of a recording; the inputs of one file share it.
    pub(crate) taken: Option<Arc<Taken>>,
}

/// What was taken of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Taken {
    /// The variable of the file, with its path.
    pub(crate) variable: Option<String>,
    /// Each channel's name, or else its position in the file.
    pub(crate) channels: Vec<String>,
    /// Samples per second, before resampling.
    pub(crate) sample_rate_hz: Option<f64>,
    /// What was assumed or repaired.
    pub(crate) notices: Vec<Notice>,
}

impl Origin {
    /// The approximate memory of what was taken, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let Some(taken) = &self.taken else { return 0 };
        let texts = taken.channels.iter().map(String::len).sum::<usize>()
            + taken.notices.iter().map(|notice| notice.message.len()).sum::<usize>();
        size_of::<Taken>() + texts
    }
}
