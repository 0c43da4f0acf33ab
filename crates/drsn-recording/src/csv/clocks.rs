//! Which column of times belongs to the channels, if there are several: programs of measurement write
//! one before each channel, or before those of each rate.

use super::{
    clock::Clock,
    layout::{Column, Layout, Role},
    names::words,
};
use crate::{RecordingError, error::Names};

/// The largest difference between clocks of one rate, as a share of it.
const SAME: f64 = 0.01;

/// A column of times.
#[derive(Clone, Copy)]
struct Time<'a> {
    at: usize,
    column: &'a Column,
    unit: Option<f64>,
}

impl Time<'_> {
    /// Samples a second by its first times, if their unit is known.
    fn rate(&self) -> Option<f64> {
        let rate = 1.0 / (self.column.step? * self.unit?);
        (rate.is_finite() && rate > 0.0).then_some(rate)
    }
}

/// The column of times of the channels in these columns: the one that is called like the channel, or
/// the last one before it of a known unit, or else the last one before it, or the first one.
///
/// # Errors
/// [`RecordingError::Unsupported`] if two channels have clocks of different rates.
pub(super) fn clock<'a>(
    layout: &'a Layout,
    channels: &[usize],
) -> Result<Option<Clock>, RecordingError> {
    let time = |(at, column): (usize, &'a Column)| match column.role {
        Role::Time { unit } => Some(Time { at, column, unit }),
        Role::Signal | Role::Counter | Role::NoNumbers | Role::Margin => None,
    };
    let times: Vec<Time<'_>> = layout.columns.iter().enumerate().filter_map(time).collect();
    let known = || times.iter().filter(|time| time.unit.is_some());
    let of = |channel: usize| {
        let name = layout.columns.get(channel).map_or("", |column| &column.name);
        let called = times.iter().find(|time| is_called_like(&time.column.name, name));
        let before = || times.iter().rfind(|time| time.at < channel);
        let known_before = || known().rfind(|time| time.at < channel);
        let known = || known_before().or_else(|| known().next());
        called.or_else(known).or_else(before).or(times.first())
    };
    let Some(&first) = channels.first() else { return Ok(None) };
    let Some(own) = of(first) else { return Ok(None) };
    for &channel in channels {
        let Some(other) = of(channel).filter(|other| other.at != own.at) else { continue };
        let (Some(rate), Some(other_rate)) = (own.rate(), other.rate()) else { continue };
        if (rate - other_rate).abs() > SAME * rate {
            return Err(RecordingError::Unsupported(format!(
                "its channels have different sample rates: {rate:.6} Hz by the column {}, and {other_rate:.6} Hz by {}; choose channels of one of them by `channel`",
                Names::from_iter([&own.column.name]),
                Names::from_iter([&other.column.name]),
            )));
        }
    }
    Ok(Some(Clock::new(own.at, own.unit)))
}

/// Whether a column of times has all words of a channel's name in its own, as `B_time` of `B`.
fn is_called_like(time: &str, channel: &str) -> bool {
    let (time, channel) = (words(time), words(channel));
    !channel.is_empty() && time.len() > channel.len() && channel.iter().all(|w| time.contains(w))
}
