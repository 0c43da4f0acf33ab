//! Input shift and input level in answers, descriptions and metrics.

use drsn_bundle::{
    Baseline, InputSpec, Manifest, Normalization,
    baseline::{
        ALARM_LEVEL, ClassLevels, InputMeasure, InputShift, Level, LevelBaseline, ShiftLengths,
        ShiftSample, ShiftVectors, bands_of, statistics_of,
    },
};
use drsn_serve::proto::drsn::ShiftRequest;
use serde_json::{Value, json};

use crate::{
    grpc,
    harness::{self, Server, has_runtime},
    tiny,
};

const HELD_OUT: usize = 150;

/// Inputs of uniform noise in [-1, 1], always the same.
pub(crate) fn inputs(count: usize, length: usize) -> Vec<Vec<f32>> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state >> 8) / f64::from(1 << 23) - 1.0) as f32
    };
    (0..count).map(|_| (0..length).map(|_| next()).collect()).collect()
}

fn scored_input() -> InputSpec {
    let InputSpec::Signal(mut signal) = tiny::signal_input(1) else {
        return tiny::signal_input(1);
    };
    signal.normalization = Normalization::ZScore { epsilon: 1e-8 };
    InputSpec::Signal(signal)
}

/// What the shift of a raw input is judged by: mean magnitudes, statistics of the input, and its spectrum.
fn measured(raw: &[f32], input: &InputSpec) -> [Vec<f32>; 3] {
    let mut prepared = raw.to_vec();
    input.prepare(&mut prepared).unwrap();
    let mut statistics = Vec::new();
    InputMeasure::new(input, true).append(&prepared, &mut statistics);
    let spectrum = statistics.split_off(statistics_of(input));
    [tiny::answer(&prepared).mean_abs.to_vec(), statistics, spectrum]
}

fn vectors([mean_abs, input, spectrum]: &[Vec<f32>; 3]) -> ShiftVectors<'_> {
    ShiftVectors { mean_abs, features: &[], input, spectrum }
}

/// What a baseline says of a raw input.
fn judged(manifest: &Manifest, raw: &[f32]) -> InputShift {
    let baseline = manifest.baseline.as_ref().unwrap();
    baseline.judge_shift(&vectors(&measured(raw, &manifest.input))).unwrap().unwrap()
}

/// The tiny model's baseline over uniform noise, with the level for signals.
pub(crate) fn with_baseline(name: &str, input: InputSpec) -> Manifest {
    let all = inputs(2 * HELD_OUT, input.elements());
    let (training, held_out) = all.split_at(HELD_OUT);
    let lengths = ShiftLengths {
        channels: 2,
        features: 0,
        statistics: statistics_of(&input),
        bands: bands_of(&input),
    };
    let mut sample = ShiftSample::new(lengths, 2);
    for raw in training {
        sample.add(&vectors(&measured(raw, &input)), 0).unwrap();
    }
    let distances = sample.distances().unwrap();
    let score = |raw: &Vec<f32>| distances.score(&vectors(&measured(raw, &input))).unwrap();
    let scores: Vec<f64> = held_out.iter().map(score).collect();
    // All are of one class: the other class then has the same limits.
    let levels = |raw: &[Vec<f32>]| -> Vec<ClassLevels> {
        raw.iter().map(|raw| ClassLevels { class: 0, channels: vec![Level::of(raw)] }).collect()
    };
    let level = (input.kind() == "signal")
        .then(|| LevelBaseline::new(&levels(training), &levels(held_out), 2, ALARM_LEVEL).unwrap());
    let mut manifest = tiny::manifest(name, "1", input);
    manifest.baseline = Some(Baseline {
        data: "even noise".to_owned(),
        alarm_level: ALARM_LEVEL,
        shift: Some(distances.baseline(&scores, ALARM_LEVEL).unwrap()),
        level,
        thresholds: None,
    });
    manifest
}

/// A server of `bare`, which has no baseline, and of `models`, which have one.
pub(super) async fn serve(models: &[Manifest]) -> (Server, tempfile::TempDir) {
    let folder = harness::repository(&[("bare", tiny::signal_input(1))]);
    for manifest in models {
        harness::write_manifest(folder.path(), manifest.clone());
    }
    (Server::start(folder.path(), &[]).await, folder)
}

