//! Ten times the capacity, from clients that ignore `Retry-After`: what is answered, how soon, and
//! whether every refusal is counted.
//!
//! `cargo xtask overload --minutes 5` runs it for long. Server and clients have a processor each,
//! if `taskset` is there: otherwise what the clients cost would be missing from the server's time.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep_until, timeout},
};

use crate::harness::{self, Process, has_runtime};

/// In a short run, whose server is not optimised: there, reading requests takes as long as answering
/// them, so that a long queue is hardly filled; and in a long one.
const QUEUE: [usize; 2] = [64, 512];
const BATCH: usize = 16;
/// How long a round of capacity and overload takes in a long run, at least: the clients begin all at
/// once, and that should not be a hundredth of the answers.
const ROUND: u64 = 30;
/// Clients that keep the server busy, without filling its queue.
const SATURATING: usize = 64;
/// More than the queue and the batches hold, so that some are free to be refused; fewer than the
/// connections that the server takes.
const OVERLOADING: usize = 960;
const TIMES: f64 = 10.0;
/// Clock ticks a second in /proc.
const TICKS: f64 = 100.0;
/// In a short run among other tests, and in a long one on a quiet machine: there a request costs a tenth
/// more with as many connections, whether any is refused or not (docs/decisions/0023).
const LEAST_GOODPUT: [f64; 2] = [0.1, 0.85];

/// One connection that is kept, and opened again if the server closes it.
struct Wire {
    address: SocketAddr,
    stream: Option<TcpStream>,
    received: Vec<u8>,
}

impl Wire {
    fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, received: Vec::new() }
    }

    /// Sends a request, reads the whole answer, and returns its status.
    async fn ask(&mut self, request: &[u8]) -> u16 {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await.unwrap(),
        };
        stream.write_all(request).await.unwrap();
        self.received.clear();
        let mut whole = usize::MAX;
        while self.received.len() < whole {
            assert!(
                stream.read_buf(&mut self.received).await.unwrap() > 0,
                "an answer was cut off"
            );
            if whole == usize::MAX
                && let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n")
            {
                whole = end + 4 + self.header(end, "content-length: ").unwrap_or(0);
            }
        }
        if !self.received.windows(17).any(|word| word == b"connection: close") {
            self.stream = Some(stream);
        }
        str::from_utf8(&self.received[9..12]).unwrap().parse().unwrap()
    }

    fn header(&self, end: usize, name: &str) -> Option<usize> {
        let head = str::from_utf8(&self.received[..end]).unwrap();
        head.lines().find_map(|line| line.strip_prefix(name)?.parse().ok())
    }
}

