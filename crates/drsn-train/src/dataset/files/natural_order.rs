//! Natural order of names: runs of digits compare as numbers.

use std::cmp::Ordering;

/// Compares names so that `file 2` comes before `file 10`.
pub(in crate::dataset) fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    while let (Some(x), Some(y)) = (left.chars().next(), right.chars().next()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let ((m, rest_left), (n, rest_right)) = (number(left), number(right));
            (left, right) = (rest_left, rest_right);
            m.len().cmp(&n.len()).then_with(|| m.cmp(n))
        } else {
            (left, right) = (&left[x.len_utf8()..], &right[y.len_utf8()..]);
            x.cmp(&y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    // A total order needs a rule for names that differ only in leading zeros.
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

/// Splits off the number at the start, without leading zeros.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (number.trim_start_matches('0'), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["b1", "a10", "a2", "a", "a02b", "ä", "a2b"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a2", "a02b", "a2b", "a10", "b1", "ä"]);
    }
}
