//! The same seed gives the same model.onnx, byte for byte, whether the training was interrupted or not.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use drsn_bundle::manifest::FORMAT;
use drsn_train::{
    TrainError,
    calibration::calibrate,
    dataset::Data,
    export::to_onnx,
    random::{Purpose, stream},
    recipe::Recipe,
    training::{BatchReport, Checkpoint, Progress, Quiet, Task, Trainer, Workers},
};
use rand::RngExt as _;

use crate::support::{Memory, classes, data, image, recipe};

/// Pictures with a bright row whose place is the class: enough to be learnt, and there without any data.
fn bright_rows(count: usize) -> Data {
    let mut rng = stream(3, Purpose::Evaluation, 0, 0);
    let labels: Vec<usize> = (0..count).map(|_| rng.random_range(0..10)).collect();
    let picture = |&label: &usize| {
        let row = 2 * label + 4;
        (0..28 * 28).map(move |pixel| f32::from(u8::from(pixel / 28 == row))).collect()
    };
    let inputs = labels.iter().map(picture).collect();
    data(Memory { inputs, labels }, 64, image(28))
}

struct Fixture {
    recipe: Recipe,
    data: Data,
    digest: String,
    workers: Workers,
}

impl Fixture {
    fn new(seed: u64) -> Self {
        Self::on(seed, 2)
    }

    /// With noise, shifts, and a batch in two parts.
    fn on(seed: u64, threads: usize) -> Self {
        let seed = format!("seed={seed}");
        let recipe = recipe(&[
            "network.stem={channels=4,kernel=3,stride=2}",
            "network.stages=[{channels=4,blocks=1,stride=2}]",
            "noise={kind='uniform',amplitude=[0.0,0.5]}",
            "augmentation.crop=2",
            "epochs=2",
            "batch=16",
            "shards=2",
            &seed,
        ]);
        let data = bright_rows(224);
        let digest = data.digest().unwrap();
        Self { recipe, data, digest, workers: Workers::new(threads).unwrap() }
    }

    fn task(&self) -> Task<'_> {
        let Self { recipe, data, digest, workers } = self;
        Task { recipe, data, digest, workers }
    }

    /// Calibrated and exported.
    fn model(&self, trainer: &Trainer<'_>) -> Vec<u8> {
        let mut network = trainer.network();
        // So short a training may be refused; the bytes are what is compared here.
        match calibrate(&mut network, self.task(), &mut Quiet, &AtomicBool::new(false)) {
            Ok(_) | Err(TrainError::Calibration { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        to_onnx(&network, &self.data.input, &classes(), FORMAT).unwrap()
    }

    fn train_through(&self, checkpoint: &Path) -> Vec<u8> {
        let mut trainer = Trainer::new(self.task()).unwrap();
        trainer.run(checkpoint, &mut Quiet, &AtomicBool::new(false)).unwrap();
        self.model(&trainer)
    }
}

/// Asks the training to stop once it has done so many batches of an epoch.
struct StopAfter<'a> {
    epoch: usize,
    batch: usize,
    stop: &'a AtomicBool,
}

impl Progress for StopAfter<'_> {
    fn batch(&mut self, report: &BatchReport) {
        if (report.epoch, report.batch) == (self.epoch, self.batch) {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_model_and_another_seed_another() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let first = Fixture::new(1).train_through(&checkpoint);
    assert_eq!(first, Fixture::new(1).train_through(&checkpoint));
    assert_ne!(first, Fixture::new(2).train_through(&checkpoint));
}

#[test]
fn an_interrupted_training_that_goes_on_gives_the_model_of_one_that_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let fixture = Fixture::new(1);
    let expected = fixture.train_through(&checkpoint);
    // The last batch of an epoch ends it: ten batches make one.
    let stops = [(0, 3), (1, 1), (0, 10), (1, 10)];
    for (epoch, batch) in stops {
        let stop = AtomicBool::new(false);
        let mut progress = StopAfter { epoch, batch, stop: &stop };
        let ended = Trainer::new(fixture.task()).unwrap().run(&checkpoint, &mut progress, &stop);
        let Err(TrainError::Interrupted { epoch: at, batch: done, .. }) = ended else {
            panic!("the training was not interrupted: {ended:?}");
        };
        assert_eq!((at, done), if batch == 10 { (epoch + 1, 0) } else { (epoch, batch) });
        let mut trainer = Trainer::resume(fixture.task(), &checkpoint).unwrap();
        trainer.run(&checkpoint, &mut Quiet, &AtomicBool::new(false)).unwrap();
        assert!(fixture.model(&trainer) == expected, "after epoch {epoch}, batch {batch}");
    }
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    Fixture::new(1).train_through(&checkpoint);
    let other = Fixture::new(2);
    let error = Trainer::resume(other.task(), &checkpoint).err().unwrap();
    assert!(error.to_string().contains("other settings"), "{error}");
}

#[test]
fn a_checkpoint_of_other_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    Fixture::new(1).train_through(&checkpoint);
    let mut other = Fixture::new(1);
    other.data.classes.swap(0, 1);
    other.digest = other.data.digest().unwrap();
    let error = Trainer::resume(other.task(), &checkpoint).err().unwrap();
    assert!(error.to_string().contains("was made with other data"), "{error}");
}

/// The means of an epoch that was interrupted were those of the batches after it.
#[test]
fn an_epoch_that_was_interrupted_counts_whole_in_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let fixture = Fixture::new(1);
    let epochs = |trainer: &Trainer<'_>| -> Vec<_> {
        trainer.history().iter().map(|record| record.epoch).collect()
    };
    let mut undisturbed = Trainer::new(fixture.task()).unwrap();
    undisturbed.run(&checkpoint, &mut Quiet, &AtomicBool::new(false)).unwrap();
    for (epoch, batch) in [(0, 1), (0, 7), (1, 9)] {
        let stop = AtomicBool::new(false);
        let mut progress = StopAfter { epoch, batch, stop: &stop };
        let mut trainer = Trainer::new(fixture.task()).unwrap();
        trainer.run(&checkpoint, &mut progress, &stop).unwrap_err();
        let mut trainer = Trainer::resume(fixture.task(), &checkpoint).unwrap();
        trainer.run(&checkpoint, &mut Quiet, &AtomicBool::new(false)).unwrap();
        assert_eq!(epochs(&trainer), epochs(&undisturbed), "after epoch {epoch}, batch {batch}");
    }
}

/// A program that ends between the two must not leave a last checkpoint whose best epoch is nowhere.
#[test]
fn the_best_checkpoint_is_written_before_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    // A folder in its place: the best one cannot be written.
    std::fs::create_dir_all(Checkpoint::best(&checkpoint).join("x")).unwrap();
    let fixture = Fixture::new(1);
    let mut trainer = Trainer::new(fixture.task()).unwrap();
    let ended = trainer.run(&checkpoint, &mut Quiet, &AtomicBool::new(false));
    assert!(ended.unwrap_err().to_string().contains("cannot write the checkpoint"));
    assert!(!checkpoint.exists());
}

/// The parts of a batch are the recipe's, and sums are added up in their order: threads only share the work.
#[test]
fn the_number_of_threads_does_not_change_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let train_on = |threads: usize| {
        Fixture::on(1, threads).train_through(&folder.path().join(threads.to_string()))
    };
    let one = train_on(1);
    assert!(one == train_on(2) && one == train_on(3));
}
