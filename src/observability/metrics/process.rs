//! Metrics of the process. Those under the names that Prometheus clients share are read from /proc
//! at each scrape, and left out on systems without it.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::observability::telemetry;

/// Clock ticks in a second: `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;
/// The unit of memory in /proc/self/status, in bytes.
const KIB: u64 = 1024;

#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let dropped = ConstCounter::new(telemetry::dropped_lines());
        dropped.encode(encoder.encode_descriptor(
            "drsn_log_lines_dropped",
            "Log lines dropped because nobody read the log fast enough",
            None,
            MetricType::Counter,
        )?)?;
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            counter.encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                "User and system CPU time in seconds",
                None,
                MetricType::Counter,
            )?)?;
        }
        for (name, help, value) in gauges() {
            let Some(value) = value.and_then(|v| i64::try_from(v).ok()) else {
                continue;
            };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        Ok(())
    }
}

/// Name, help text and value of each gauge; a value that the system does not tell is `None`.
fn gauges() -> [(&'static str, &'static str, Option<u64>); 6] {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| status_field(&status, name);
    let bytes = |name: &str| field(name).map(|kib| kib * KIB);
    [
        ("process_resident_memory_bytes", "Resident memory size in bytes", bytes("VmRSS:")),
        ("process_virtual_memory_bytes", "Virtual memory size in bytes", bytes("VmSize:")),
        ("process_threads", "Number of threads", field("Threads:")),
        ("process_open_fds", "Number of open file descriptors", open_files()),
        ("process_max_fds", "Maximum number of open file descriptors", max_open_files()),
        ("process_start_time_seconds", "Start time in seconds since 1970", start_time()),
    ]
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A field of /proc/self/stat, by its number in proc(5). The first ones, process id and program
/// name, are skipped, as the name can contain anything: the next is number 3.
fn stat_field(number: usize) -> Option<u64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(number - 3)?.parse().ok()
}

fn cpu_seconds() -> Option<f64> {
    Some((stat_field(14)? + stat_field(15)?) as f64 / TICKS)
}

fn start_time() -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot: u64 = stat.lines().find_map(|line| line.strip_prefix("btime "))?.parse().ok()?;
    Some(boot + stat_field(22)? / TICKS as u64)
}

fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

fn max_open_files() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
