//! The three subsets of a data set, and the names that people give them.

/// What an input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subset {
    Training,
    HeldOut,
    Test,
}

/// Usual names, in lower case and without anything but letters.
const NAMES: [(Subset, &[&str]); 3] = [
    (Subset::Training, &["train", "training", "trn"]),
    (
        Subset::HeldOut,
        &[
            "heldout",
            "holdout",
            "val",
            "valid",
            "validate",
            "validation",
            "dev",
            "devel",
            "development",
            "eval",
            "evaluate",
            "evaluation",
        ],
    ),
    (Subset::Test, &["test", "tests", "testing", "tst"]),
];

/// Words that may stand before or after such a name: `train_set`, `test-data`, `data_val`.
const FILLERS: [&str; 15] = [
    "datasets",
    "dataset",
    "data",
    "sets",
    "set",
    "split",
    "part",
    "fold",
    "folder",
    "files",
    "images",
    "imgs",
    "img",
    "recordings",
    "samples",
];

impl Subset {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Training, Self::HeldOut, Self::Test];

    /// The subset that a whole name means, from an index or a folder: `Training_Set`, `val`,
    /// `test-data`, `test2`.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        let letters: String =
            name.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
        let mut word = letters.as_str();
        while let Some(rest) = FILLERS
            .iter()
            .find_map(|filler| word.strip_suffix(filler).or_else(|| word.strip_prefix(filler)))
        {
            word = rest;
        }
        NAMES.iter().find(|(_, names)| names.contains(&word)).map(|&(subset, _)| subset)
    }

    /// The subset that a part of a name means, as in `seg_train` or `TestImagesA`.
    pub(super) fn within_name(name: &str) -> Option<Self> {
        Self::from_name(name).or_else(|| words(name).iter().find_map(|word| Self::from_name(word)))
    }

    /// Its name in an index and in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::HeldOut => "held-out",
            Self::Test => "test",
        }
    }
}

/// The words of a name, which ends each at anything but a letter and before a capital after a small
/// letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_small = false;
    for character in name.chars() {
        if !character.is_alphabetic() || (after_small && character.is_uppercase()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphabetic()) {
            word.push(character);
        }
        after_small = character.is_lowercase();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_of_subsets_are_known_in_any_case_and_with_numbers_and_fillers() {
        for (subset, names) in [
            (Subset::Training, "training train TRAIN Trn train_set Training-Set trainset 01_train"),
            (Subset::Training, "train2 data_train TrainingData train.images dataset-train-1"),
            (Subset::HeldOut, "held-out HeldOut held_out holdout Hold-Out val VAL valid"),
            (Subset::HeldOut, "validation dev dev_set eval evaluation val2017"),
            (Subset::Test, "test Test testing TestSet test-data tests test_01"),
        ] {
            for name in names.split(' ') {
                assert_eq!(Subset::from_name(name), Some(subset), "{name}");
            }
        }
        let others = "normal worn device valve contest latest training-shoes test_bench_A data set \
                      devil trainer seg_train 7";
        for name in others.split_whitespace() {
            assert_eq!(Subset::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_subset_within_a_longer_name_is_found_by_whole_words() {
        for (name, subset) in [
            ("seg_train", Some(Subset::Training)),
            ("TestBenchA", Some(Subset::Test)),
            ("mitbih-val-2", Some(Subset::HeldOut)),
            ("contest", None),
            ("valve 3", None),
        ] {
            assert_eq!(Subset::within_name(name), subset, "{name}");
        }
    }
}
