//! Variables of the environment, of which an empty one is one that is not set: tools that pass all
//! settings on, like compose files and service managers, write those without a value as empty.

use std::{env, ffi::OsStr};

use clap::{Command, Parser};

/// The value of a variable, unless it is not set, empty or not valid UTF-8.
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Parses the command line and its variables. Ends the process if something is wrong, or help was
/// asked for.
pub fn parse<T: Parser>() -> T {
    let matches = without_empty_variables(T::command()).get_matches();
    T::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The same command, which does not look at variables that are empty.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |name: &OsStr| env::var_os(name).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|argument| match argument.get_env() {
        Some(name) if is_empty(name) => argument.env(None::<&'static str>),
        _ => argument,
    });
    command.mut_subcommands(without_empty_variables)
}
