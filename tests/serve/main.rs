//! The server as its clients see it: over a socket, and as a process.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/foreign.rs"]
mod foreign;
#[path = "../support/recordings.rs"]
mod random_recordings;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/tiny.rs"]
mod tiny;

mod attack;
mod baseline;
mod batching;
mod causes;
mod class_map;
mod classify_command;
mod clients;
mod commands;
mod console;
mod constant_windows;
mod cuda;
mod damaged;
mod documentation;
mod drain;
mod examples;
#[cfg(unix)]
mod folder_changes;
mod forms;
mod goodput;
mod grpc;
mod habits;
mod harness;
mod hostile;
mod hostility;
mod http;
#[cfg(target_os = "linux")]
mod hung_mount;
mod import;
mod keys;
mod limits;
#[cfg(target_os = "linux")]
mod loading;
mod log;
mod memory;
mod mnist;
mod oip;
mod openapi;
mod overload;
mod recording_files;
mod recording_refusals;
mod recordings;
mod reload;
mod reload_memory;
mod reported;
mod short_recordings;
mod small_and_costly;
mod soak;
mod start;
mod strangers;
mod tls;
mod traces;
mod trained_on;
mod usual;
