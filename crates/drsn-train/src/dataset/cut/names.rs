//! Which array is which, by the names that the recipe gives or that are usual.

use drsn_recording::ArrayInfo;

use crate::{dataset::subset::Subset, recipe::WindowConfig};

/// Usual names of what belongs to the inputs, in lower case.
pub(super) const LABELS: &[&str] = &["label", "labels", "class", "target", "targets", "y"];
pub(super) const GROUPS: &[&str] = &["group", "groups"];
pub(super) const SPLITS: &[&str] = &["split", "splits"];
const INPUTS: &[&str] = &["x", "data", "signals", "inputs"];

/// An array by its place among those of a data set, for each role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) subset: Option<Subset>,
    pub(super) inputs: usize,
    pub(super) labels: usize,
    pub(super) groups: Option<usize>,
    pub(super) splits: Option<usize>,
}

/// A name that fits a role, and the part of a split that it names besides.
struct Fit {
    subset: Option<Subset>,
}

/// What is looked for.
struct Role<'a> {
    /// What it is, in words.
    what: &'static str,
    field: &'static str,
    /// The name in the recipe.
    given: Option<&'a str>,
    usual: &'static [&'static str],
}

/// Finds the arrays of a data set: once, or for each part of a split, as in `X_train` and `X_test`.
pub(super) fn resolve(arrays: &[ArrayInfo], config: &WindowConfig) -> Result<Vec<Part>, String> {
    let role = |what, field, given, usual| Role { what, field, given, usual };
    let inputs = role("the inputs", "inputs", config.inputs.as_deref(), INPUTS);
    let labels = role("the labels", "labels", config.labels.as_deref(), LABELS);
    let groups = role("the groups", "groups", config.groups.as_deref(), GROUPS);
    let splits = role("the split", "splits", config.splits.as_deref(), SPLITS);
    let found = inputs.find(arrays)?;
    if found.is_empty() {
        return Err(inputs.missing(arrays, ""));
    }
    let [labels_found, groups_found, splits_found] =
        [labels.find(arrays)?, groups.find(arrays)?, splits.find(arrays)?];
    let mut parts = Vec::new();
    for (subset, place) in found {
        let same = |found: &[(Option<Subset>, usize)]| {
            found.iter().find(|(other, _)| *other == subset).map(|(_, place)| *place)
        };
        let of = format!(" of {}", arrays[place].name);
        let optional = |role: &Role<'_>, found: &[(Option<Subset>, usize)]| match same(found) {
            None if role.given.is_some() => Err(role.missing(arrays, &of)),
            place => Ok(place),
        };
        parts.push(Part {
            subset,
            inputs: place,
            labels: same(&labels_found).ok_or_else(|| labels.missing(arrays, &of))?,
            groups: optional(&groups, &groups_found)?,
            splits: optional(&splits, &splits_found)?,
        });
    }
    Ok(parts)
}

impl Role<'_> {
    /// The arrays that have this role, with the part of a split that is in the name.
    fn find(&self, arrays: &[ArrayInfo]) -> Result<Vec<(Option<Subset>, usize)>, String> {
        let mut found: Vec<(Option<Subset>, usize)> = Vec::new();
        for (place, array) in arrays.iter().enumerate() {
            let Some(Fit { subset }) = self.fits(&array.name) else { continue };
            let rival = found
                .iter()
                .find(|(other, _)| *other == subset || other.is_none() || subset.is_none());
            if let Some((_, rival)) = rival {
                return Err(format!(
                    "{} and {} may both be {}: name one with data.{}",
                    arrays[*rival].name, array.name, self.what, self.field
                ));
            }
            found.push((subset, place));
        }
        Ok(found)
    }

    /// Whether a name has this role.
    fn fits(&self, name: &str) -> Option<Fit> {
        if let Some(given) = self.given {
            return fits(name, given);
        }
        let name = name.to_lowercase();
        self.usual.iter().find_map(|usual| fits(&name, usual))
    }

    fn missing(&self, arrays: &[ArrayInfo], of: &str) -> String {
        const SHOWN: usize = 20;
        let names: Vec<&str> = arrays.iter().map(|array| array.name.as_str()).take(SHOWN).collect();
        let looked_for = match self.given {
            Some(given) => format!("called {given}"),
            None => format!("with one of the names {}", self.usual.join(", ")),
        };
        format!(
            "it has no array {looked_for} for {}{of}; it has {}: name the right one with data.{}",
            self.what,
            if names.is_empty() { "none".to_owned() } else { names.join(", ") },
            self.field
        )
    }
}

