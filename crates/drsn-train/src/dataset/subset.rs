//! The three subsets of a data set.

/// What an input is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subset {
    Training,
    HeldOut,
    Test,
}

impl Subset {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Training, Self::HeldOut, Self::Test];

    /// Parses a name from an index or a folder.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "training" => Some(Self::Training),
            "held-out" => Some(Self::HeldOut),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}
