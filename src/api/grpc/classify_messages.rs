//! Converts answers to protobuf messages, which have the same fields as the JSON answer.

use drsn_bundle::baseline::{Axis, InputLevel, InputShift, LevelCause, ShiftReason};

use super::proto::drsn as message;
use crate::{
    engine::model::Model,
    inference::{
        classify::{Answer, Timing},
        diagnostics::{
            BandCause, BlockDiagnostics, Caused, Change, ChannelCause, ClassMap, ClassProbability,
            Detail, Diagnostics, ImageMap, NearestClass, NoticeText, Prediction, Segment, Shift,
            ShiftAnswer, ShiftCauses, SignalMap, Spread, StatisticCause, WindowPrediction,
        },
    },
};

/// The level of detail that a message asks for; `None` if the number is unknown.
pub(super) fn detail(number: i32) -> Option<Detail> {
    match message::Detail::try_from(number).ok()? {
        message::Detail::Unspecified | message::Detail::Summary => Some(Detail::Summary),
        message::Detail::None => Some(Detail::None),
        message::Detail::Full => Some(Detail::Full),
    }
}

pub(super) fn model(model: &Model) -> message::Model {
    message::Model { name: model.labels.model.clone(), version: model.labels.version.clone() }
}

impl From<Answer<'_>> for message::ClassifyResponse {
    fn from(answer: Answer<'_>) -> Self {
        let Timing { decode_us, queue_us, inference_us, batch_size } = answer.timing;
        Self {
            model: Some(message::Model {
                name: answer.model.name.to_owned(),
                version: answer.model.version.to_owned(),
            }),
            predictions: answer.predictions.into_iter().map(Into::into).collect(),
            timing: Some(message::Timing {
                decode_us,
                queue_us,
                inference_us,
                batch_size: batch_size as u64,
            }),
        }
    }
}

impl From<Prediction<'_>> for message::Prediction {
    fn from(prediction: Prediction<'_>) -> Self {
        Self {
            index: prediction.input.index as u64,
            name: prediction.input.name,
            label: prediction.label.to_owned(),
            class_index: prediction.class_index as u32,
            probability: prediction.probability,
            probabilities: prediction.probabilities.into_iter().map(Into::into).collect(),
            windows: prediction.windows.into_iter().map(Into::into).collect(),
            diagnostics: prediction.diagnostics.map(Into::into),
            variable: prediction.input.variable,
            channels: prediction.input.channels,
            sample_rate_hz: prediction.input.sample_rate_hz,
            notices: prediction.notices.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<NoticeText> for message::Notice {
    fn from(notice: NoticeText) -> Self {
        Self { code: notice.code.to_owned(), message: notice.message }
    }
}

impl From<ClassProbability<'_>> for message::ClassProbability {
    fn from(class: ClassProbability<'_>) -> Self {
        Self {
            label: class.label.to_owned(),
            class_index: class.class_index as u32,
            probability: class.probability,
        }
    }
}

impl From<Diagnostics<'_>> for message::Diagnostics {
    fn from(diagnostics: Diagnostics<'_>) -> Self {
        Self {
            input_shift: diagnostics.input_shift.map(Into::into),
            input_level: diagnostics.input_level.map(Into::into),
            blocks: diagnostics.blocks.into_iter().map(Into::into).collect(),
            map: diagnostics.map.map(Into::into),
        }
    }
}

impl From<Segment<'_>> for message::Segment {
    fn from(segment: Segment<'_>) -> Self {
        let Segment { start, end, label, class_index } = segment;
        Self {
            start: start as u64,
            end: end as u64,
            label: label.to_owned(),
            class_index: class_index as u32,
        }
    }
}

impl From<ClassMap<'_>> for message::ClassMap {
    fn from(map: ClassMap<'_>) -> Self {
        match map {
            ClassMap::Signal(SignalMap {
                class_index,
                bias,
                start,
                end,
                step,
                values,
                segments,
            }) => {
                let gaps = values.iter().enumerate().filter(|(_, value)| value.is_none());
                Self {
                    class_index: class_index as u32,
                    bias,
                    start: start as u64,
                    end: end as u64,
                    step,
                    gaps: gaps.map(|(at, _)| at as u32).collect(),
                    values: values.into_iter().map(Option::unwrap_or_default).collect(),
                    segments: segments.into_iter().flatten().map(Into::into).collect(),
                    ..Self::default()
                }
            }
            ClassMap::Image(ImageMap { class_index, bias, height, width, values }) => Self {
                class_index: class_index as u32,
                bias,
                height: height as u32,
                width: width as u32,
                values: values.into_iter().flatten().collect(),
                ..Self::default()
            },
        }
    }
}

