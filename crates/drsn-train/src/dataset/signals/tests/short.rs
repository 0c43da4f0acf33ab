//! Recordings that are shorter than a window, or too short to be divided.

use std::collections::BTreeMap;

use drsn_bundle::Padding;

use super::{
    random_recordings::{Expected, Random, WINDOW, expected, recording},
    *,
};

fn padded(padding: PaddingConfig, split: Split) -> SignalConfig {
    SignalConfig { padding, split, ..config() }
}

#[test]
fn a_short_recording_is_one_window_as_the_recipe_says() {
    for (padding, values) in [
        (PaddingConfig::Zero, [5.0_f32, 7.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (PaddingConfig::Repeat, [5.0, 7.0, 9.0, 5.0, 7.0, 9.0, 5.0, 7.0, 9.0, 5.0]),
        (PaddingConfig::Reflect, [5.0, 7.0, 9.0, 7.0, 5.0, 7.0, 9.0, 7.0, 5.0, 7.0]),
    ] {
        let short = wav(&[5, 7, 9], 8000);
        let (x, test) = (("train/a/x.wav", ramp(20)), ("test/a/t.wav", ramp(10)));
        let folder = folder(&[x, ("train/b/y.wav", short), test]);
        let data = open_folder(folder.path(), &padded(padding, LIST)).unwrap();
        assert_eq!(data.training.indices.len(), 3 + 1);
        let (label, window) = read_all(&data.training).pop().unwrap();
        let expected = values.map(|x| x / 32768.0);
        assert_eq!((label, window.row(0).to_vec()), (1, expected.to_vec()));
        let name = data.training.source.name(data.training.indices[3]);
        assert!(name.ends_with("b/y.wav, samples 0 to 2, padded"), "{name}");
        let told = "1 recording is shorter than a window of 10, and extended to one";
        assert!(data.description.contains(told), "{}", data.description);
        let InputSpec::Signal(spec) = &data.input else { panic!("no signal") };
        assert_eq!(spec.padding, padding.rule());
    }
}

#[test]
fn what_is_too_short_is_refused_and_a_constant_one_left_out() {
    let files = |short: &[i16]| {
        let (x, y) = (("train/a/x.wav", ramp(200)), ("train/b/y.wav", ramp(200)));
        folder(&[x, y, ("train/b/z.wav", wav(short, 8000)), ("test/a/t.wav", ramp(100))])
    };
    let zero = SignalConfig { window: 100, ..padded(PaddingConfig::Zero, LIST) };
    let said = refuse(&files(&[1, 2, 3, 4, 5, 6]), &zero);
    let expected = "its 6 samples are too few for a window of 100, to which data.padding extends \
                    recordings of 7 samples or more";
    assert!(said.contains(expected), "{said}");
    let constant = files(&[3; 50]);
    let data = open_folder(constant.path(), &zero).unwrap();
    let told = "1 of 44 windows were left out because a channel is constant";
    assert!(data.description.contains(told), "{}", data.description);
    let said = refuse(&constant, &SignalConfig { padding: PaddingConfig::Refuse, ..zero });
    assert!(said.contains("--set data.padding=zero, repeat or reflect"), "{said}");
}

/// A split that divides recordings in time takes a share of those that are too short for it.
#[test]
fn recordings_that_are_too_short_to_be_divided_are_drawn_whole_and_copies_together() {
    let twin = ramp(8);
    let twins = ["a/0.wav", "a/4.wav", "a/8.wav"];
    let names: Vec<String> = (0..40).map(|n| format!("{}/{n}.wav", ["a", "b"][n % 2])).collect();
    // Shorter than a window, and longer without enough to train on.
    let content = |n: usize| ramp([8, 12][n / 2 % 2]);
    let files: Vec<(&str, Vec<u8>)> = names
        .iter()
        .enumerate()
        .map(|(n, name)| (&name[..], content(n)))
        .map(|(name, own)| (name, if twins.contains(&name) { twin.clone() } else { own }))
        .collect();
    let folder = folder(&files);
    let parts = |split: Split, seed| {
        let config = padded(PaddingConfig::Repeat, split);
        let data = open(seed, &config, folder.path(), None, false).unwrap();
        let told = "40 recordings are too short to be divided in time, and drawn whole for a part \
                    of the split";
        assert!(data.description.contains(told), "{}", data.description);
        let names = |part: Option<&Part>| -> Vec<String> {
            let Some(Part { source, indices }) = part else { return Vec::new() };
            let mut names: Vec<String> = indices
                .iter()
                .map(|&index| source.name(index).split(',').next().unwrap_or_default().to_owned())
                .collect();
            names.sort();
            names
        };
        let parts = [Some(&data.training), Some(&data.held_out), data.test.as_ref()].map(names);
        assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 40);
        let has_twins =
            |part: &Vec<String>| twins.iter().all(|twin| part.contains(&(*twin).to_owned()));
        assert!(parts.iter().any(has_twins), "{parts:?}");
        parts
    };
    let time = || Split::Time { training: 0.6, held_out: 0.2 };
    let drawn = parts(time(), 1);
    for (part, expected) in drawn.iter().zip([24_usize, 8, 8]) {
        // The copies may move two recordings from one side to another.
        assert!(part.len().abs_diff(expected) <= 2, "{}", part.len());
    }
    assert_eq!(parts(time(), 1), drawn);
    assert_ne!(parts(time(), 2), drawn);
}

/// Random recordings, against the definition that the server is compared with, too.
#[test]
fn exactly_the_windows_of_the_definition_come_out_of_random_recordings() {
    let mut random = Random(7);
    for round in 0..36 {
        let channels = 1 + round % 3;
        let (padding, rule) = [
            (PaddingConfig::Refuse, None),
            (PaddingConfig::Zero, Some(Padding::Zero)),
            (PaddingConfig::Repeat, Some(Padding::Repeat)),
            (PaddingConfig::Reflect, Some(Padding::Reflect)),
        ][random.below(4)];
        let hop = 1 + random.below(WINDOW + 8);
        let recordings: Vec<Vec<Vec<f32>>> =
            (0..12).map(|_| recording(&mut random, channels)).collect();
        let data =
            opened(&recordings, &SignalConfig { window: WINDOW, hop, ..padded(padding, LIST) });
        let mut found = windows(&data, channels);
        for (number, recording) in recordings.iter().enumerate() {
            let context = format!("round {round}, hop {hop}, {padding:?}, {recording:?}");
            let found = found.remove(&number).unwrap_or_default();
            let name = format!("/{number}.wav");
            let is_skipped = data.skipped.iter().any(|skipped| skipped.contains(&name));
            match expected(recording, rule, hop, false) {
                Expected::TooShort => assert!(is_skipped && found.is_empty(), "{context}"),
                Expected::Windows { varying, .. } => {
                    assert!(!is_skipped, "{context}");
                    assert_eq!(found, varying, "{context}");
                }
            }
        }
    }
}

/// The recordings under two labels, with one of each that has a window.
fn opened(recordings: &[Vec<Vec<f32>>], config: &SignalConfig) -> Data {
    let good = |class: usize| -> Vec<Vec<f32>> {
        let channel = || (0..WINDOW).map(|n| (n * n % 17 + class) as f32).collect();
        recordings[0].iter().map(|_| channel()).collect()
    };
    let mut files: Vec<(String, Vec<u8>)> = ["a", "b"]
        .into_iter()
        .enumerate()
        .map(|(class, label)| (format!("train/{label}/good.wav"), float_wav(&good(class))))
        .collect();
    files.push(("test/a/good.wav".to_owned(), float_wav(&good(2))));
    let named = |(n, recording): (usize, &Vec<Vec<f32>>)| {
        (format!("train/{}/{n}.wav", ["a", "b"][n % 2]), float_wav(recording))
    };
    files.extend(recordings.iter().enumerate().map(named));
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(name, bytes)| (&name[..], bytes.clone())).collect();
    open(1, config, folder(&files).path(), None, true).unwrap()
}

