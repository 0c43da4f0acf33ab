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
    /// The approximate memory of what was taken, in bytes; the inputs of one file share it.
    pub(crate) fn bytes(&self) -> usize {
        let Some(taken) = &self.taken else { return 0 };
        let texts = taken.variable.as_ref().map_or(0, String::len)
            + taken.channels.iter().map(String::len).sum::<usize>()
            + taken.notices.iter().map(|notice| notice.message.len()).sum::<usize>();
        let entries =
            taken.channels.len() * size_of::<String>() + taken.notices.len() * size_of::<Notice>();
        size_of::<Taken>() + entries + texts
    }

    /// The approximate memory of its part in an answer, in bytes: each input's own copy, and its
    /// text.
    pub(crate) fn bytes_in_answer(&self) -> usize {
        2 * (self.name.as_ref().map_or(0, String::len) + self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use drsn_recording::NoticeCode;

    use super::*;

    /// Twenty thousand inputs of one file each repeat its channels and notices in the answer: with
    /// names of 100 letters and 16 notices that was a hundred megabytes that nobody had reserved.
    #[test]
    fn what_each_input_repeats_of_its_file_is_counted_for_its_answer() {
        let message = "m".repeat(300);
        let notice = Notice { code: NoticeCode::RateAssumed, message };
        let taken = Taken {
            variable: Some("v".repeat(100)),
            channels: vec!["c".repeat(100); 4],
            sample_rate_hz: None,
            notices: vec![notice; 16],
        };
        let origin = Origin { name: Some("n".repeat(255)), taken: Some(Arc::new(taken)) };
        let texts = 255 + 100 + 4 * 100 + 16 * 300;
        assert!(origin.bytes_in_answer() >= 2 * texts, "{}", origin.bytes_in_answer());
        assert_eq!(Origin::default().bytes_in_answer(), 0);
    }
}