impl From<WindowPrediction<'_>> for message::Window {
    fn from(window: WindowPrediction<'_>) -> Self {
        Self {
            start: window.start as u64,
            end: window.end as u64,
            class_index: window.class_index as u32,
            probability: window.probability,
            input_shift: window.input_shift.flatten().map(Into::into),
        }
    }
}

impl From<ShiftAnswer<'_>> for message::InputShift {
    fn from(ShiftAnswer { judged, causes, changes }: ShiftAnswer<'_>) -> Self {
        let ShiftCauses { causes, statistics, bands, nearest } = causes;
        let shift = match judged {
            Shift::Input(shift) => shift.into(),
            Shift::Windows(shift) => Self {
                score: shift.score,
                p_value: Some(shift.p_value),
                alarm: shift.alarm,
                alarm_share: Some(shift.alarm_share),
                reason: shift.reason.map(reason),
                ..Self::default()
            },
        };
        let change = |Change { start, found, end }| message::Change { start, found, end };
        Self {
            causes: causes.into_iter().map(Into::into).collect(),
            statistics: statistics.into_iter().map(Into::into).collect(),
            bands: bands.into_iter().map(Into::into).collect(),
            nearest: nearest.into_iter().map(Into::into).collect(),
            changes: changes.into_iter().map(change).collect(),
            ..shift
        }
    }
}

fn reason(reason: ShiftReason) -> String {
    reason.name().to_owned()
}

impl From<ChannelCause<'_>> for message::ShiftCause {
    fn from(ChannelCause { block, channel, z, share }: ChannelCause<'_>) -> Self {
        Self { block: block.to_owned(), channel: channel as u32, z, share }
    }
}

impl From<StatisticCause> for message::StatisticCause {
    fn from(StatisticCause { what, axis, channel, z, share }: StatisticCause) -> Self {
        let axis = axis.map(Axis::name).map(str::to_owned);
        Self { what: what.name().to_owned(), axis, channel: channel as u32, z, share }
    }
}

impl From<BandCause> for message::BandCause {
    fn from(BandCause { low, high, channel, change_db, z }: BandCause) -> Self {
        Self { low, high, channel: channel as u32, change_db, z }
    }
}

impl From<NearestClass<'_>> for message::NearestClass {
    fn from(NearestClass { label, class_index, distance }: NearestClass<'_>) -> Self {
        Self { label: label.to_owned(), class_index: class_index as u32, distance }
    }
}

impl From<InputShift> for message::InputShift {
    fn from(shift: InputShift) -> Self {
        Self {
            score: shift.score,
            p_value: Some(shift.p_value),
            alarm: shift.alarm,
            reason: shift.reason.map(reason),
            ..Self::default()
        }
    }
}

impl From<Caused<InputLevel, LevelCause>> for message::InputLevel {
    fn from(Caused { judged, causes }: Caused<InputLevel, LevelCause>) -> Self {
        let InputLevel { rms, offset, peak, clipped, p_value, alarm } = judged;
        let causes = causes.into_iter().map(|cause| message::LevelCause {
            what: cause.what.name().to_owned(),
            channel: cause.channel as u32,
            z: cause.z,
        });
        Self { rms, offset, peak, clipped, p_value, alarm, causes: causes.collect() }
    }
}

impl From<BlockDiagnostics<'_>> for message::Block {
    fn from(block: BlockDiagnostics<'_>) -> Self {
        let channel = |channel: crate::inference::diagnostics::Channel| message::Channel {
            threshold: channel.threshold,
            scale: channel.scale,
            mean_abs: channel.mean_abs,
            zeroed: channel.zeroed,
            mean_abs_after: channel.mean_abs_after,
        };
        Self {
            name: block.name.to_owned(),
            channels: block.channels as u32,
            threshold: Some(block.threshold.into()),
            scale: block.scale.map(Into::into),
            channel: block.channel.into_iter().flatten().map(channel).collect(),
        }
    }
}

impl From<Spread> for message::Spread {
    fn from(Spread { mean, min, max }: Spread) -> Self {
        Self { mean, min, max }
    }
}
