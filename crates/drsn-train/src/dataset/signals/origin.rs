//! The variable and the channels that were taken of the training files, as far as they are the same
//! for all.

use drsn_bundle::SignalSource;
use drsn_recording::{ChannelId, Recording, Selection};

/// What was taken of the files so far.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// The variable that was asked for.
    wanted_variable: Common<String>,
    /// The variable that was read.
    variable: Common<String>,
    /// The channels that were asked for.
    wanted_channels: Common<Vec<String>>,
    /// The names of the channels that were read.
    names: Common<Vec<String>>,
    /// The variable of the sample rate.
    rate_variable: Common<String>,
    /// The lines that were left out at the start.
    skip_lines: Common<u64>,
}

/// A value that may be the same for all files.
#[derive(Debug, Default)]
enum Common<T> {
    #[default]
    Unknown,
    Same(T),
    Different,
}

impl Origin {
    /// Adds a recording that was read by a selection.
    pub(super) fn add(&mut self, recording: &Recording, selection: &Selection) {
        // A selection may be for several formats; some have no variables.
        let wanted = selection.variable.clone().filter(|_| recording.variable.is_some());
        self.wanted_variable.add(wanted);
        self.variable.add(recording.variable.clone());
        let wanted: Vec<String> = selection.channel.iter().map(ChannelId::to_string).collect();
        self.wanted_channels.add((!wanted.is_empty()).then_some(wanted));
        let rate_variable = selection.rate_variable.clone();
        self.rate_variable.add(rate_variable.filter(|_| recording.variable.is_some()));
        self.skip_lines.add(Some(selection.skip_lines));
        // A variable that holds one channel gives it its own name.
        let is_variable =
            recording.variable.is_some() && recording.names == [recording.variable.clone()];
        let names: Option<Vec<String>> = recording.names.iter().cloned().collect();
        self.names.add(names.filter(|_| !is_variable));
    }

    /// What is the same for all files; `None` if nothing is.
    pub(super) fn source(self) -> Option<SignalSource> {
        let source = SignalSource {
            variable: self.wanted_variable.get().or_else(|| self.variable.get()),
            channels: self.names.get().or_else(|| self.wanted_channels.get()).unwrap_or_default(),
            rate_variable: self.rate_variable.get(),
            skip_lines: self.skip_lines.get().unwrap_or_default(),
        };
        (!source.is_empty()).then_some(source)
    }
}

impl<T: PartialEq> Common<T> {
    fn add(&mut self, value: Option<T>) {
        *self = match (std::mem::replace(self, Self::Different), value) {
            (Self::Unknown, Some(value)) => Self::Same(value),
            (Self::Same(known), Some(value)) if known == value => Self::Same(value),
            _ => Self::Different,
        };
    }

    fn get(self) -> Option<T> {
        match self {
            Self::Same(value) => Some(value),
            Self::Unknown | Self::Different => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// A recording with this variable and these names of channels.
    fn recording(variable: Option<&str>, names: &[Option<&str>]) -> Recording {
        let names = names.iter().map(|name| name.map(str::to_owned)).collect::<Vec<_>>();
        let samples = Array2::zeros((names.len(), 4));
        let variable = variable.map(str::to_owned);
        Recording { variable, ..Recording::new(samples, names, None) }
    }

    fn source(
        variable: Option<&str>,
        files: &[(&[&str], Recording)],
    ) -> Option<(Option<String>, String)> {
        let mut origin = Origin::default();
        for (channels, recording) in files {
            let channel = |text: &&str| {
                text.parse().map_or_else(|_| ChannelId::Name((*text).to_owned()), ChannelId::Index)
            };
            let channel = channels.iter().map(channel).collect();
            let variable = variable.map(str::to_owned);
            origin.add(recording, &Selection { channel, variable, ..Selection::default() });
        }
        origin.source().map(|source| (source.variable, source.channels.join(",")))
    }

    #[test]
    fn what_all_files_have_in_common_is_remembered() {
        let bearing = |number: usize| {
            let name = format!("X{number}_DE_time");
            recording(Some(&name), &[Some(&name)])
        };
        let some = |text: &str| Some(text.to_owned());
        let two = [(&[][..], bearing(97)), (&[], bearing(98))];
        assert_eq!(source(Some("DE_time"), &two), Some((some("DE_time"), String::new())));
        assert_eq!(source(None, &two), None);
        assert_eq!(source(None, &two[..1]), Some((some("X97_DE_time"), String::new())));
        let table = || recording(None, &[Some("x"), Some("y")]);
        let other = recording(None, &[Some("x"), Some("z")]);
        let tables = [(&["1", "2"][..], table()), (&["1", "2"], table())];
        assert_eq!(source(None, &tables), Some((None, "x,y".to_owned())));
        let differ = [(&["1", "2"][..], table()), (&["1", "2"], other)];
        assert_eq!(source(None, &differ), Some((None, "1,2".to_owned())));
        let bare = [(&["3"][..], recording(None, &[None])), (&["3"], recording(None, &[None]))];
        assert_eq!(source(None, &bare), Some((None, "3".to_owned())));
        assert_eq!(source(None, &[(&[][..], recording(None, &[None, None]))]), None);
    }
}
