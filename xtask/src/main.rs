//! The project's development commands, run as `cargo xtask <command>`.
//!
//! | module          | what it does                                                        |
//! |-----------------|---------------------------------------------------------------------|
//! | [`workspace`]   | the project's folders, and how cargo is called                      |
//! | [`onnxruntime`] | obtains ONNX Runtime's shared library and checks it                 |
//! | [`serve`]       | builds the server and starts it with the bundled models             |
//! | [`mod@test`]    | runs every test that this machine can run, and counts them          |
//! | [`check`]       | format, layout, licences, lints and documentation                   |
//! | [`layout`]      | the order of the rooms, and no circles among files                  |
//! | [`fuzz`]        | gives every decoder inputs that try to break it                     |
//! | [`mod@bench`]   | measures what a request costs beside the network alone              |
//! | [`soak`]        | runs the soak and the overload for minutes                          |
//!
//! Progress goes to standard error, the outcome of the tests to standard output.

mod bench;
mod check;
mod fuzz;
mod layout;
mod onnxruntime;
mod serve;
mod soak;
mod test;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// The project's development commands
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Download ONNX Runtime's shared library into the target directory and check it
    Onnxruntime,
    /// Build the server and serve the bundled models
    Serve {
        /// Passed on to drsn-serve
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Run every test that this machine can run
    Test {
        /// Passed on to cargo test
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
    /// Check format, layout, licences, lints and documentation
    Check,
    /// Check that rooms use only rooms below them, and that no files use each other in a circle
    Layout,
    /// Give every decoder inputs that try to break it
    Fuzz {
        /// How long each target runs
        #[arg(long, value_name = "SECONDS", default_value = "600")]
        seconds: u64,
        /// The targets [default: all]
        targets: Vec<String>,
    },
    /// Send every kind of request, right and wrong, and compare every answer with its reference
    Soak {
        /// How long
        #[arg(long, value_name = "MINUTES", default_value = "30")]
        minutes: u64,
    },
    /// Send ten times what the server can answer, and measure what it still answers
    Overload {
        /// How long
        #[arg(long, value_name = "MINUTES", default_value = "5")]
        minutes: u64,
    },
    /// Measure what a request costs beside the network alone
    Bench {
        /// Folders of models [default: models/bearing]
        #[arg(last = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let workspace = Workspace::locate()?;
    match arguments.command {
        Command::Onnxruntime => onnxruntime::obtain(&workspace).map(|_| ExitCode::SUCCESS),
        Command::Serve { arguments } => serve::run(&workspace, &arguments),
        Command::Test { arguments } => test::run(&workspace, &arguments),
        Command::Layout => layout::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Check => check::run(&workspace).map(|()| ExitCode::SUCCESS),
        Command::Fuzz { seconds, targets } => {
            fuzz::run(&workspace, seconds, &targets).map(|()| ExitCode::SUCCESS)
        }
        Command::Soak { minutes } => {
            soak::run(&workspace, &soak::SOAK, minutes).map(|()| ExitCode::SUCCESS)
        }
        Command::Overload { minutes } => {
            soak::run(&workspace, &soak::OVERLOAD, minutes).map(|()| ExitCode::SUCCESS)
        }
        Command::Bench { arguments } => bench::run(&workspace, &arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_two_dashes_is_passed_on() {
        let arguments = Arguments::parse_from(["xtask", "serve", "--", "--listen", "[::]:80"]);
        let Command::Serve { arguments } = arguments.command else {
            panic!("not the serve command")
        };
        assert_eq!(arguments, ["--listen", "[::]:80"]);
    }
}