/// The windows of each recording by its number: start and samples.
fn windows(data: &Data, channels: usize) -> BTreeMap<usize, Vec<(usize, Vec<f32>)>> {
    let mut found = BTreeMap::<_, Vec<_>>::new();
    for &index in &data.training.indices {
        let name = data.training.source.name(index);
        let (file, place) = name.split_once(".wav, samples ").unwrap();
        let Ok(number) = file.rsplit('/').next().unwrap().parse() else { continue };
        let start = place.split(' ').next().unwrap().parse().unwrap();
        let mut values = Array2::zeros((channels, WINDOW));
        data.training.source.read(index, 0, values.view_mut().into_dyn()).unwrap();
        found.entry(number).or_default().push((start, values.into_raw_vec_and_offset().0));
    }
    found
}

/// A WAV file of 32-bit floats.
fn float_wav(channels: &[Vec<f32>]) -> Vec<u8> {
    let count = channels.len() as u16;
    let frames = (0..channels[0].len()).flat_map(|at| channels.iter().map(move |c| c[at]));
    let data: Vec<u8> = frames.flat_map(f32::to_le_bytes).collect();
    let mut file = wav(&[], 8000);
    file.truncate(36);
    file[20..24].copy_from_slice(&[3, 0, count as u8, 0]);
    file[28..32].copy_from_slice(&(8000 * 4 * u32::from(count)).to_le_bytes());
    file[32..36].copy_from_slice(&[4 * count as u8, 0, 32, 0]);
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}
