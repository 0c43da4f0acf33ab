//! Which variable and which channels of a file are read.

use super::{Channel, MOST_CHANNELS, Names, RecordingError};

/// What of a file is read; by default all channels of the only variable that can be meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Channels in this order; empty for all of them in the file's order.
    pub channel: Vec<ChannelId>,
    /// A variable of a MAT or NPZ file: its whole name or its ending, such as `DE_time` for `X097_DE_time`.
    ///
    /// The other formats have no variables, and do not look at it.
    pub variable: Option<String>,
}

/// One channel of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelId {
    /// Its position in the file, from 0; a table's columns of time are not counted.
    Index(usize),
    /// Its name, such as a column's header.
    Name(String),
}

/// How an array of `channels` times `length` numbers is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// All samples of a channel, then those of the next.
    Planar,
    /// The first sample of each channel, then the second of each.
    Interleaved,
}

impl Selection {
    /// Positions of the selected channels in a file that has `count`, named or not.
    pub(super) fn channels(
        &self,
        count: usize,
        names: &[String],
    ) -> Result<Vec<usize>, RecordingError> {
        if self.channel.is_empty() {
            return Ok((0..count).collect());
        }
        let find = |id: &ChannelId| match id {
            ChannelId::Index(index) if *index < count => Ok(*index),
            ChannelId::Index(index) => Err(index.to_string()),
            ChannelId::Name(name) => {
                names.iter().position(|n| n == name).ok_or_else(|| format!("\"{name}\""))
            }
        };
        self.channel
            .iter()
            .map(|id| {
                find(id).map_err(|wanted| RecordingError::NoChannel {
                    wanted,
                    available: available(count, names),
                })
            })
            .collect()
    }

    /// The variable that is meant among those with these names; `likely` tells which can be meant if none is named.
    pub(super) fn variable<'a, T>(
        &self,
        variables: &'a [T],
        name: impl Fn(&T) -> &str,
        likely: impl Fn(&T) -> bool,
    ) -> Result<&'a T, RecordingError> {
        let list = |of: &[&T]| Names(of.iter().map(|v| name(v).to_owned()).collect());
        let all: Vec<&T> = variables.iter().collect();
        let Some(wanted) = &self.variable else {
            let candidates: Vec<&T> = all.iter().copied().filter(|v| likely(v)).collect();
            return match (&candidates[..], &all[..]) {
                // Where there is only one, it can be short.
                ([one], _) | ([], [one]) => Ok(one),
                ([], []) => Err(RecordingError::Empty),
                ([], _) => Err(RecordingError::WhichVariable { candidates: list(&all) }),
                _ => Err(RecordingError::WhichVariable { candidates: list(&candidates) }),
            };
        };
        if let Some(exact) = all.iter().find(|v| name(v) == wanted) {
            return Ok(exact);
        }
        let ending: Vec<&T> = all.iter().copied().filter(|v| name(v).ends_with(wanted)).collect();
        match ending[..] {
            [one] => Ok(one),
            [] => Err(RecordingError::NoVariable { wanted: wanted.clone(), available: list(&all) }),
            _ => Err(RecordingError::WhichVariable { candidates: list(&ending) }),
        }
    }

    /// Takes the selected channels out of an array of `channels` times `length` numbers.
    ///
    /// The name goes to the channel if it is the only one of the array.
    pub(super) fn take(
        &self,
        numbers: Vec<f32>,
        channels: usize,
        layout: Layout,
        name: Option<String>,
    ) -> Result<Vec<Channel>, RecordingError> {
        let Some(length) = numbers.len().checked_div(channels).filter(|&length| length > 0) else {
            return Err(RecordingError::Empty);
        };
        if channels > MOST_CHANNELS {
            return Err(RecordingError::too_many_channels(channels as u64));
        }
        let names: Vec<String> = name.clone().filter(|_| channels == 1).into_iter().collect();
        let wanted = self.channels(channels, &names)?;
        if channels == 1 && wanted.len() == 1 {
            check_finite(0, 0, &numbers)?;
            return Ok(vec![Channel { name, samples: numbers }]);
        }
        let samples_of = |channel: usize| -> Vec<f32> {
            match layout {
                Layout::Planar => {
                    numbers.chunks_exact(length).nth(channel).unwrap_or_default().to_vec()
                }
                Layout::Interleaved => {
                    numbers.iter().skip(channel).step_by(channels).copied().collect()
                }
            }
        };
        wanted
            .into_iter()
            .map(|channel| {
                let samples = samples_of(channel);
                check_finite(channel, 0, &samples)?;
                Ok(Channel { name: names.get(channel).cloned(), samples })
            })
            .collect()
    }
}

/// Refuses what is not finite among samples of a channel of which `first` came before.
pub(super) fn check_finite(
    channel: usize,
    first: usize,
    samples: &[f32],
) -> Result<(), RecordingError> {
    match samples.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((index, &value)) => {
            Err(RecordingError::NotFinite { channel, index: first + index, value })
        }
    }
}

fn available(count: usize, names: &[String]) -> Names {
    if names.is_empty() {
        let last = count.saturating_sub(1);
        return Names(vec![format!("channels 0 to {last}")]);
    }
    Names(names.to_vec())
}
