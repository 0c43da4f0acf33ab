//! A JSON body: the fast reader of numbers and the general one agree.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drsn_serve::fuzzing::json(bytes));
