//! Random recordings, and the windows that come out of them by definition: the trainer's reader and
//! the server's are compared with the same.

use drsn_bundle::Padding;

/// Samples of a window.
pub(crate) const WINDOW: usize = 32;

/// Pseudo-random numbers that are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A whole number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn sample(&mut self) -> f32 {
        self.below(1 << 20) as f32 / (1 << 19) as f32 - 1.0
    }
}

/// A recording of this many channels: of any length up to four windows, half of them shorter than
/// one, with channels that are constant for a while.
pub(crate) fn recording(random: &mut Random, channels: usize) -> Vec<Vec<f32>> {
    let longest = [WINDOW + 4, 4 * WINDOW][random.below(2)];
    let length = 1 + random.below(longest);
    let mut recording: Vec<Vec<f32>> =
        (0..channels).map(|_| (0..length).map(|_| random.sample()).collect()).collect();
    for _ in 0..random.below(3) {
        let start = random.below(length);
        let end = (start + 1 + random.below(2 * WINDOW)).min(length);
        let value = random.sample();
        recording[random.below(channels)][start..end].fill(value);
    }
    recording
}

/// What becomes of a recording.
#[derive(Debug, PartialEq)]
pub(crate) enum Expected {
    /// It is refused for its length.
    TooShort,
    /// Its windows, of which some may be left out because a channel in them is constant.
    Windows {
        /// Start and raw samples, channel after channel, of those that remain.
        varying: Vec<(usize, Vec<f32>)>,
        constant: usize,
        is_padded: bool,
    },
}

/// The windows that begin every `hop` samples, with `is_aligned` also the one at the end.
pub(crate) fn expected(
    recording: &[Vec<f32>],
    padding: Option<Padding>,
    hop: usize,
    is_aligned: bool,
) -> Expected {
    let length = recording[0].len();
    if length < WINDOW && (padding.is_none() || length * 16 < WINDOW) {
        return Expected::TooShort;
    }
    let mut starts: Vec<usize> =
        (0..length).step_by(hop).filter(|start| start + WINDOW <= length).collect();
    if is_aligned && starts.last().is_some_and(|last| last + WINDOW < length) {
        starts.push(length - WINDOW);
    }
    if length < WINDOW {
        starts.push(0);
    }
    let varies = |start: &usize| {
        let end = length.min(start + WINDOW);
        let differs = |channel: &[f32]| channel.iter().any(|x| x.to_bits() != channel[0].to_bits());
        recording.iter().all(|channel| differs(&channel[*start..end]))
    };
    let window = |start: usize| {
        let of_channel = |channel: &Vec<f32>| -> Vec<f32> {
            (start..start + WINDOW).map(|at| extended(channel, at, padding)).collect()
        };
        (start, recording.iter().flat_map(of_channel).collect())
    };
    let all = starts.len();
    let varying: Vec<(usize, Vec<f32>)> = starts.into_iter().filter(varies).map(window).collect();
    Expected::Windows { constant: all - varying.len(), varying, is_padded: length < WINDOW }
}

/// A sample of a channel, or what stands behind its end.
fn extended(channel: &[f32], at: usize, padding: Option<Padding>) -> f32 {
    match padding {
        _ if at < channel.len() => channel[at],
        Some(Padding::Repeat) => channel[at % channel.len()],
        Some(Padding::Reflect) => {
            let there: Vec<f32> = channel.to_vec();
            let back = channel.iter().rev().skip(1).take(channel.len().saturating_sub(2));
            let period: Vec<f32> = there.iter().chain(back).copied().collect();
            period[at % period.len()]
        }
        Some(Padding::Zero) | None => 0.0,
    }
}
