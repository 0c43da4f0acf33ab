//! Which axis of a matrix is time: the longer one, whatever file it is from.

use crate::{Notice, NoticeCode, RecordingError};

/// Most channels of an array with the samples first. A recording of more channels than samples is
/// hardly meant, but one of many channels and little more samples may be.
const MOST: usize = 64;

/// How a matrix is taken.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Axes {
    /// `[C, T]`.
    ChannelsFirst,
    /// `[T, C]`, with a notice unless there is only one channel.
    SamplesFirst(Option<Notice>),
}

impl Axes {
    /// The axes of a matrix of this shape. Of equal ones, the first is time if `columns_are_channels`,
    /// as in MATLAB, and the last otherwise, as in NumPy.
    ///
    /// # Errors
    /// [`RecordingError::Empty`], and a refusal if there are more rows than columns and more columns
    /// than a recording has channels.
    pub(crate) fn of(
        [rows, columns]: [usize; 2],
        columns_are_channels: bool,
    ) -> Result<Self, RecordingError> {
        let told = |why: &str| {
            NoticeCode::Transposed.because(format!(
                "its shape is [{rows}, {columns}], and it was read as {columns} channels of {rows} \
                 samples: {why}"
            ))
        };
        match (rows, columns) {
            (0, _) | (_, 0) => Err(RecordingError::Empty),
            (_, 1) => Ok(Self::SamplesFirst(None)),
            _ if rows == columns && columns_are_channels => {
                Ok(Self::SamplesFirst(Some(told("its columns were taken as channels"))))
            }
            _ if rows <= columns => Ok(Self::ChannelsFirst),
            (_, ..=MOST) => Ok(Self::SamplesFirst(Some(told("the longer axis is time")))),
            _ => Err(RecordingError::Unsupported(format!(
                "its shape is [{rows}, {columns}], and neither axis is clearly the channels: \
                 save it as [channels, samples], with at most as many channels as samples"
            ))),
        }
    }
}
