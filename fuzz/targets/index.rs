//! The table that lists the files of a data set.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| trainer::index(text));
