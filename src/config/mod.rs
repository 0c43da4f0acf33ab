//! The command-line flags of the server, each with a variable `DRSN_…`, and the types of their values.

mod environment;
mod flags;
mod values;

use std::time::Duration;

pub use environment::parse;
pub(crate) use environment::variable;
pub use flags::{
    BatchingFlags, CaptureFlags, Config, DiagnosticsFlags, LimitFlags, LogFlags, ModelFlags,
    NetworkFlags, SecurityFlags, ShutdownFlags,
};
pub(crate) use values::boolean;
pub use values::{
    CorsOrigin, Device, GrpcAddress, LogFormat, MaxBatch, ModelControl, Switch, VersionPolicy,
};

impl Config {
    /// How long an incomplete batch waits for more inputs.
    pub fn max_wait(&self) -> Duration {
        Duration::from_micros(self.batching.max_wait_us)
    }

    /// Time limit of a request.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.network.request_timeout_ms.get())
    }

    /// Time limit for a stream that sends no samples or reads no response.
    pub fn stream_idle(&self) -> Duration {
        Duration::from_millis(self.network.stream_idle_ms.get())
    }

    /// Time between two scans of the models folder.
    pub fn poll_interval(&self) -> Duration {
        Duration::from_secs(self.models.poll_seconds.get())
    }

    /// Time limit for reading the files of a version, and for trying it.
    pub fn load_timeout(&self) -> Duration {
        Duration::from_millis(self.models.load_timeout_ms.get())
    }

    /// Time limit for a client that reads nothing of its response.
    pub fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.network.write_timeout_ms.get())
    }

    /// How long new requests are answered after SIGTERM.
    pub fn linger(&self) -> Duration {
        Duration::from_millis(self.shutdown.linger_ms)
    }

    /// Time for accepted requests to finish after the linger.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.shutdown.drain_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Config::command().debug_assert();
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        let command = Config::command();
        let flags = command.get_arguments().filter(|a| a.get_long().is_some());
        for flag in flags {
            let long = flag.get_long().unwrap_or_default();
            if matches!(long, "help" | "version") {
                continue;
            }
            let variable = format!("DRSN_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(flag.get_env().and_then(|e| e.to_str()), Some(&*variable));
        }
    }
}
