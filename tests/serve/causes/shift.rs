//! The reason of a shift's alarm, and what is named first for it.

use serde_json::Value;

use super::{Noise, WINDOW, WINDOWS, bytes, faults, models, windows};
use crate::harness::{Server, has_runtime};

/// The reason of a shift's alarm, and its first cause: of statistics and bands with the sign of its z.
pub(super) fn first(diagnostics: &Value) -> Option<[String; 2]> {
    let shift = &diagnostics["input_shift"];
    assert_eq!(shift["alarm"] == true, shift["reason"].is_string(), "{shift}");
    let reason = shift["reason"].as_str()?;
    let lists = ["causes", "statistics", "nearest", "bands"].map(|list| shift.get(list).is_some());
    let reasons = ["magnitudes", "input", "features", "spectrum"].map(|of| of == reason);
    assert_eq!(lists, reasons, "{shift}");
    let sign = |cause: &Value| if cause["z"].as_f64().unwrap() < 0.0 { "-" } else { "+" };
    let first = match reason {
        "magnitudes" => shift["causes"][0]["block"].as_str().unwrap().to_owned(),
        "features" => shift["nearest"][0]["label"].as_str().unwrap().to_owned(),
        "spectrum" => {
            let band = &shift["bands"][0];
            format!("{} to {} Hz{}", band["low"], band["high"], sign(band))
        }
        _ => {
            let cause = &shift["statistics"][0];
            format!("{}{}", cause["what"].as_str().unwrap(), sign(cause))
        }
    };
    Some([reason.to_owned(), first])
}

/// The statistics that a fault moves, with the sign of their change; none for the faults that neither
/// the network nor the statistics see, because windows are normalised.
fn moved(fault: &str) -> &'static [&'static str] {
    match fault {
        "clipping at 1/2 of the peak" | "clipping at 1/3 of the peak" => &["repeats+", "kurtosis-"],
        "10 % held" | "gap of 400 samples" => &["repeats+"],
        "10 % dropped to zero"
        | "white noise, 0 dB"
        | "white noise, 10 dB"
        | "pink noise, 0 dB"
        | "half the sample rate" => &["dips+", "peaks+"],
        "pink noise, 10 dB" => &["dips+", "peaks+", "steps-"],
        "hum of 50 Hz, 1 RMS" => &["steps-"],
        "twice the sample rate" => &["steps-", "bends-"],
        _ => &[],
    }
}

/// The table in docs/diagnostics.md is the output of this test.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_statistic_of_a_shift_is_one_that_the_fault_moves() {
    let (true, Some(windows)) = (has_runtime(), windows(WINDOWS)) else { return };
    let server = Server::start(&models(), &["--default-model", "bearing"]).await;
    let path = format!("/classify?batch={}&top_k=1", windows.len());
    let mut wrong = Vec::new();
    eprintln!(
        "| fault | alarms | by `input` | named first | of those | by `spectrum` | by another |"
    );
    eprintln!("|---|---|---|---|---|---|---|");
    for (name, _, fault) in faults() {
        let right = moved(name);
        if right.is_empty() {
            continue;
        }
        let mut noise = Noise(88_172_645_463_325_252);
        let mut changed = windows.concat();
        changed.chunks_exact_mut(WINDOW).for_each(|window| fault(window, &mut noise));
        let answer = server.classify(&path, "application/octet-stream", bytes(&changed)).await;
        let predictions = answer["predictions"].as_array().unwrap().iter();
        let found: Vec<[String; 2]> =
            predictions.filter_map(|found| first(&found["diagnostics"])).collect();
        let by = |reason: &str| found.iter().filter(|[of, _]| of == reason).count();
        let named = found.iter().filter(|[_, first]| right.contains(&&first[..])).count();
        let share = |count: usize, of: usize| 100.0 * count as f64 / of as f64;
        let all = windows.len();
        eprintln!(
            "| {name} | {:.1} % | {:.1} % | {} | {:.1} % | {:.1} % | {:.1} % |",
            share(found.len(), all),
            share(by("input"), all),
            right.join(", "),
            share(named, by("input")),
            share(by("spectrum"), all),
            share(by("magnitudes") + by("features"), all),
        );
        if name.starts_with("hum") {
            let lowest = |[_, first]: &&[String; 2]| first == "0.0 to 1500.0 Hz+";
            let right = found.iter().filter(lowest).count();
            eprintln!("hum is found in the lowest band for {:.1} %", share(right, by("spectrum")));
            assert!(share(right, by("spectrum")) > 85.0, "{found:?}");
        }
        if share(found.len(), all) < 95.0 || share(named, by("input")) < 94.0 {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    server.stop().await;
}
