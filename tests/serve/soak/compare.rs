//! Whether an answer is the reference.
//!
//! Texts, counts and the order of windows are the same. A fraction may differ by 1e-4 of itself
//! and 1e-5: a batch of another size sums in another order, which changes the last bits, and that
//! is what `Tolerance::CPU` allows between two engines. Left out is what an answer may say anew
//! each time: how long it took, which version answered, and how large its batches may be.

use drsn_bundle::Tolerance;
use serde_json::{Map, Value};

/// What differs from answer to answer.
const CHANGING: [&str; 5] = ["timing", "version", "model_version", "versions", "max_batch"];
/// A class that is hardly more probable than all others together may be the second elsewhere.
const CLEAR: f64 = 0.501;
/// p-values count training inputs that are further out: one more or less is a step of 1e-3 or less.
const STEP_OF_P: f64 = 2e-3;

/// The first difference, with its place; `None` if the answer is right.
pub(super) fn difference(found: &Value, expected: &Value) -> Option<String> {
    compare("answer", found, expected)
}

fn compare(place: &str, found: &Value, expected: &Value) -> Option<String> {
    let is_right = match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            return objects(place, found, expected);
        }
        (Value::Array(found), Value::Array(expected)) => {
            return arrays(place, found, expected);
        }
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| is_close(place, a, b))
        }
        _ => found == expected,
    };
    (!is_right).then(|| format!("{place} is {found}, expected {expected}"))
}

fn is_close(place: &str, found: f64, expected: f64) -> bool {
    if found.fract() == 0.0 && expected.fract() == 0.0 && expected.abs() > 1.0 {
        return false;
    }
    let Tolerance { rtol, atol } = Tolerance::CPU;
    let is_p = place.ends_with("p_value");
    let allowed = f64::from(rtol) * expected.abs() + f64::from(atol);
    (found - expected).abs() <= if is_p { STEP_OF_P } else { allowed }
}

fn objects(
    place: &str,
    found: &Map<String, Value>,
    expected: &Map<String, Value>,
) -> Option<String> {
    let is_one_of_all = place.contains("probabilities");
    let is_close_race = !is_one_of_all
        && expected.get("probability").and_then(Value::as_f64).is_some_and(|p| p < CLEAR);
    let matters = |key: &&String| {
        let is_of_the_race = is_close_race && ["label", "class_index"].contains(&key.as_str());
        !is_of_the_race && !CHANGING.contains(&key.as_str())
    };
    if let Some(key) = found.keys().filter(matters).find(|&key| !expected.contains_key(key)) {
        return Some(format!("{place} has {key}, which was not expected"));
    }
    expected.iter().filter(|(key, _)| matters(key)).find_map(|(key, expected)| {
        compare(&format!("{place}.{key}"), found.get(key).unwrap_or(&Value::Null), expected)
    })
}

/// Classes are compared by their number: those with equal probabilities have no order.
fn arrays(place: &str, found: &[Value], expected: &[Value]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!("{place} has {} parts, expected {}", found.len(), expected.len()));
    }
    let sorted = |classes: &[Value]| {
        let mut classes: Vec<Value> = classes.to_vec();
        classes.sort_by_key(|class| class["class_index"].as_u64());
        classes
    };
    let (found, expected) = if place.ends_with("probabilities") {
        (sorted(found), sorted(expected))
    } else {
        (found.to_vec(), expected.to_vec())
    };
    let mut parts = found.iter().zip(&expected).enumerate();
    parts.find_map(|(index, (found, expected))| {
        compare(&format!("{place}[{index}]"), found, expected)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::difference;

    fn answer(probability: f64, threshold: f64, label: &str) -> serde_json::Value {
        json!({
            "model": {"name": "m", "version": "1"},
            "predictions": [{
                "label": label, "class_index": 0, "probability": probability,
                "probabilities": [{"label": "a", "class_index": 0, "probability": probability}],
                "diagnostics": {"blocks": [{"threshold": {"mean": threshold}}]},
            }],
            "timing": {"batch_size": 1},
        })
    }

    #[test]
    fn last_bits_version_and_timing_may_differ_and_nothing_else() {
        let expected = answer(0.9, 1.5, "a");
        let mut same = answer(0.900_001, 1.500_01, "a");
        same["model"]["version"] = json!("2");
        same["timing"]["batch_size"] = json!(8);
        assert_eq!(difference(&same, &expected), None);
        for wrong in [answer(0.901, 1.5, "a"), answer(0.9, 1.501, "a"), answer(0.9, 1.5, "b")] {
            assert!(difference(&wrong, &expected).is_some(), "{wrong}");
        }
        let mut shorter = expected.clone();
        shorter["predictions"] = json!([]);
        assert!(difference(&shorter, &expected).is_some());
        let mut more = expected.clone();
        more["predictions"][0]["other"] = json!(1);
        assert!(difference(&more, &expected).is_some());
    }

    #[test]
    fn classes_of_equal_probability_have_no_order() {
        let class = |index: u32, probability: f64| json!({"class_index": index, "probability": probability});
        let [a, b] = [class(0, 0.5), class(1, 0.5)];
        let of = |first: &serde_json::Value, second: &serde_json::Value| json!({"class_index": first["class_index"], "probability": 0.5, "probabilities": [first, second]});
        assert_eq!(difference(&of(&b, &a), &of(&a, &b)), None);
        assert!(difference(&of(&a, &a), &of(&a, &b)).is_some());
    }
}
