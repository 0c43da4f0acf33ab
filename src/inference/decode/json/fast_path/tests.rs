//! The fast path gives the general parser's result, or `None`.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct General {
    signal: Nested,
}

fn bits(Nested { values, shape }: Nested) -> (Vec<u32>, Vec<usize>) {
    (values.iter().map(|value| value.to_bits()).collect(), shape)
}

fn plain(body: &str) -> Option<(Vec<u32>, Vec<usize>)> {
    read(body.as_bytes()).map(|plain| bits(plain.numbers))
}

fn general(body: &str) -> Option<(Vec<u32>, Vec<usize>)> {
    serde_json::from_str::<General>(body).ok().map(|general| bits(general.signal))
}

#[test]
fn the_rest_has_all_but_the_numbers() {
    let plain = read(b" {\"tensors\" : [[1, -2.5e1],\n[3.25, 4]] , \"top_k\": 3}").unwrap();
    assert_eq!(plain.member, Member::Tensors);
    assert_eq!(plain.numbers, Nested { values: vec![1.0, -25.0, 3.25, 4.0], shape: vec![2, 2] });
    assert_eq!(plain.rest, b"{\"tensors\":[] , \"top_k\": 3}");
}

#[test]
fn what_is_not_plain_is_left_to_the_general_parser() {
    for body in [
        "",
        "{",
        "[1]",
        r#"{"model": "a", "signal": [1]}"#,
        r#"{"image": [1]}"#,
        r#"{"signal": 1}"#,
        r#"{"signal": []}"#,
        r#"{"signal": [[1], 2]}"#,
        r#"{"signal": [1, [2]]}"#,
        r#"{"signal": [[1, 2], [3]]}"#,
        r#"{"signal": [[[[[1]]]]]}"#,
        r#"{"signal": [[[1]], [2]]}"#,
        r#"{"signal": [[1], [[2]]]}"#,
        r#"{"signal": [null]}"#,
        r#"{"signal": ["1"]}"#,
        r#"{"signal": [1,]}"#,
        r#"{"signal": [1 2]}"#,
        r#"{"signal": [1"#,
        r#"{"signal": [-]}"#,
        r#"{"signal": [01]}"#,
        r#"{"signal": [1.]}"#,
        r#"{"signal": [.5]}"#,
        r#"{"signal": [+1]}"#,
        r#"{"signal": [1e]}"#,
        r#"{"signal": [1e99999999999]}"#,
        r#"{"signal": [123456789012345678901234567890]}"#,
        r#"{"signal": [NaN]}"#,
    ] {
        assert_eq!(read(body.as_bytes()), None, "{body}");
    }
    let long = format!(r#"{{"signal": [1], "images": ["{}"]}}"#, "A".repeat(MAX_REST));
    assert_eq!(read(long.as_bytes()), None);
}

/// Numbers as programs write them: the shortest digits of 32 and of 64 bits, whole numbers, with
/// and without exponents; and any others.
fn written() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f32>().prop_filter("finite", |x| x.is_finite()).prop_map(|x| format!("{x:e}")),
        (-1e3_f32..1e3).prop_map(|x| x.to_string()),
        (-1.0_f64..1.0).prop_map(|x| x.to_string()),
        (-1e-3_f64..1e-3).prop_map(|x| format!("{x:e}")),
        any::<i64>().prop_map(|x| x.to_string()),
        any::<u64>().prop_map(|x| x.to_string()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        Just("-0".to_owned()),
        Just("-0.0".to_owned()),
    ]
}

proptest! {
    #[test]
    fn numbers_are_those_of_the_general_parser_to_the_bit(
        written in prop::collection::vec(written(), 1..20), space in "[ \n\r\t]{0,2}"
    ) {
        let list = written.join(&format!("{space},{space}"));
        let one = format!("{{\"signal\":{space}[{list}]{space}}}");
        let two = format!("{{\"signal\":[{space}[{list}]{space},[{list}]]}}");
        for body in [one, two] {
            if let Some(found) = plain(&body) {
                prop_assert_eq!(Some(found), general(&body));
            }
        }
    }

    #[test]
    fn usual_numbers_of_32_and_64_bits_are_plain(
        singles in prop::collection::vec(1e-4_f32..1e6, 1..20),
        doubles in prop::collection::vec(1e-4_f64..10.0, 1..20)
    ) {
        let singles = singles.iter().flat_map(|x| [x.to_string(), format!("{:e}", -x)]);
        let doubles = doubles.iter().flat_map(|x| [(-x).to_string(), format!("{x:e}")]);
        let list: Vec<String> = singles.chain(doubles).collect();
        let body = format!("{{\"signal\":[{}]}}", list.join(", "));
        prop_assert!(plain(&body).is_some());
        prop_assert_eq!(plain(&body), general(&body));
    }

    #[test]
    fn whatever_is_read_is_what_the_general_parser_reads(inner in "[\\[\\]0-9,.eE+ -]{0,24}") {
        let body = format!("{{\"signal\":[{inner}]}}");
        if let Some(found) = read(body.as_bytes()) {
            // The text after the list can be invalid; then the rest is.
            let is_valid = serde_json::from_slice::<General>(&found.rest).is_ok();
            prop_assert_eq!(general(&body), is_valid.then(|| bits(found.numbers)));
        }
    }
}

#[test]
fn eight_digits_are_read_at_once_and_nothing_else_is_taken_for_them() {
    for number in (0..EIGHT).step_by(99_991).chain([EIGHT - 1]) {
        let text = format!("{number:08}");
        assert_eq!(eight_digits(text.as_bytes().try_into().unwrap()), Some(number));
    }
    for place in 0..8 {
        for byte in 0..=u8::MAX {
            let mut text = *b"12345678";
            text[place] = byte;
            assert_eq!(eight_digits(text).is_some(), byte.is_ascii_digit(), "{byte} at {place}");
        }
    }
    for body in
        ["12345678901234567", "0.12345678", "1.1234567890123456", "123456789012345678901234"]
    {
        let body = format!("{{\"signal\":[{body}]}}");
        assert!(plain(&body).is_none_or(|found| Some(found) == general(&body)), "{body}");
    }
}
