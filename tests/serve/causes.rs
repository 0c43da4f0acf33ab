//! The named causes of alarms: faults are injected into real recordings, and what the answer names
//! first is compared with what was done.

mod shift;

use std::{f64::consts::TAU, fs, path::PathBuf};

use drsn_recording::{Limits, Recording, RecordingFormat, Selection};
use drsn_serve::proto::drsn::{
    ClassifyRequest, Detail, Signal, StreamStart, classify_request::Input,
};
use serde_json::Value;

use crate::{
    grpc::{Classifier, channel, streams::Stream},
    harness::{Server, has_runtime},
    skip,
};

const WINDOW: usize = 2048;
const RATE: f64 = 48_000.0;
/// Windows of each recording.
const WINDOWS: usize = 30;

/// A change of one window.
type Fault = fn(&mut [f32], &mut Noise);

/// Gaussian numbers, always the same.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Box–Muller.
    fn gaussian(&mut self) -> f64 {
        let (a, b) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - a).ln()).sqrt() * (TAU * b).cos()
    }
}

fn rms(window: &[f32]) -> f64 {
    (window.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / window.len() as f64).sqrt()
}

/// Adds `added`, scaled to `ratio` times the window's RMS.
fn mix(window: &mut [f32], added: &[f32], ratio: f64) {
    let scale = ratio * rms(window) / rms(added);
    for (x, &a) in window.iter_mut().zip(added) {
        *x += (scale * f64::from(a)) as f32;
    }
}

fn clip(window: &mut [f32], share: f32) {
    let limit = share * window.iter().fold(0.0_f32, |peak, x| peak.max(x.abs()));
    for x in window {
        *x = x.clamp(-limit, limit);
    }
}

fn white(noise: &mut Noise) -> Vec<f32> {
    (0..WINDOW).map(|_| noise.gaussian() as f32).collect()
}

/// Noise of −3 dB an octave: seven filters of the first order (P. Kellet).
fn pink(noise: &mut Noise) -> Vec<f32> {
    let poles = [0.998_86, 0.993_32, 0.969, 0.866_5, 0.55, -0.761_6];
    let gains = [0.055_517_9, 0.075_075_9, 0.153_852, 0.310_485_6, 0.532_952_2, -0.016_898];
    let mut states = [0.0; 6];
    let mut late = 0.0;
    let mut next = || {
        let white = noise.gaussian();
        for ((state, pole), gain) in states.iter_mut().zip(poles).zip(gains) {
            *state = pole * *state + gain * white;
        }
        let sum = states.iter().sum::<f64>() + late + 0.536_2 * white;
        late = 0.115_926 * white;
        sum as f32
    };
    // The slowest filter has settled by then.
    (0..5 * WINDOW).map(|_| next()).skip(4 * WINDOW).collect()
}

/// Each tenth sample on average, replaced by what `instead` makes of the one before.
fn drop_samples(window: &mut [f32], noise: &mut Noise, instead: fn(f32) -> f32) {
    for i in 1..window.len() {
        if noise.uniform() < 0.1 {
            window[i] = instead(window[i - 1]);
        }
    }
}

/// What a recorder of another rate gives for the model's: every second sample, or one more between
/// each two.
fn faster(window: &mut [f32]) {
    let mirrored: Vec<f32> = window.iter().chain(window.iter().rev()).copied().collect();
    for (i, x) in window.iter_mut().enumerate() {
        *x = mirrored[2 * i];
    }
}

fn slower(window: &mut [f32]) {
    let before = window.to_vec();
    for (i, x) in window.iter_mut().enumerate() {
        *x = f32::midpoint(before[i / 2], before[i.div_ceil(2)]);
    }
}

fn hum(window: &mut [f32], noise: &mut Noise) {
    let phase = TAU * noise.uniform();
    let sine = |n: usize| (TAU * 50.0 * n as f64 / RATE + phase).sin() as f32;
    mix(window, &(0..WINDOW).map(sine).collect::<Vec<_>>(), 1.0);
}

