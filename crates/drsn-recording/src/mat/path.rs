//! The two ways to write a path.

/// A name with MATLAB's indices, which count from 1 in brackets of their own, as Python writes it:
/// `Y(7).Data` is `Y[6].Data`.
pub(super) fn counted_from_zero(name: &str) -> String {
    let mut spelled = String::new();
    let mut rest = name;
    while let Some(at) = rest.find(['(', '{']) {
        let (before, index) = rest.split_at(at);
        let close = if index.starts_with('(') { ')' } else { '}' };
        spelled.push_str(before);
        let number = index.get(1..).and_then(|index| index.split_once(close));
        let place = |digits: &str| digits.trim().parse::<u64>().ok()?.checked_sub(1);
        if let Some((place, after)) = number.and_then(|(index, rest)| Some((place(index)?, rest))) {
            spelled.extend(["[", &place.to_string(), "]"]);
            rest = after;
        } else {
            // No index.
            let (bracket, after) = index.split_at(1);
            spelled.push_str(bracket);
            rest = after;
        }
    }
    spelled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_of_matlab_count_from_one() {
        for (name, spelled) in [
            ("Y(7).Data", "Y[6].Data"),
            ("bearing{2}", "bearing[1]"),
            ("a{12}(1).b{3}", "a[11][0].b[2]"),
            ("Y[6].Data", "Y[6].Data"),
            ("Y(0)", "Y(0)"),
            ("Y(1,2)", "Y(1,2)"),
            ("µ(m{1}", "µ(m[0]"),
            ("x(", "x("),
            ("(99999999999999999999)", "(99999999999999999999)"),
            ("", ""),
        ] {
            assert_eq!(counted_from_zero(name), spelled, "{name}");
        }
    }
}
