//! Counts the windows of a recording, and those that are left out because a channel is constant.

use drsn_bundle::PrepareError;
use drsn_recording::{Notice, NoticeCode};

use super::in_flight::{ConstantWindow, Span};
use crate::{error::ApiError, inference::decode::prepare_error};

/// The windows of one recording so far.
#[derive(Debug, Default)]
pub(crate) struct WindowTally {
    classified: usize,
    constant: usize,
    /// The first that is constant.
    first: Option<ConstantWindow>,
}

impl WindowTally {
    /// Counts a window: one that is classified, or the one that is left out.
    pub(crate) fn add(&mut self, left_out: Option<ConstantWindow>) {
        match left_out {
            None => self.classified += 1,
            Some(window) => {
                self.constant += 1;
                self.first.get_or_insert(window);
            }
        }
    }

    /// All windows.
    pub(crate) fn total(&self) -> usize {
        self.classified + self.constant
    }

    /// Rejects a recording of which nothing is left.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) with its first
    /// window.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match &self.first {
            Some(ConstantWindow { span, reason }) if self.classified == 0 => {
                Err(span.error(&prepare_error(reason)))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Tells how many windows were left out, and where the first of them is.
    pub(crate) fn notice(&self) -> Option<Notice> {
        let Some(ConstantWindow { span: Span { start, end }, reason }) = &self.first else {
            return None;
        };
        let PrepareError::Constant { channel, value } = reason else { return None };
        let (constant, total) = (self.constant, self.total());
        Some(NoticeCode::ConstantWindows.because(format!(
            "{constant} of {total} windows were left out because a channel in them is constant, as that of a dead sensor is; the first is that of samples {start} to {end}, in which channel {channel} is {value}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(start: usize) -> ConstantWindow {
        let reason = PrepareError::Constant { channel: 1, value: 0.5 };
        ConstantWindow { span: Span { start, end: start + 8 }, reason }
    }

    #[test]
    fn constant_windows_are_told_unless_there_is_nothing_else() {
        let mut tally = WindowTally::default();
        assert_eq!((tally.check(), tally.notice()), (Ok(()), None));
        tally.add(Some(constant(8)));
        tally.add(Some(constant(16)));
        let refusal = tally.check().unwrap_err().detail;
        assert!(refusal.starts_with("the window of samples 8 to 16: channel 1 is constant (0.5)"));
        tally.add(None);
        assert_eq!(tally.check(), Ok(()));
        assert_eq!(
            tally.notice().unwrap().message,
            "2 of 3 windows were left out because a channel in them is constant, as that of a dead \
             sensor is; the first is that of samples 8 to 16, in which channel 1 is 0.5"
        );
    }
}