/// The faults, with the causes that name them: a quantity and the sign of its change.
fn faults() -> Vec<(&'static str, &'static [&'static str], Fault)> {
    vec![
        ("gain of 4", &["rms+"], |x, _| x.iter_mut().for_each(|x| *x *= 4.0)),
        ("gain of 2", &["rms+"], |x, _| x.iter_mut().for_each(|x| *x *= 2.0)),
        ("gain of 1/4", &["rms-"], |x, _| x.iter_mut().for_each(|x| *x *= 0.25)),
        ("offset of 2 RMS", &["offset+"], |x, _| {
            let offset = 2.0 * rms(x) as f32;
            for x in x {
                *x += offset;
            }
        }),
        ("offset of -1 RMS", &["offset-"], |x, _| {
            let offset = rms(x) as f32;
            for x in x {
                *x -= offset;
            }
        }),
        ("clipping at 1/2 of the peak", &["clipped+"], |x, _| clip(x, 0.5)),
        ("clipping at 1/3 of the peak", &["clipped+"], |x, _| clip(x, 0.33)),
        ("10 % dropped to zero", &["stuck+"], |x, n| drop_samples(x, n, |_| 0.0)),
        ("10 % held", &["stuck+"], |x, n| drop_samples(x, n, |last| last)),
        ("gap of 400 samples", &["stuck+"], |x, n| {
            let start = (n.uniform() * (WINDOW - 400) as f64) as usize;
            x[start..start + 400].fill(0.0);
        }),
        ("hum of 50 Hz, 1 RMS", &["frequency-", "bandwidth+"], hum),
        ("white noise, 0 dB", &["frequency+", "bandwidth+"], |x, n| mix(x, &white(n), 1.0)),
        ("white noise, 10 dB", &["frequency+", "bandwidth+"], |x, n| mix(x, &white(n), 0.316)),
        ("pink noise, 0 dB", &["frequency+", "bandwidth+"], |x, n| mix(x, &pink(n), 1.0)),
        ("pink noise, 10 dB", &["frequency+", "bandwidth+"], |x, n| mix(x, &pink(n), 0.316)),
        ("half the sample rate", &["frequency+"], |x, _| faster(x)),
        ("twice the sample rate", &["frequency-"], |x, _| slower(x)),
    ]
}

/// Windows of the ten recordings that `bearing` was trained on, of the part that it was tested on.
fn windows() -> Option<Vec<Vec<f32>>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let data = std::env::var_os("DRSN_TEST_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from)
        .join("cwru");
    if !data.is_dir() {
        skip::skip("there are no bearing records: the folder cwru of DRSN_TEST_DATA is missing");
        return None;
    }
    let list = fs::read_to_string(root.join("crates/drsn-train/presets/cwru-48k.csv")).unwrap();
    let mut windows = Vec::new();
    for file in list.lines().skip(1).filter_map(|line| line.split(',').next()) {
        let selection = Selection { variable: Some("DE_time".to_owned()), ..Selection::default() };
        let limits = Limits::new(1 << 28, 1 << 28);
        let bytes = fs::read(data.join(file)).unwrap();
        let recording = Recording::read(RecordingFormat::Mat, &bytes, &selection, &limits).unwrap();
        let samples = recording.samples.row(0);
        let tested = samples.len() * 7 / 10;
        let whole = samples.len() - tested - WINDOW;
        for n in 0..WINDOWS {
            let start = tested + whole * n / WINDOWS;
            windows.push(samples.iter().skip(start).take(WINDOW).copied().collect());
        }
    }
    Some(windows)
}

fn bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// The first cause of a level's alarm, with the sign of its z; empty without an alarm.
fn first_cause(prediction: &Value) -> String {
    let level = &prediction["diagnostics"]["input_level"];
    let cause = &level["causes"][0];
    assert_eq!(level["alarm"] == true, cause.is_object(), "{level}");
    let sign = |z: f64| if z < 0.0 { "-" } else { "+" };
    cause["z"]
        .as_f64()
        .map_or_else(String::new, |z| format!("{}{}", cause["what"].as_str().unwrap(), sign(z)))
}

fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models")
}

