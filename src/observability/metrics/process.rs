//! The process itself, under the names that Prometheus clients share. Read from /proc at each scrape; where there
//! is none, these metrics are left out.

use std::{fmt, fs};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Clock ticks in a second: `sysconf(_SC_CLK_TCK)` is 100 on every Linux that Rust runs on.
const TICKS: f64 = 100.0;
/// Bytes in the kibibytes that /proc/self/status counts in.
const KIB: u64 = 1024;

#[derive(Debug)]
pub(super) struct ProcessCollector;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(seconds) = cpu_seconds() {
            let counter = ConstCounter::new(seconds);
            counter.encode(encoder.encode_descriptor(
                "process_cpu_seconds",
                "User and system CPU time",
                None,
                prometheus_client::metrics::MetricType::Counter,
            )?)?;
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let field = |name: &str| status_field(&status, name);
        let gauges = [
            (
                "process_resident_memory_bytes",
                "Resident memory",
                field("VmRSS:").map(|kib| kib * KIB),
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory",
                field("VmSize:").map(|kib| kib * KIB),
            ),
            ("process_threads", "Threads", field("Threads:")),
            ("process_open_fds", "Open file descriptors", open_files()),
            ("process_max_fds", "Most open file descriptors", most_files()),
            ("process_start_time_seconds", "Start of the process since 1970", start_time()),
        ];
        for (name, help, value) in gauges {
            let Some(value) = value.and_then(|v| i64::try_from(v).ok()) else {
                continue;
            };
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(
                name,
                help,
                None,
                prometheus_client::metrics::MetricType::Gauge,
            )?)?;
        }
        Ok(())
    }
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The fields of /proc/self/stat that follow the program's name, which can hold anything; the first is number 3.
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

fn most_files() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
