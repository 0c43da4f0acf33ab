//! Sample rates of recordings.

use super::*;

#[test]
fn another_rate_is_converted_if_the_recipe_says_so() {
    let folder = folder(&[("a/x.wav", ramp(80)), ("b/y.wav", wav(&[100; 160], 16_000))]);
    let config = SignalConfig { sample_rate_hz: Some(8000.0), resample: true, ..config() };
    let data = open_folder(folder.path(), &config).unwrap();
    assert_eq!(data.training.indices.len(), 14);
}

/// It was once taken as if it had the recipe's rate.
#[test]
fn a_recording_of_unknown_rate_is_not_converted_before_an_index_gives_the_rate() {
    let table = |values: usize| -> Vec<u8> {
        (0..values).flat_map(|value| format!("{value}\n").into_bytes()).collect()
    };
    let folder = folder(&[("a/x.wav", ramp(80)), ("b/y.csv", table(160))]);
    let config = SignalConfig { sample_rate_hz: Some(8000.0), resample: true, ..config() };
    let said = refuse(&folder, &config);
    let cure = "its sample rate is unknown: add it to the index as sample_rate_hz";
    assert!(said.contains("y.csv") && said.ends_with(cure), "{said}");
    let index = folder.path().join("index.csv");
    let lines = "file,label,sample_rate_hz\na/x.wav,a,\nb/y.csv,b,16000\n";
    fs::write(&index, lines).unwrap();
    let data = open(1, &config, folder.path(), Some(&index), false).unwrap();
    assert_eq!(data.training.indices.len(), 14);
}

/// A table of times with so many decimals, in a column of this name, and of numbers that no other
/// table has.
fn table(time: &str, step: f64, decimals: usize) -> Vec<u8> {
    static NUMBER: AtomicI16 = AtomicI16::new(0);
    let first = usize::from(NUMBER.fetch_add(1, Ordering::Relaxed).unsigned_abs());
    let row = |n: usize| format!("{:.decimals$},{}.5\n", n as f64 * step, (first + n * n) % 97);
    let rows: String = (0..80).map(row).collect();
    format!("{time},accel\n{rows}").into_bytes()
}

/// Regression: a table whose rounded times are not exactly at the recipe's rate was refused, and the
/// server took it.
#[test]
fn a_clock_is_compared_as_in_requests_to_the_server() {
    let files = || {
        let [rounded, exact] = [("Time (s)", 4), ("t", 9)].map(|(name, n)| table(name, 1.25e-4, n));
        [("a/x.csv", rounded), ("b/y.wav", ramp(80)), ("b/z.csv", exact)]
    };
    for sample_rate_hz in [Some(8000.0), None] {
        let config = SignalConfig { sample_rate_hz, ..config() };
        let data = open_folder(folder(&files()).path(), &config).unwrap();
        let InputSpec::Signal(spec) = &data.input else { panic!("no signal") };
        assert_eq!(spec.sample_rate_hz, Some(8000.0), "{sample_rate_hz:?}");
    }
    let far = [("a/x.csv", table("Time (s)", 2.5e-4, 9)), ("b/y.wav", ramp(80))];
    let config = SignalConfig { sample_rate_hz: Some(8000.0), ..config() };
    let said = refuse(&folder(&far), &config);
    assert!(said.contains("is 4000 Hz, but the recipe's is 8000 Hz"), "{said}");
}

#[test]
fn times_without_a_unit_are_refused_or_told() {
    let files = || [("a/x.csv", table("t", 0.5, 1)), ("b/y.csv", table("t", 0.5, 1))];
    let wanted = SignalConfig { sample_rate_hz: Some(8000.0), ..config() };
    let said = refuse(&folder(&files()), &wanted);
    assert!(said.contains("its times have no unit: taken as seconds they mean 2 Hz"), "{said}");
    let data = open_folder(folder(&files()).path(), &config()).unwrap();
    let said = data.notes[0].to_string();
    assert!(said.starts_with("notice rate_assumed of 2 files: a/x.csv (its times have"), "{said}");
    let folder = folder(&files());
    let index = folder.path().join("index.csv");
    fs::write(&index, "file,label,sample_rate_hz\na/x.csv,a,8000\nb/y.csv,b,8000\n").unwrap();
    let data = open(1, &wanted, folder.path(), Some(&index), false).unwrap();
    assert_eq!(data.notes, []);
}

#[test]
fn a_rate_that_nothing_tells_is_told() {
    let rows = |from: usize| -> Vec<u8> {
        (from..from + 80).flat_map(|n| format!("{}.5\n", n * n % 97).into_bytes()).collect()
    };
    let folder = folder(&[("a/x.csv", rows(1)), ("b/y.csv", rows(2)), ("b/z.wav", ramp(80))]);
    let told = |sample_rate_hz| {
        let config = SignalConfig { sample_rate_hz, ..config() };
        let data = open_folder(folder.path(), &config).unwrap();
        let InputSpec::Signal(spec) = &data.input else { panic!("no signal") };
        assert_eq!(spec.sample_rate_hz, sample_rate_hz);
        data.notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let said = told(Some(8000.0));
    assert!(said.contains("rate_assumed of 2 files: a/x.csv (nothing tells its sample"), "{said}");
    let said = told(None);
    assert!(said.contains("the model has none") && said.ends_with(": a/x.csv, b/y.csv"), "{said}");
}