async fn diagnostics(server: &Server, model: &str, signal: &[f32]) -> Value {
    let body = json!({"model": model, "signal": signal});
    server.classify_json("/classify", body).await["predictions"][0]["diagnostics"].take()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_like_the_held_out_ones_raises_no_alarm_and_a_far_one_does() {
    if !has_runtime() {
        return;
    }
    let manifest = with_baseline("plain", tiny::signal_input(1));
    let (server, _models) = serve(std::slice::from_ref(&manifest)).await;
    let usual = &inputs(1, 8)[0];
    let found = diagnostics(&server, "plain", usual).await;
    let expected = judged(&manifest, usual);
    let baseline = manifest.baseline.unwrap();
    let shift = &found["input_shift"];
    assert!((number(&shift["score"]) - expected.score).abs() < 1e-3 * (1.0 + expected.score));
    assert!((number(&shift["p_value"]) - expected.p_value).abs() < 0.02);
    assert_eq!(shift["alarm"], false);
    let level = baseline.judge_level(&[Level::of(usual)], 0).unwrap();
    assert_eq!(found["input_level"], json!(level));
    assert!(!level.alarm);

    let far: Vec<f32> = usual.iter().map(|x| 100.0 * x).collect();
    let found = diagnostics(&server, "plain", &far).await;
    let least = 1.0 / (1 + HELD_OUT) as f64;
    assert!((number(&found["input_shift"]["p_value"]) - least).abs() < 1e-12);
    assert_eq!(found["input_shift"]["alarm"], true);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gain_that_normalisation_hides_is_seen_in_the_level() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = serve(&[with_baseline("scored", scored_input())]).await;
    let usual = &inputs(1, 8)[0];
    let before = diagnostics(&server, "scored", usual).await;
    assert_eq!(before["input_level"]["alarm"], false);
    for gain in [4.0, 1e-4] {
        let changed: Vec<f32> = usual.iter().map(|x| gain * x).collect();
        let found = diagnostics(&server, "scored", &changed).await;
        assert_eq!(found["input_shift"]["alarm"], false);
        assert_eq!(found["input_level"]["alarm"], true);
        let ratio = number(&found["input_level"]["rms"]) / number(&before["input_level"]["rms"]);
        assert!((ratio / f64::from(gain) - 1.0).abs() < 1e-6, "{ratio}");
    }
    server.stop().await;
}

/// A signal that stays at one value and jumps to another has the mean magnitudes of noise.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_mean_magnitudes_do_not_show_is_seen_in_the_input() {
    if !has_runtime() {
        return;
    }
    let manifest = with_baseline("plain", tiny::signal_input(1));
    let (server, _models) = serve(std::slice::from_ref(&manifest)).await;
    let mut signals = inputs(3, 8);
    signals[1] = vec![0.5, 0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5];
    let answer = server.classify_json("/classify", json!({"model": "plain", "signals": signals}));
    let answer = answer.await;
    for (index, signal) in signals.iter().enumerate() {
        let shift = &answer["predictions"][index]["diagnostics"]["input_shift"];
        let expected = judged(&manifest, signal);
        assert!((number(&shift["score"]) - expected.score).abs() < 1e-3 * (1.0 + expected.score));
        assert_eq!(shift["alarm"], index == 1, "{index}: {shift}");
    }
    let [mean_abs, ..] = measured(&signals[1], &manifest.input);
    let shift = manifest.baseline.unwrap().shift.unwrap();
    assert!(shift.distance.unwrap().relative(&mean_abs).unwrap() < 1.0, "usual magnitudes");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_belong_to_their_inputs_in_a_request_of_several_batches() {
    if !has_runtime() {
        return;
    }
    let manifest = with_baseline("plain", tiny::signal_input(1));
    let folder = tempfile::tempdir().unwrap();
    harness::write_manifest(folder.path(), manifest);
    let server = Server::start(folder.path(), &["--max-batch", "2"]).await;
    let mut signals = inputs(7, 8);
    signals[5].iter_mut().for_each(|x| *x *= 50.0);
    let answer = server.classify_json("/classify", json!({"signals": signals})).await;
    for (index, signal) in signals.iter().enumerate() {
        let level = &answer["predictions"][index]["diagnostics"]["input_level"];
        assert!((number(&level["rms"]) - Level::of(signal).rms).abs() < 1e-9);
        assert_eq!(level["alarm"], index == 5, "{index}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_baseline_there_is_no_shift_and_an_image_has_no_level() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = serve(&[with_baseline("pictures", tiny::image_input())]).await;
    let found = diagnostics(&server, "bare", &inputs(1, 8)[0]).await;
    assert_eq!([&found["input_shift"], &found["input_level"]], [&Value::Null, &Value::Null]);
    let rows: Vec<f32> = inputs(1, 16)[0].clone();
    let tensor: Vec<Vec<&[f32]>> = vec![rows.chunks(4).collect()];
    let body = json!({"model": "pictures", "tensor": tensor});
    let answer = server.classify_json("/classify", body).await;
    let found = &answer["predictions"][0]["diagnostics"];
    assert_eq!(found["input_shift"]["alarm"], false);
    assert_eq!(found["input_level"], Value::Null);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_counted_whether_or_not_the_client_asks_for_diagnostics() {
    if !has_runtime() {
        return;
    }
    let (server, _models) = serve(&[with_baseline("plain", tiny::signal_input(1))]).await;
    let usual = &inputs(1, 8)[0];
    diagnostics(&server, "plain", usual).await;
    let far: Vec<f32> = usual.iter().map(|x| 100.0 * x).collect();
    let body = json!({"model": "plain", "signals": [far, far], "diagnostics": "none"});
    let answer = server.classify_json("/classify", body).await;
    assert!(answer["predictions"][0].get("diagnostics").is_none());
    let text = server.get("/metrics").await.text().await.unwrap();
    for line in [
        "drsn_input_shift_p_value_count{model=\"plain\",version=\"1\"} 3",
        "drsn_input_shift_p_value_bucket{le=\"0.01\",model=\"plain\",version=\"1\"} 2",
        "drsn_input_shift_alarms_total{model=\"plain\",version=\"1\"} 2",
        "drsn_input_level_alarms_total{model=\"plain\",version=\"1\"} 2",
        "drsn_input_shift_p_value_count{model=\"bare\",version=\"1\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_describes_its_baseline() {
    if !has_runtime() {
        return;
    }
    let models = [
        with_baseline("plain", tiny::signal_input(1)),
        with_baseline("pictures", tiny::image_input()),
    ];
    let (server, _models) = serve(&models).await;
    let of = async |model: &str| {
        harness::json(server.get(&format!("/models/{model}")).await).await["baseline"].take()
    };
    let mut expected = json!({
        "data": "even noise",
        "alarm_level": 0.01,
        "shift_held_out_inputs": HELD_OUT,
        "level_held_out_inputs": HELD_OUT,
    });
    assert_eq!(of("plain").await, expected);
    expected["level_held_out_inputs"] = Value::Null;
    assert_eq!(of("pictures").await, expected);
    assert_eq!(of("bare").await, Value::Null);
    server.stop().await;
}

/// The rolling view counts where the metrics do, whatever the client asks for, and goes on when the same
/// version is loaded anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_rolling_view_has_what_came_and_survives_a_reload_of_the_version() {
    if !has_runtime() {
        return;
    }
    let manifest = with_baseline("plain", tiny::signal_input(1));
    let (server, folder) = serve(std::slice::from_ref(&manifest)).await;
    let view = async |path: &str| harness::json(server.get(path).await).await;
    let usual = &inputs(1, 8)[0];
    let far: Vec<f32> = usual.iter().map(|x| 100.0 * x).collect();
    let body = json!({"model": "plain", "signals": [usual, far], "diagnostics": "none"});
    server.classify_json("/classify", body).await;
    let first = view("/models/plain/shift").await;
    assert_eq!(first["model"], json!({"name": "plain", "version": "1"}));
    assert_eq!(first["alarm_level"], 0.01);
    for span in ["hour", "day"] {
        let span = &first[span];
        assert_eq!(span["predictions"], 2, "{span}");
        let classes = span["classes"].as_array().unwrap();
        assert_eq!(classes.iter().map(|class| number(&class["count"]) as u32).sum::<u32>(), 2);
        let shift = &span["input_shift"];
        assert_eq!([&shift["inputs"], &shift["alarms"]], [2, 1], "{shift}");
        let bins = shift["p_values"].as_array().unwrap();
        assert_eq!(bins.iter().map(|bin| number(&bin["count"]) as u32).sum::<u32>(), 2);
        assert!(number(&shift["blocks"][0]["z"]) > 10.0, "{shift}");
        assert_eq!(span["input_level"], json!({"inputs": 2, "alarms": 1}));
        assert!(span["timeline"].as_array().unwrap().iter().any(|m| m["predictions"] == 2));
    }
    assert_eq!(first["change"]["alarm"], false);
    // With 150 held-out inputs, each adds at most 51 to a sum whose limit is 3,377.
    let body = json!({"model": "plain", "signals": vec![far; 400]});
    server.classify_json("/classify", body).await;
    let change = view("/models/plain/shift").await["change"].clone();
    assert_eq!([&change["alarm"], &change["evidence"]], [&json!(true), &json!(1.0)], "{change}");
    assert!(change["since"].is_string(), "{change}");
    same_over_grpc(&server, "plain", &view("/models/plain/shift").await).await;
    let bare = view("/models/bare/versions/1/shift").await;
    same_over_grpc(&server, "bare", &bare).await;
    let of_bare = |field: &str| bare["hour"][field].clone();
    assert_eq!(bare["change"], Value::Null);
    assert_eq!(
        [bare["alarm_level"].clone(), of_bare("input_shift"), of_bare("input_level")],
        [Value::Null, Value::Null, Value::Null]
    );
    assert_eq!(server.get("/models/none/shift").await.status(), 404);
    assert_eq!(server.get("/models/plain/versions/2/shift").await.status(), 404);
    server.stop().await;

    let server = Server::start(folder.path(), &["--model-control", "explicit"]).await;
    let load = async || {
        let path = "/v2/repository/models/plain/load";
        assert_eq!(server.post(path, "application/json", "{}").await.status(), 200);
    };
    load().await;
    let one = json!({"model": "plain", "signal": usual});
    server.classify_json("/classify", one.clone()).await;
    let retake = |manifest: &mut Manifest| {
        manifest.baseline.as_mut().unwrap().data = "more noise".to_owned();
    };
    drsn_bundle::update_manifest(&folder.path().join("plain/1"), retake).unwrap();
    load().await;
    let described = harness::json(server.get("/models/plain").await).await;
    assert_eq!(described["baseline"]["data"], "more noise", "it was loaded anew");
    server.classify_json("/classify", one).await;
    let after = harness::json(server.get("/models/plain/shift").await).await;
    assert_eq!(after["hour"]["predictions"], 2, "{after}");
    server.stop().await;
}

/// The view over gRPC has what that over HTTP has.
async fn same_over_grpc(server: &Server, model: &str, view: &Value) {
    let mut client = grpc::Classifier::new(grpc::channel(server.grpc).await);
    let request = ShiftRequest { model: model.to_owned(), version: String::new() };
    let found = client.shift(request).await.unwrap().into_inner();
    assert_eq!(
        found.model.map(|model| json!({"name": model.name, "version": model.version})),
        Some(view["model"].clone())
    );
    assert_eq!([&found.since, &found.now].map(String::is_empty), [false, false]);
    assert_eq!(found.alarm_level, view["alarm_level"].as_f64());
    let change = found.change.map(
        |change| json!({"alarm": change.alarm, "evidence": change.evidence, "since": change.since}),
    );
    assert_eq!(json!(change), view["change"]);
    for (name, span) in [("hour", found.hour), ("day", found.day)] {
        let (span, view) = (span.unwrap(), &view[name]);
        assert_eq!(json!(span.predictions), view["predictions"]);
        let classes = span.classes.iter().map(|class| {
            json!({"label": class.label, "class_index": class.class_index, "count": class.count})
        });
        assert_eq!(Value::Array(classes.collect()), view["classes"]);
        let shift = span.input_shift.map(|shift| {
            let bins = shift.p_values.iter().map(|bin| json!({"le": bin.le, "count": bin.count}));
            let blocks = shift.blocks.iter().map(|b| json!({"name": b.name, "z": b.z}));
            json!({
                "inputs": shift.inputs,
                "alarms": shift.alarms,
                "p_values": bins.collect::<Vec<_>>(),
                "blocks": blocks.collect::<Vec<_>>(),
            })
        });
        assert_eq!(json!(shift), view["input_shift"]);
        let level = span.input_level.map(|l| json!({"inputs": l.inputs, "alarms": l.alarms}));
        assert_eq!(json!(level), view["input_level"]);
        let moments = span.timeline.iter().map(|moment| {
            [moment.predictions, moment.shift_inputs, moment.shift_alarms, moment.level_alarms]
        });
        let of_view = |moment: &Value| {
            ["predictions", "shift_inputs", "shift_alarms", "level_alarms"]
                .map(|name| moment[name].as_u64().unwrap())
        };
        let expected: Vec<_> = view["timeline"].as_array().unwrap().iter().map(of_view).collect();
        assert_eq!(moments.collect::<Vec<_>>(), expected);
    }
    let missing = ShiftRequest { model: "none".to_owned(), version: String::new() };
    assert_eq!(client.shift(missing).await.unwrap_err().code(), tonic::Code::NotFound);
}
