//! Converts what came for a model to protobuf messages, which have the same fields as the JSON answer.

use super::proto::drsn as message;
use crate::inference::rolling::{
    ChangeStanding, ClassCount, Moment, Name, ShiftCounts, Span, View,
};

impl From<View<'_>> for message::ShiftResponse {
    fn from(view: View<'_>) -> Self {
        let View { model: Name { name, version }, since, now, alarm_level, change, hour, day } =
            view;
        Self {
            model: Some(message::Model { name: name.to_owned(), version: version.to_owned() }),
            since,
            now,
            alarm_level,
            change: change.map(Into::into),
            hour: Some(hour.into()),
            day: Some(day.into()),
        }
    }
}

impl From<ChangeStanding> for message::RollingChange {
    fn from(ChangeStanding { alarm, evidence, since }: ChangeStanding) -> Self {
        Self { alarm, evidence, since }
    }
}

impl From<Span<'_>> for message::RollingSpan {
    fn from(span: Span<'_>) -> Self {
        let class = |class: ClassCount<'_>| message::RollingClass {
            label: class.label.to_owned(),
            class_index: class.class_index as u32,
            count: class.count,
        };
        Self {
            start: span.start,
            predictions: span.predictions,
            classes: span.classes.into_iter().map(class).collect(),
            input_shift: span.input_shift.map(Into::into),
            input_level: span
                .input_level
                .map(|level| message::RollingLevel { inputs: level.inputs, alarms: level.alarms }),
            timeline: span.timeline.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ShiftCounts<'_>> for message::RollingShift {
    fn from(shift: ShiftCounts<'_>) -> Self {
        let ShiftCounts { inputs, alarms, p_values, blocks } = shift;
        let bins = p_values.into_iter();
        let blocks = blocks.into_iter();
        Self {
            inputs,
            alarms,
            p_values: bins
                .map(|bin| message::RollingBin { le: bin.le, count: bin.count })
                .collect(),
            blocks: blocks
                .map(|block| message::RollingBlock { name: block.name.to_owned(), z: block.z })
                .collect(),
        }
    }
}

impl From<Moment> for message::RollingMoment {
    fn from(moment: Moment) -> Self {
        let Moment { start, predictions, shift_inputs, shift_alarms, level_alarms } = moment;
        Self { start, predictions, shift_inputs, shift_alarms, level_alarms }
    }
}
