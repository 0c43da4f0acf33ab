//! Checks before a training of what would otherwise fail only at its end.

use std::{fs, path::Path};

use drsn_bundle::{runtime::Runtime, staging::Staging};

use super::error::TrainError;
use crate::{
    export::Destination,
    training::{Checkpoint, CheckpointError},
};

/// Checks that the bundle can be written and that ONNX Runtime is available.
pub(super) fn check_destination(destination: &Destination) -> Result<(), TrainError> {
    check_version(destination.version.as_str())?;
    let folder = destination.folder();
    if folder.exists() && !destination.replace {
        return Err(TrainError::Exists { folder });
    }
    check_writable(&destination.repository, "--out")?;
    // Not created here, but with the first version in it.
    let model = destination.repository.join(destination.name.as_str());
    if model.exists() {
        check_writable(&model, "--out")?;
    }
    Runtime::start(destination.library())?;
    Ok(())
}

/// Checks that a training may overwrite the checkpoint, and that it can be written.
pub(super) fn check_checkpoint(path: &Path, overwrite: bool) -> Result<(), TrainError> {
    if !overwrite && path.exists() {
        let found = Checkpoint::load(path)?;
        let checkpoint = path.to_owned();
        if !found.is_complete() {
            let (epoch, epochs) = (found.position.epoch, found.recipe.epochs);
            return Err(TrainError::Unfinished { checkpoint, epoch, epochs });
        }
        if !found.exported {
            return Err(TrainError::NotWritten { checkpoint });
        }
    }
    check_writable(Checkpoint::folder(path), "--checkpoint")
}

/// Notes in a checkpoint that the bundle of its complete training was written, so that a new
/// training may take its place.
pub(super) fn note_export(path: &Path) -> Result<(), CheckpointError> {
    let checkpoint = Checkpoint::load(path)?;
    Checkpoint { exported: true, ..checkpoint }.save(path)
}

/// Checks that the version is a 64-bit number, as the server requires.
fn check_version(version: &str) -> Result<(), TrainError> {
    let digits = !version.starts_with('0') && version.bytes().all(|b| b.is_ascii_digit());
    if digits && version.parse::<u64>().is_ok() {
        return Ok(());
    }
    Err(TrainError::Version { version: version.to_owned() })
}

/// Creates the folder if it does not exist, and a hidden folder in it, which is deleted again.
fn check_writable(folder: &Path, flag: &'static str) -> Result<(), TrainError> {
    fs::create_dir_all(folder)
        .and_then(|()| Staging::new_in(folder))
        .map(drop)
        .map_err(|source| TrainError::Unwritable { folder: folder.to_owned(), source, flag })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        recipe::preset,
        training::{EpochSums, Position},
    };

    #[test]
    fn only_versions_that_a_server_can_read_are_accepted() {
        for version in ["1", "18446744073709551615"] {
            assert!(check_version(version).is_ok(), "{version}");
        }
        for version in ["", "0", "01", "+1", "one", "18446744073709551616"] {
            assert!(check_version(version).is_err(), "{version}");
        }
    }

    #[test]
    fn a_checkpoint_is_kept_until_its_training_is_finished_and_its_bundle_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let recipe = preset("mnist").unwrap();
        let last = recipe.epochs;
        let cases =
            [(last - 1, false, "--resume to"), (last, false, "was not written"), (last, true, "")];
        for (epoch, exported, reason) in cases {
            let position = Position { epoch, batch: 0 };
            let (recipe, history) = (recipe.clone(), vec![]);
            let checkpoint = Checkpoint {
                recipe,
                data_digest: String::new(),
                position,
                sums: EpochSums::default(),
                history,
                exported,
                classes: vec![],
                origin: None,
                weights: vec![],
                optimizer: vec![],
            };
            checkpoint.save(&path).unwrap();
            let refusal = check_checkpoint(&path, false).err().map(|error| error.to_string());
            assert_eq!(refusal.is_none(), exported);
            assert!(refusal.unwrap_or_default().contains(reason));
            assert!(check_checkpoint(&path, true).is_ok());
        }
    }

    #[test]
    fn a_folder_inside_a_file_is_refused_with_the_flag_to_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let refusal = check_checkpoint(&file.join("a/checkpoint"), false).unwrap_err().to_string();
        assert!(refusal.contains("--checkpoint"), "{refusal}");
    }
}