/// A window of the model `bearing`, as raw numbers.
fn request() -> Vec<u8> {
    let body: Vec<u8> = (0..2048).flat_map(|n| (n as f32 * 0.1).sin().to_le_bytes()).collect();
    let head = format!(
        "POST /classify HTTP/1.1\r\nhost: x\r\ncontent-type: application/octet-stream\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}

/// Seconds of processor time of a process or thread.
fn processor_time(stat: &str) -> f64 {
    let text = fs::read_to_string(stat).unwrap();
    let fields: Vec<&str> = text.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks = |field: usize| fields[field].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS
}

/// What a phase came to.
struct Outcome {
    seconds: f64,
    /// Seconds of processor time.
    server: f64,
    clients: f64,
    answered: u64,
    refused: u64,
    /// Of all answered requests, in seconds, sorted.
    latencies: Vec<f64>,
    /// How many others were answered between each request and its answer, sorted.
    overtaking: Vec<u64>,
}

impl Outcome {
    /// Two phases as one.
    fn and(mut self, other: Self) -> Self {
        self.seconds += other.seconds;
        self.server += other.server;
        self.clients += other.clients;
        self.answered += other.answered;
        self.refused += other.refused;
        self.latencies.extend(other.latencies);
        self.latencies.sort_by(f64::total_cmp);
        self.overtaking.extend(other.overtaking);
        self.overtaking.sort_unstable();
        self
    }

    fn answered_a_second(&self) -> f64 {
        self.answered as f64 / self.seconds
    }

    fn answered_a_processor_second(&self) -> f64 {
        self.answered as f64 / self.server
    }

    fn offered_a_second(&self) -> f64 {
        (self.answered as f64 + self.refused as f64) / self.seconds
    }

    fn percentile(&self, share: f64) -> f64 {
        self.latencies[((self.latencies.len() - 1) as f64 * share) as usize]
    }

    /// How many others are answered before a request, at most in 99 of 100 cases.
    fn place(&self) -> u64 {
        self.overtaking[((self.overtaking.len() - 1) as f64 * 0.99) as usize]
    }
}

/// Clients send for a time: as fast as they are answered, or together at a rate.
async fn phase(server: &Process, clients: usize, rate: Option<f64>, time: Duration) -> Outcome {
    let request = request();
    let (refused, slot, answered) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let stat = format!("/proc/{}/stat", server.child.id());
    let times = || (processor_time(&stat), processor_time("/proc/thread-self/stat"));
    let (server_before, clients_before) = times();
    let begun = Instant::now();
    let client = async || {
        let mut wire = Wire::new(server.address);
        let mut answers = Vec::new();
        loop {
            if let Some(rate) = rate {
                // The next slot of the schedule; the first free client takes it.
                let turn = slot.fetch_add(1, Ordering::Relaxed);
                let moment = begun + Duration::from_secs_f64(turn as f64 / rate);
                if moment > begun + time {
                    return answers;
                }
                sleep_until(moment.into()).await;
            }
            if begun.elapsed() >= time {
                return answers;
            }
            let (sent, before) = (Instant::now(), answered.load(Ordering::Relaxed));
            match timeout(Duration::from_mins(1), wire.ask(&request)).await.unwrap() {
                200 => {
                    let others = answered.fetch_add(1, Ordering::Relaxed) - before;
                    answers.push((sent.elapsed().as_secs_f64(), others));
                }
                429 => {
                    refused.fetch_add(1, Ordering::Relaxed);
                    // An answer from a kept connection may be there at once: others get a turn.
                    tokio::task::yield_now().await;
                }
                status => panic!("{status}"),
            }
        }
    };
    // What comes after the end, when no more is sent, counts neither as time nor as answers in it.
    let end = async {
        sleep_until((begun + time).into()).await;
        (begun.elapsed().as_secs_f64(), times(), answered.load(Ordering::Relaxed))
    };
    let (all, (seconds, (server_after, clients_after), in_time)) =
        join(join_all((0..clients).map(|_| client())), end).await;
    let (mut latencies, mut overtaking): (Vec<f64>, Vec<u64>) = all.concat().into_iter().unzip();
    latencies.sort_by(f64::total_cmp);
    overtaking.sort_unstable();
    Outcome {
        seconds,
        server: server_after - server_before,
        clients: clients_after - clients_before,
        answered: in_time,
        refused: refused.into_inner(),
        latencies,
        overtaking,
    }
}

/// A server on the first processor, and this thread on the second.
fn start_apart(queue: usize) -> (Process, bool) {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/bearing/1");
    let (queue, batch) = (queue.to_string(), BATCH.to_string());
    let flags = ["--queue", &queue, "--max-batch", &batch, "--workers", "1"];
    let plain = harness::command(&models, &flags);
    let thread = fs::read_link("/proc/thread-self").unwrap();
    let thread = thread.file_name().unwrap().to_str().unwrap().to_owned();
    let pinned = Command::new("taskset").args(["-p", "-c", "1", &thread]).output();
    if !pinned.is_ok_and(|output| output.status.success()) {
        return (Process::spawn(plain), false);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(plain.get_program()).args(plain.get_args());
    command.stderr(std::process::Stdio::piped());
    (Process::spawn(command), true)
}

async fn refusals(server: &Process) -> u64 {
    let text = reqwest::get(server.url("/metrics")).await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| line.starts_with("drsn_rejected_total{"));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn at_ten_times_the_capacity_the_server_answers_nearly_as_much_as_it_can() {
    if !has_runtime() || !cfg!(target_os = "linux") {
        return;
    }
    let seconds = std::env::var("DRSN_OVERLOAD_SECONDS").ok().and_then(|s| s.parse().ok());
    let is_long = seconds.is_some();
    let time = Duration::from_secs(seconds.unwrap_or(4));
    let queue = QUEUE[usize::from(is_long)];
    let (server, is_apart) = start_apart(queue);
    phase(&server, SATURATING, None, time / 10).await;
    let before = refusals(&server).await;
    // The speed of a shared machine changes within minutes: both are measured in turn.
    let rounds = u32::try_from(time.as_secs() / ROUND).unwrap().clamp(1, 5);
    let mut found: Option<(Outcome, Outcome)> = None;
    for _ in 0..rounds {
        let capacity = phase(&server, SATURATING, None, time / (4 * rounds)).await;
        assert_eq!(capacity.refused, 0);
        let rate = TIMES * capacity.answered_a_second();
        let overload = phase(&server, OVERLOADING, Some(rate), time / rounds).await;
        found = Some(match found {
            Some((before, during)) => (before.and(capacity), during.and(overload)),
            None => (capacity, overload),
        });
    }
    let (capacity, overload) = found.unwrap();
    let counted = refusals(&server).await - before;

    // A request is answered after those before it in the queue and in two batches.
    let places = queue + 2 * BATCH;
    let bound = places as f64 / overload.answered_a_second();
    let by_wall = overload.answered_a_second() / capacity.answered_a_second();
    let by_processor =
        overload.answered_a_processor_second() / capacity.answered_a_processor_second();
    for (name, found) in [("capacity", &capacity), ("overload", &overload)] {
        eprintln!(
            "{name}: {:.1} s, offered {:.0}/s, answered {:.0}/s and {:.0} per second of the \
             server's processor time, refused {}, median {:.3} s, p99 {:.3} s or {} other answers; \
             processors: server {:.0} %, clients {:.0} %",
            found.seconds,
            found.offered_a_second(),
            found.answered_a_second(),
            found.answered_a_processor_second(),
            found.refused,
            found.percentile(0.5),
            found.percentile(0.99),
            found.place(),
            100.0 * found.server / found.seconds,
            100.0 * found.clients / found.seconds,
        );
    }
    let each = (overload.server
        - overload.answered as f64 / capacity.answered_a_processor_second())
        / overload.refused.max(1) as f64;
    eprintln!(
        "goodput {:.1} % of capacity, {:.1} % by processor time, a refusal costs {:.1} us, {places} \
         places take {bound:.3} s, a processor each: {is_apart}",
        100.0 * by_wall,
        100.0 * by_processor,
        1e6 * each
    );
    assert!(overload.refused > 0);
    assert_eq!(counted, overload.refused, "refusals that clients saw, and that were counted");
    let least = LEAST_GOODPUT[usize::from(is_long)];
    // Where other tests take the processors, only processor time can be compared.
    let goodput = if is_long { by_wall.min(by_processor) } else { by_processor };
    assert!(goodput >= least, "goodput {by_wall:.3}, by processor time {by_processor:.3}");
    if is_long {
        // Not in seconds, in which the machine may have been slow. A quarter more: some wait to be read.
        assert!(overload.place() <= places as u64 * 5 / 4, "{} others before", overload.place());
    } else {
        // The turns of other tests also come between a request and its answer.
        assert!(overload.percentile(0.99) <= 10.0 * bound + 4.0, "{}", overload.percentile(0.99));
    }
}