/// The table in docs/diagnostics.md is the output of this test.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_cause_is_the_injected_fault_for_nine_of_ten_windows_of_each_kind() {
    let (true, Some(windows)) = (has_runtime(), windows()) else { return };
    let server = Server::start(&models(), &["--default-model", "bearing"]).await;
    let path = format!("/classify?batch={}&top_k=1", windows.len());
    let classify = async |fault: Fault| {
        let mut noise = Noise(88_172_645_463_325_252);
        let mut changed = windows.concat();
        changed.chunks_exact_mut(WINDOW).for_each(|window| fault(window, &mut noise));
        server.classify(&path, "application/octet-stream", bytes(&changed)).await
    };
    let mut wrong = Vec::new();
    eprintln!("| fault | alarms | named first | of alarms |\n|---|---|---|---|");
    for (name, right, fault) in faults() {
        let answer = classify(fault).await;
        let causes: Vec<String> =
            answer["predictions"].as_array().unwrap().iter().map(first_cause).collect();
        let alarms = causes.iter().filter(|cause| !cause.is_empty()).count();
        let named = causes.iter().filter(|cause| right.contains(&&cause[..])).count();
        let [alarmed, share] = [alarms as f64 / windows.len() as f64, named as f64 / alarms as f64];
        eprintln!(
            "| {name} | {:.1} % | {} | {:.1} % |",
            100.0 * alarmed,
            right.join(", "),
            100.0 * share
        );
        // Hum is at 90 %; on another processor a window may be rounded to the other side.
        if alarmed < 0.88 || share < 0.88 {
            wrong.push(format!("{name}: {alarmed}, {share}: {causes:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let unchanged = classify(|_, _| ()).await;
    let alarms = |part: &str| {
        let alarm = |found: &&Value| found["diagnostics"][part]["alarm"] == true;
        unchanged["predictions"].as_array().unwrap().iter().filter(alarm).count()
    };
    eprintln!(
        "unchanged: {} level alarms, {} shift alarms of {}",
        alarms("input_level"),
        alarms("input_shift"),
        windows.len()
    );
    server.stop().await;
}

/// A recording of several windows, over both protocols.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_alarms_names_its_causes_and_one_that_does_not_has_none() {
    let (true, Some(windows)) = (has_runtime(), windows()) else { return };
    let server = Server::start(&models(), &["--default-model", "bearing"]).await;
    let normal = windows[..WINDOWS].concat();
    let mut faulty = normal.clone();
    let mut noise = Noise(7);
    faulty.chunks_exact_mut(WINDOW).for_each(|window| mix(window, &white(&mut noise), 1.0));
    let classify = async |signal: &[f32]| {
        let answer = server.classify("/classify", "application/octet-stream", bytes(signal)).await;
        answer["predictions"][0]["diagnostics"].clone()
    };
    let unchanged = classify(&normal).await;
    assert_eq!(unchanged["input_level"]["alarm"], false);
    assert!(unchanged["input_level"].get("causes").is_none(), "{unchanged}");
    for field in ["reason", "causes", "statistics", "nearest"] {
        assert!(unchanged["input_shift"].get(field).is_none(), "{unchanged}");
    }
    let found = classify(&faulty).await;
    let cause = &found["input_level"]["causes"][0];
    assert!(["frequency", "bandwidth"].map(Value::from).contains(&cause["what"]), "{cause}");
    let shift_found = &found["input_shift"];
    let [reason, first] = shift::first(&found).unwrap();
    assert_eq!(reason, "input", "{shift_found}");
    let causes = shift_found["statistics"].as_array().unwrap();
    assert!((1..=5).contains(&causes.len()), "{causes:?}");
    let shares: Vec<f64> = causes.iter().map(|cause| cause["share"].as_f64().unwrap()).collect();
    assert!(shares.is_sorted_by(|a, b| a >= b) && shares[0] > 0.0, "{first}: {shares:?}");

    let mut client = Classifier::new(channel(server.grpc).await);
    let signal = Signal { channels: 1, samples: faulty };
    let request = ClassifyRequest { input: Some(Input::Signal(signal)), ..Default::default() };
    let response = client.classify(request).await.unwrap().into_inner();
    let diagnostics = response.predictions[0].diagnostics.clone().unwrap();
    let (shift, level) = (diagnostics.input_shift.unwrap(), diagnostics.input_level.unwrap());
    assert_eq!(level.causes[0].what, cause["what"].as_str().unwrap());
    assert_eq!(shift.reason.as_deref(), Some(&reason[..]));
    assert_eq!((shift.statistics.len(), shift.causes.len()), (causes.len(), 0));
    assert_eq!(shift.statistics[0].what, causes[0]["what"].as_str().unwrap());
    assert!((shift.statistics[0].z - causes[0]["z"].as_f64().unwrap()).abs() < 1e-9);
    server.stop().await;
}

/// Noise begins in the middle of a sound bearing's recording: the answer says where, and a stream says so
/// while it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_and_a_stream_say_since_when_they_are_unlike_the_training_data() {
    let (true, Some(windows)) = (has_runtime(), windows()) else { return };
    // Its bearing model has 367 held-out inputs: 39 windows are the least that can be enough.
    let server = Server::start(&models(), &["--default-model", "bearing"]).await;
    let mut noise = Noise(11);
    let usual: Vec<f32> = windows[..WINDOWS].concat().repeat(2);
    let mut disturbed = usual.clone();
    disturbed.chunks_exact_mut(WINDOW).for_each(|window| mix(window, &white(&mut noise), 1.0));
    let signal = [usual.clone(), disturbed].concat();
    let began = usual.len() as u64;
    let shift = async |signal: &[f32]| {
        let answer = server.classify("/classify", "application/octet-stream", bytes(signal)).await;
        answer["predictions"][0]["diagnostics"]["input_shift"].clone()
    };
    assert!(shift(&usual).await.get("changes").is_none());
    let changes = shift(&signal).await["changes"].clone();
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "{changes}");
    assert_eq!([&changes[0]["start"], &changes[0]["end"]], [&Value::from(began), &Value::Null]);
    let found = changes[0]["found"].as_u64().unwrap();
    assert!(found <= began + 45 * WINDOW as u64, "{changes}");

    let mut client = Classifier::new(channel(server.grpc).await);
    let start = StreamStart { diagnostics: Detail::None.into(), ..Default::default() };
    let stream = Stream::open(&mut client, start).await;
    let samples = signal.clone();
    let sending = async move {
        for piece in samples.chunks(8 * WINDOW) {
            stream.send(piece.to_vec()).await;
        }
        stream.end().await
    };
    let (predictions, _) = sending.await;
    let first = predictions.iter().find(|found| found.change.is_some_and(|change| change.alarm));
    let first = first.unwrap();
    assert_eq!((first.end, first.change.unwrap().start), (found, Some(began)));
    let before = predictions.iter().filter(|window| window.end <= began);
    assert!(
        before.clone().count() > 0 && before.clone().all(|window| !window.change.unwrap().alarm)
    );
    server.stop().await;
}
