//! What a client chooses outside its JSON: query, headers, keys, and the framing of binary numbers.
#![no_main]

mod counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drsn_serve::fuzzing::request(bytes, counting::peak));
