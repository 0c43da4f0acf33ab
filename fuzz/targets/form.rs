//! A form: read the same in whatever pieces it arrives, and never beyond its memory.
#![no_main]

mod counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drsn_serve::fuzzing::form(bytes, counting::peak));
