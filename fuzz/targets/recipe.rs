//! A recipe: what is accepted is written and read again without a change.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| trainer::recipe(text));
