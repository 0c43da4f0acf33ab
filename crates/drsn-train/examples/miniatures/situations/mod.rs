//! Four situations in which a split at random would mislead: the test has another speaker, another
//! patient, another speed or another load than the training.

mod bearing;
mod gearbox;
mod heartbeats;
mod signal;
mod speech;

use std::{io, path::Path};

/// Writes a data set into a folder.
pub(crate) type Write = fn(&Path) -> io::Result<()>;

/// The situations by name.
pub(crate) const SITUATIONS: [(&str, Write); 4] = [
    ("speech", speech::write),
    ("heartbeats", heartbeats::write),
    ("gearbox", gearbox::write),
    ("bearing", bearing::write),
];
