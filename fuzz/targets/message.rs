//! A gRPC message: what it takes in memory is bounded before it is decoded.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drsn_serve::fuzzing::message(bytes));
