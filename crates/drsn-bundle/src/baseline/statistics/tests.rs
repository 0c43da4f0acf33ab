//! Statistics against their definitions, and what they see.

use proptest::prelude::*;

use super::{spectrum::BANDS, *};
use crate::{Filter, Geometry, ImageSpec, Normalization, SignalSpec};

fn signal(channels: usize, window: usize) -> InputSpec {
    InputSpec::Signal(SignalSpec {
        channels,
        window,
        sample_rate_hz: None,
        normalization: Normalization::None,
        source: None,
        padding: None,
    })
}

fn image(height: usize, width: usize) -> InputSpec {
    InputSpec::Image(ImageSpec {
        channels: 1,
        height,
        width,
        geometry: Geometry::Stretch,
        filter: Filter::Triangle,
        mean: vec![0.0],
        std: vec![1.0],
    })
}

fn of(prepared: &[f32], input: &InputSpec) -> Vec<f32> {
    let mut statistics = Vec::new();
    input_statistics(prepared, input, &mut statistics);
    assert_eq!(statistics.len(), statistics_of(input));
    statistics
}

/// Logarithms of the mean square of first and second differences and of the kurtosis of first ones,
/// and the share of equal neighbours, of lines of values.
fn changes(lines: &[Vec<f64>]) -> [f64; 4] {
    let triples: Vec<&[f64]> = lines.iter().flat_map(|line| line.windows(3)).collect();
    let mean = |of: &dyn Fn(&[f64]) -> f64| {
        triples.iter().map(|triple| of(triple)).sum::<f64>() / triples.len().max(1) as f64
    };
    let square = mean(&|t| (t[1] - t[0]).powi(2));
    let fourth = mean(&|t| (t[1] - t[0]).powi(4));
    let second = mean(&|t| (t[2] - 2.0 * t[1] + t[0]).powi(2));
    let equal = mean(&|t| f64::from(u8::from((t[0] - t[1]).abs() < f64::EPSILON)));
    let log = |ratio: f64| ratio.max(MIN_RATIO).ln();
    [log(square), log(second), log(fourth / (square * square).max(1e-12)), equal]
}

/// Values in units of their deviation.
fn scaled(values: &[f32]) -> Vec<f64> {
    let values: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt().max(MIN_DEVIATION);
    values.iter().map(|x| (x - mean) / deviation).collect()
}

fn close(found: &[f32], expected: &[f64]) -> bool {
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-3)
}

proptest! {
    #[test]
    fn a_signals_statistics_are_those_of_the_definition(
        samples in prop::collection::vec((-8_i8..8).prop_map(f32::from), 1..600),
    ) {
        let found = of(&samples, &signal(1, samples.len()));
        let values = scaled(&samples);
        let fourth = values.iter().map(|x| x.powi(4)).sum::<f64>() / values.len() as f64;
        prop_assert!((f64::from(found[0]) - fourth.max(MIN_RATIO).ln()).abs() < 1e-3);
        let sum = |of: &dyn Fn(&[f64]) -> f64| values.windows(3).map(|t| of(t).max(0.0).powi(2)).sum::<f64>();
        let count = samples.len().saturating_sub(2).max(1) as f64;
        let dips = sum(&|t| t[0].min(t[2]) - t[1]) / count;
        let peaks = sum(&|t| t[1] - t[0].max(t[2])) / count;
        prop_assert!(close(&found[1..3], &[dips, peaks].map(|s| (s + EXTREMES_FLOOR).ln())));
        prop_assert!(close(&found[3..], &changes(&[values])));
    }

    #[test]
    fn an_images_statistics_are_those_of_the_definition(
        (width, pixels) in (1_usize..20, 1_usize..20).prop_flat_map(|(height, width)| {
            let pixels = prop::collection::vec((0_u8..5).prop_map(|x| f32::from(x) / 4.0), height * width);
            (Just(width), pixels)
        }),
    ) {
        let found = of(&pixels, &image(pixels.len() / width, width));
        let rows: Vec<Vec<f64>> = scaled(&pixels).chunks(width).map(<[f64]>::to_vec).collect();
        let columns: Vec<Vec<f64>> =
            (0..width).map(|x| rows.iter().map(|row| row[x]).collect()).collect();
        prop_assert!(close(&found[5..9], &changes(&rows)), "{found:?}");
        prop_assert!(close(&found[9..], &changes(&columns)), "{found:?}");
    }
}

#[test]
fn a_gain_and_an_offset_change_nothing_of_a_signal() {
    let samples: Vec<f32> = (0..500).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let louder: Vec<f32> = samples.iter().map(|x| 3.0 * x + 7.0).collect();
    let (usual, changed) = (of(&samples, &signal(1, 500)), of(&louder, &signal(1, 500)));
    assert!(usual.iter().zip(&changed).all(|(a, b)| (a - b).abs() < 1e-4), "{usual:?} {changed:?}");
}

#[test]
fn a_statistic_has_the_name_of_what_changed_in_its_channel() {
    let input = signal(2, 500);
    let mut samples: Vec<f32> = (0..1000).map(|i| (i * 37 % 101) as f32).collect();
    let usual = of(&samples, &input);
    for i in (501..1000).step_by(2) {
        samples[i] = samples[i - 1];
    }
    let repeats = NamedStatistic { what: Statistic::Repeats, axis: None, channel: 1 };
    let changed = of(&samples, &input);
    let at = (0..usual.len()).filter(|&at| NamedStatistic::at(at, &input) == repeats);
    assert!(at.clone().count() == 1 && at.clone().all(|at| usual[at] < 0.01 && changed[at] > 0.49));

    let mut pixels: Vec<f32> = (0..64).map(|i| (i * 37 % 101) as f32).collect();
    for x in 0..8 {
        pixels[8 + x] = pixels[x];
    }
    let found = of(&pixels, &image(8, 8));
    let named = |at: &usize| NamedStatistic::at(*at, &image(8, 8));
    let repeated: Vec<_> = (5..13).filter(|at| named(at).what == Statistic::Repeats).collect();
    let axes = repeated.iter().map(|at| (named(at).axis, found[*at] > 0.0));
    assert!(axes.eq([(Some(Axis::Horizontal), false), (Some(Axis::Vertical), true)]));
}

