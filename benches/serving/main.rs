//! Measures what a request costs beside the network alone: `cargo xtask bench`, or for other
//! bundles than `models/bearing/1` `cargo xtask bench -- FOLDER …`, each a model's folder with its
//! versions, such as `models/bearing`.
//!
//! Interleaved rounds measure the CPU time of an inference in a bare loop over ONNX Runtime at its
//! best batch, for the bundle's model as it is and for the graph that the server derives from it,
//! and the server process's CPU time for each request of one input, with 1, 8, 32 and 64 keep-alive
//! clients that send JSON and 32-bit floats. It prints medians, and the median of each round's
//! ratio of the loop's time, with the model as it is, to the request's. Rounds are short, so that a
//! slow moment of the machine affects both. Linux only.

#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has nothing to measure")]

mod bare;
mod client;
mod server;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use drsn_bundle::{Bundle, onnx::for_cpu, runtime::Runtime};

use crate::{bare::Bare, client::Request, server::Server};

const ROUNDS: usize = 15;
const CLIENTS: [usize; 4] = [1, 8, 32, 64];
/// Requests of one kind and number of clients in a round.
const REQUESTS: usize = 2000;

fn main() {
    // Cargo adds --bench.
    let named: Vec<PathBuf> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--")).map(PathBuf::from).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let models = if named.is_empty() { vec![root.join("models/bearing")] } else { named };
    for model in &models {
        measure(model);
    }
}

fn measure(model: &Path) {
    let version = newest(model);
    let bundle = Bundle::open(&version).expect("a bundle");
    let runtime = Runtime::start(None).expect("ONNX Runtime");
    let faster = for_cpu(&bundle.model, &bundle.manifest.blocks).expect("a graph");
    let mut bare =
        [&bundle.model, &faster].map(|model| Bare::new(&runtime, model, &bundle.manifest.input));
    let server = Server::start(&version, bundle.manifest.name.as_str());
    let requests = [
        ("JSON", Request::json(&bundle.manifest.input)),
        ("binary", Request::binary(&bundle.manifest.input)),
    ];
    say(&format!(
        "{}: ready after {:.0} ms, then {:.1} MiB resident",
        version.display(),
        server.ready_after.as_secs_f64() * 1e3,
        server.resident_mib()
    ));
    let combinations: Vec<(usize, usize)> =
        (0..requests.len()).flat_map(|kind| CLIENTS.map(|clients| (kind, clients))).collect();
    let mut loops = [Vec::new(), Vec::new()];
    let mut answered = vec![Vec::new(); combinations.len()];
    for _ in 0..ROUNDS {
        for (bare, loops) in bare.iter_mut().zip(&mut loops) {
            loops.push(bare.round());
        }
        for (&(kind, clients), times) in combinations.iter().zip(&mut answered) {
            let (request, clock) = (&requests[kind].1, || server.cpu_seconds());
            let taken = client::send(server.address, request, clients, REQUESTS, clock);
            times.push(taken * 1e6 / REQUESTS as f64);
        }
    }
    let [(batch, alone), (faster_batch, faster)] = loops.map(|rounds| bare::best(&rounds));
    say(&format!(
        "bare loop: {:.1} µs of CPU time an inference at its best batch, {batch}; with the server's graph {:.1} at {faster_batch}",
        median(&alone),
        median(&faster)
    ));
    for ((kind, clients), times) in combinations.into_iter().zip(answered) {
        let shares: Vec<f64> = alone.iter().zip(&times).map(|(one, whole)| one / whole).collect();
        let (name, request, share) = (requests[kind].0, median(&times), median(&shares));
        say(&format!(
            "{name:>6}, {clients:>2} clients: {request:.1} µs a request, loop / request {share:.2}"
        ));
    }
    say(&format!("after the load {:.1} MiB resident", server.resident_mib()));
}

/// The highest version in a model's folder.
fn newest(model: &Path) -> PathBuf {
    let versions = std::fs::read_dir(model).expect("a model's folder");
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
    let paths = versions.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(|path| number(path).is_some()).max_by_key(number).expect("a version")
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn say(line: &str) {
    // If standard output is closed, nobody reads this.
    let _ = writeln!(std::io::stdout(), "{line}");
}
