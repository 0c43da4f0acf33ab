//! Tests of the checks of tensors and of the forms of outputs, without a model.

use drsn_bundle::{Normalization, SignalSpec};

use ndarray::{aview1, aview2};

use super::{outputs::classify, *};

fn spec() -> InputSpec {
    InputSpec::Signal(SignalSpec {
        channels: 2,
        window: 3,
        sample_rate_hz: None,
        normalization: Normalization::None,
        source: None,
        padding: None,
    })
}

fn tensor(shape: &[i64], values: Values) -> Tensor {
    Tensor { name: "input".to_owned(), datatype: FP32.to_owned(), shape: shape.to_vec(), values }
}

#[test]
fn a_tensor_has_the_models_shape_and_as_many_numbers() {
    assert_eq!(check(&tensor(&[2, 2, 3], Values::Floats(vec![0.0; 12])), &spec(), 9), Ok(()));
    let bytes = Values::Bytes(Bytes::from_static(&[0; 24]));
    assert_eq!(check(&tensor(&[1, 2, 3], bytes), &spec(), 9), Ok(()));
}

#[test]
fn a_wrong_tensor_is_refused_with_what_was_expected() {
    let floats = |count| Values::Floats(vec![0.0; count]);
    for (wrong, part) in [
        (tensor(&[2, 3], floats(6)), "N x 2 x 3"),
        (tensor(&[0, 2, 3], floats(0)), "at least 1"),
        (tensor(&[-1, 2, 3], floats(6)), "-1 x 2 x 3"),
        (tensor(&[1, 2, 3], floats(5)), "has 6 numbers, but the request has 5 numbers"),
        (tensor(&[1, 2, 3], Values::Bytes(Bytes::from_static(&[0; 23]))), "23 bytes"),
        (tensor(&[10, 2, 3], floats(60)), "at most 9"),
        (tensor(&[i64::MAX, 2, 3], floats(6)), "at most 9"),
        (Tensor { name: "x".to_owned(), ..tensor(&[1, 2, 3], floats(6)) }, "named \"input\""),
        (Tensor { datatype: "INT8".to_owned(), ..tensor(&[1, 2, 3], floats(6)) }, "FP32"),
    ] {
        let detail = check(&wrong, &spec(), 9).err().map(|e| e.detail).unwrap_or_default();
        assert!(detail.contains(part), "{detail}");
    }
}

#[test]
fn classes_are_sorted_by_their_numbers_and_equal_ones_keep_their_order() {
    let labels: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
    assert_eq!(
        classify(&aview1(&[0.25, 0.5, 0.25]), 3, &labels),
        ["0.5:1:b", "0.25:0:a", "0.25:2:c"]
    );
    assert_eq!(classify(&aview1(&[0.25, 0.5, 0.25]), 1, &labels), ["0.5:1:b"]);
}

#[test]
fn text_follows_its_length_and_numbers_are_little_endian() {
    let mut bytes = Vec::new();
    Data::Classes(vec!["1:0:a".to_owned()]).write(&mut bytes);
    assert_eq!(bytes, b"\x05\0\0\x001:0:a");
    bytes.clear();
    let floats = Data::Floats(vec![aview2(&[[1.0]]), aview2(&[[-2.0]])]);
    floats.write(&mut bytes);
    assert_eq!(bytes, [0, 0, 128, 63, 0, 0, 0, 192]);
    assert_eq!(bytes.len(), floats.byte_length());
}
