//! Every reader of recordings: the first byte chooses the format, unless the rest says it.
#![no_main]

use drsn_recording::{Limits, Recording, RecordingFormat, Selection, resample};
use libfuzzer_sys::fuzz_target;

const FORMATS: [RecordingFormat; 7] = [
    RecordingFormat::Wav,
    RecordingFormat::Csv,
    RecordingFormat::Npy,
    RecordingFormat::Npz,
    RecordingFormat::Mat,
    RecordingFormat::Aiff,
    RecordingFormat::Flac,
];

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, file)) = bytes.split_first() else { return };
    let format = FORMATS[usize::from(first) % FORMATS.len()];
    let limits = Limits::new(1 << 20, 1 << 18);
    let Ok(recording) = Recording::read(format, file, &Selection::default(), &limits) else {
        return;
    };
    assert_eq!(recording.samples.len(), recording.len() * recording.channels());
    assert!(recording.samples.len() as u64 <= limits.max_samples);
    assert!(recording.samples.iter().all(|sample| sample.is_finite()));
    if let Ok(converted) = resample(&recording, 12_000.0, &limits) {
        assert_eq!(converted.channels(), recording.channels());
    }
});