#[test]
fn the_names_of_statistics_are_those_that_are_serialized() {
    for (what, axis) in OF_IMAGE {
        assert_eq!(serde_json::json!(what), what.name());
        assert!(axis.is_none_or(|axis| serde_json::json!(axis) == axis.name()));
    }
}

#[test]
fn one_dark_pixel_in_a_bright_field_is_a_dip() {
    let mut pixels = vec![1.0; 64];
    pixels[3 * 8 + 4] = 0.0;
    let found = of(&pixels, &image(8, 8));
    let (dips, peaks) = (found[3], found[4]);
    // One of 36 inner pixels, 1 / sqrt(1/64 − 1/64²) deviations below its neighbours.
    let expected = (64.0_f32 * 64.0 / 63.0 / 36.0 + 1e-3).ln();
    assert!((dips - expected).abs() < 1e-3, "{dips} {expected}");
    assert!((peaks - 1e-3_f32.ln()).abs() < 1e-3);
}

#[test]
fn constant_and_tiny_inputs_have_finite_statistics_channel_by_channel() {
    for window in [1, 2, 3, 4, 9] {
        let two = of(&vec![2.5; 2 * window], &signal(2, window));
        assert!(two.iter().all(|x| x.is_finite()), "{two:?}");
        assert_eq!(two[..OF_SIGNAL.len()], two[OF_SIGNAL.len()..]);
    }
    for (height, width) in [(1, 1), (1, 9), (9, 1), (2, 2)] {
        let found = of(&vec![1e30; height * width], &image(height, width));
        assert!(found.iter().all(|x| x.is_finite()), "{found:?}");
    }
    let too_many = signal(MAX_DIMENSIONS, 4);
    assert_eq!(statistics_of(&too_many), 0, "not measured");
}

/// The bands of a prepared signal.
fn bands(samples: &[f32], input: &InputSpec) -> Vec<f32> {
    let mut numbers = Vec::new();
    let mut measure = InputMeasure::new(input, true);
    measure.append(samples, &mut numbers);
    assert_eq!(numbers.len(), measure.width());
    assert_eq!(numbers[..statistics_of(input)], of(samples, input));
    numbers.split_off(statistics_of(input))
}

#[test]
fn a_tone_is_in_its_band_and_noise_in_all_alike() {
    for window in [64, 1000, 2048, 1999] {
        let input = signal(1, window);
        for band in 1..15 {
            // In the middle of the band, as a share of the sample rate.
            let Band { range: [low, high], .. } = Band::at(band);
            let turn = std::f64::consts::PI * (low + high);
            let tone: Vec<f32> = (0..window).map(|at| (turn * at as f64).sin() as f32).collect();
            let found = bands(&tone, &input);
            assert!(found[band] > -0.5, "{window}, {band}: {found:?}");
            let quiet = |&(other, _): &(usize, &f32)| other.abs_diff(band) > 2;
            let largest =
                found.iter().enumerate().filter(quiet).map(|(_, x)| *x).fold(-99.0, f32::max);
            assert!(largest < -4.0, "{window}, {band}: {found:?}");
        }
    }
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    });
    let input = signal(1, 1 << 14);
    let found = bands(&noise.take(1 << 14).collect::<Vec<_>>(), &input);
    assert!(found.iter().all(|share| (share.exp() * 16.0 - 1.0).abs() < 0.2), "{found:?}");
}

#[test]
fn each_channel_has_bands_of_its_own_and_a_gain_changes_none() {
    let samples: Vec<f32> = (0..256).map(|at| ((at * at) as f32 / 9.0).sin()).collect();
    let one = signal(1, 128);
    let [first, second] = [0..128, 128..256].map(|range| bands(&samples[range], &one));
    assert_ne!(first, second);
    let both = bands(&samples, &signal(2, 128));
    assert_eq!(both, [first, second].concat());
    // The squares of the last two are beyond 32-bit floats.
    for gain in [8.0, 1e-30, 1e30] {
        let changed: Vec<f32> = samples.iter().map(|x| gain * x).collect();
        for (a, b) in both.iter().zip(bands(&changed, &signal(2, 128))) {
            assert!((a - b).abs() < 1e-3, "{gain}: {a} {b}");
        }
    }
    assert_eq!((Band::at(3).channel, Band::at(19).channel), (0, 1));
    let range =
        |position: usize| Band::at(position).range.map(|edge| (32.0 * edge).round() as usize);
    assert_eq!([range(0), range(31)], [[0, 1], [15, 16]]);
}

#[test]
fn images_short_windows_and_too_many_channels_have_no_bands_and_silence_has() {
    assert_eq!(bands_of(&image(8, 8)), 0);
    assert_eq!([63, 64].map(|window| bands_of(&signal(1, window))), [0, BANDS]);
    assert_eq!(bands_of(&signal(257, 64)), 0);
    assert!(bands(&[0.0; 64], &signal(1, 64)).iter().all(|band| band.is_finite()));
}