/// Whether a name is this one, alone or with the name of a part of a split before or after it.
fn fits(name: &str, base: &str) -> Option<Fit> {
    if name == base {
        return Some(Fit { subset: None });
    }
    let rests = [name.strip_prefix(base), name.strip_suffix(base)];
    rests
        .into_iter()
        .flatten()
        .find_map(Subset::from_name)
        .map(|subset| Fit { subset: Some(subset) })
}

#[cfg(test)]
mod tests {
    use drsn_recording::ArrayKind;

    use super::*;
    use crate::dataset::cut::tests::config;

    fn arrays(names: &str) -> Vec<ArrayInfo> {
        let info = |name: &str| ArrayInfo {
            name: name.to_owned(),
            shape: Vec::new(),
            is_column_major: false,
            kind: ArrayKind::Numbers,
        };
        names.split(' ').map(info).collect()
    }

    fn find(names: &str, config: &WindowConfig) -> Result<String, String> {
        let arrays = arrays(names);
        let name = |place: usize| arrays[place].name.clone();
        let parts = resolve(&arrays, config)?;
        let part = |part: &Part| {
            let optional = |place: Option<usize>| place.map_or_else(|| "-".to_owned(), name);
            let subset = part.subset.map_or("", Subset::name);
            let [groups, splits] = [part.groups, part.splits].map(optional);
            format!("{subset}: {} {} {groups} {splits}", name(part.inputs), name(part.labels))
        };
        Ok(parts.iter().map(part).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn arrays_are_found_by_usual_names_and_by_those_of_the_recipe() {
        for (names, expected) in [
            ("X y fs", ": X y - -"),
            ("signals Labels group split", ": signals Labels group split"),
            (
                "x_train y_train x_test y_test",
                "training: x_train y_train - -; test: x_test y_test - -",
            ),
            ("Xtest Xtrain ytrain ytest", "test: Xtest ytest - -; training: Xtrain ytrain - -"),
            (
                "train_data train_labels val-data val-labels",
                "training: train_data train_labels - -; held-out: val-data val-labels - -",
            ),
            (
                "X_train y_train group_train X_test y_test",
                "training: X_train y_train group_train -; test: X_test y_test - -",
            ),
        ] {
            assert_eq!(find(names, &config()).as_deref(), Ok(expected), "{names}");
        }
        let named = WindowConfig {
            inputs: Some("ecg".to_owned()),
            labels: Some("beat".to_owned()),
            groups: Some("patient".to_owned()),
            ..config()
        };
        assert_eq!(find("ecg X y beat patient", &named).unwrap(), ": ecg beat patient -");
        assert_eq!(
            find("ecg_train beat_train patient_train", &named).unwrap(),
            "training: ecg_train beat_train patient_train -"
        );
        let error = find("ecg beat", &named).unwrap_err();
        assert!(
            error.starts_with("it has no array called patient for the groups of ecg"),
            "{error}"
        );
    }

    #[test]
    fn names_that_leave_a_doubt_are_refused_with_what_to_set() {
        for (names, expected) in [
            ("X data y", "X and data may both be the inputs: name one with data.inputs"),
            ("X X_train y", "X and X_train may both be the inputs"),
            ("X y label", "y and label may both be the labels: name one with data.labels"),
            (
                "a b",
                "no array with one of the names x, data, signals, inputs for the inputs; it has a, b",
            ),
            ("X_train X_test y_train", "for the labels of X_test"),
            ("X labelled", "for the labels of X; it has X, labelled: name the right one"),
        ] {
            let error = find(names, &config()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
