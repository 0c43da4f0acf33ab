//! The same seed gives the same model.onnx, byte for byte, even if the training was interrupted.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use drsn_bundle::manifest::FORMAT;
use drsn_train::{
    batch_norm_reestimation::reestimate,
    dataset::Data,
    export::to_onnx,
    model::Drsn,
    random::{Purpose, stream},
    recipe::Recipe,
    tensor::read,
    training::{
        BatchReport, Checkpoint, NoProgress, Progress, Trainer, TrainingContext, TrainingError,
        Workers,
    },
};

use ndarray::Array4;
use rand::RngExt as _;

use crate::support::{Memory, classes, data, image, recipe};

/// Images with a bright row whose position is the class: learnable, and independent of any data
/// set.
fn bright_rows(count: usize) -> Data {
    let mut rng = stream(3, Purpose::Evaluation, 0, 0);
    let labels: Vec<usize> = (0..count).map(|_| rng.random_range(0..10)).collect();
    let pixel =
        |(n, _, y, _): (usize, usize, usize, usize)| f32::from(u8::from(y == 2 * labels[n] + 4));
    let inputs = Array4::from_shape_fn((count, 1, 28, 28), pixel).into_dyn();
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

    /// With noise, shifts, and two ghost batches.
    fn on(seed: u64, threads: usize) -> Self {
        Self::with(&[&format!("seed={seed}")], threads)
    }

    fn with(settings: &[&str], threads: usize) -> Self {
        let recipe = recipe(&[
            "network.stem={channels=4,kernel=3,stride=2}",
            "network.stages=[{channels=4,blocks=1,stride=2}]",
            "noise={kind='uniform',amplitude=[0.0,0.5]}",
            "augmentation.crop=2",
            "epochs=2",
            "batch=16",
            "shards=2",
        ]);
        let recipe = recipe.set(settings).unwrap();
        let data = bright_rows(224);
        let digest = data.digest().unwrap();
        Self { recipe, data, digest, workers: Workers::new(threads).unwrap() }
    }

    fn context(&self) -> TrainingContext<'_> {
        let Self { recipe, data, digest, workers } = self;
        TrainingContext { recipe, data, digest, workers }
    }

    /// Reestimates the statistics and exports the network.
    fn model(&self, trainer: &Trainer<'_>) -> Vec<u8> {
        let mut network = trainer.network();
        reestimate(&mut network, self.context(), &mut NoProgress, &AtomicBool::new(false)).unwrap();
        to_onnx(&network, &self.data.input, &classes(), FORMAT).unwrap()
    }

    fn train_through(&self, checkpoint: &Path) -> Vec<u8> {
        let mut trainer = Trainer::new(self.context()).unwrap();
        trainer.run(checkpoint, &mut NoProgress, &AtomicBool::new(false)).unwrap();
        self.model(&trainer)
    }
}

/// Stops the training after some batches of an epoch.
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
    // An epoch has ten batches, and the last one ends it.
    let stops = [(0, 3), (1, 1), (0, 10), (1, 10)];
    for (epoch, batch) in stops {
        let stop = AtomicBool::new(false);
        let mut progress = StopAfter { epoch, batch, stop: &stop };
        let ended = Trainer::new(fixture.context()).unwrap().run(&checkpoint, &mut progress, &stop);
        let Err(TrainingError::Interrupted { epoch: at, batch: done, .. }) = ended else {
            panic!("the training was not interrupted: {ended:?}");
        };
        assert_eq!((at, done), if batch == 10 { (epoch + 1, 0) } else { (epoch, batch) });
        let mut trainer = Trainer::resume(fixture.context(), &checkpoint).unwrap();
        trainer.run(&checkpoint, &mut NoProgress, &AtomicBool::new(false)).unwrap();
        assert!(fixture.model(&trainer) == expected, "after epoch {epoch}, batch {batch}");
    }
}

#[test]
fn a_checkpoint_of_another_recipe_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    Fixture::new(1).train_through(&checkpoint);
    let other = Fixture::new(2);
    let error = Trainer::resume(other.context(), &checkpoint).err().unwrap();
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
    let error = Trainer::resume(other.context(), &checkpoint).err().unwrap();
    assert!(error.to_string().contains("was made with other data"), "{error}");
}

/// The means of an interrupted epoch once covered only the batches after the interruption.
#[test]
fn an_epoch_that_was_interrupted_counts_whole_in_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let fixture = Fixture::new(1);
    let epochs = |trainer: &Trainer<'_>| -> Vec<_> {
        trainer.history().iter().map(|record| record.epoch).collect()
    };
    let mut undisturbed = Trainer::new(fixture.context()).unwrap();
    undisturbed.run(&checkpoint, &mut NoProgress, &AtomicBool::new(false)).unwrap();
    for (epoch, batch) in [(0, 1), (0, 7), (1, 9)] {
        let stop = AtomicBool::new(false);
        let mut progress = StopAfter { epoch, batch, stop: &stop };
        let mut trainer = Trainer::new(fixture.context()).unwrap();
        trainer.run(&checkpoint, &mut progress, &stop).unwrap_err();
        let mut trainer = Trainer::resume(fixture.context(), &checkpoint).unwrap();
        trainer.run(&checkpoint, &mut NoProgress, &AtomicBool::new(false)).unwrap();
        assert_eq!(epochs(&trainer), epochs(&undisturbed), "after epoch {epoch}, batch {batch}");
    }
}

/// If the program ends between the two, the last checkpoint must not refer to a missing best one.
#[test]
fn the_best_checkpoint_is_written_before_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    // With a folder in its place, the best one cannot be written.
    std::fs::create_dir_all(Checkpoint::best(&checkpoint).join("x")).unwrap();
    let fixture = Fixture::new(1);
    let mut trainer = Trainer::new(fixture.context()).unwrap();
    let ended = trainer.run(&checkpoint, &mut NoProgress, &AtomicBool::new(false));
    assert!(ended.unwrap_err().to_string().contains("cannot write the checkpoint"));
    assert!(!checkpoint.exists());
}

/// The recipe sets the ghost batches, and sums are computed in their order: threads only share the
/// work.
#[test]
fn the_number_of_threads_does_not_change_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let train_on = |threads: usize| {
        Fixture::on(1, threads).train_through(&folder.path().join(threads.to_string()))
    };
    let one = train_on(1);
    assert!(one == train_on(2) && one == train_on(3));
}

/// Classes that are drawn equally often are drawn alike on any number of threads, and after an
/// interruption.
#[test]
fn balanced_sampling_gives_the_same_model_on_many_threads_and_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let balanced = |threads| Fixture::with(&["sampling=balanced"], threads);
    let expected = balanced(1).train_through(&checkpoint);
    assert!(expected != Fixture::on(1, 1).train_through(&checkpoint));

    let fixture = balanced(3);
    let stop = AtomicBool::new(false);
    let mut progress = StopAfter { epoch: 1, batch: 4, stop: &stop };
    let mut trainer = Trainer::new(fixture.context()).unwrap();
    trainer.run(&checkpoint, &mut progress, &stop).unwrap_err();
    let mut trainer = Trainer::resume(fixture.context(), &checkpoint).unwrap();
    trainer.run(&checkpoint, &mut NoProgress, &AtomicBool::new(false)).unwrap();
    assert!(fixture.model(&trainer) == expected);
}

/// What is frozen stays as it is to the last bit, in spite of weight decay, and the rest learns.
#[test]
fn a_training_that_starts_from_another_one_leaves_frozen_stages_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint");
    let first = Fixture::new(1);
    let mut trainer = Trainer::new(first.context()).unwrap();
    trainer.run(&checkpoint, &mut NoProgress, &AtomicBool::new(false)).unwrap();
    let old = trainer.network();

    let settings = [
        "seed=2",
        "start.freeze=1",
        "optimizer={kind='adamw',learning_rate=0.01,weight_decay=0.1}",
    ];
    let mut second = Fixture::with(&settings, 2);
    second.data.classes[9] = "other".to_owned();
    let mut trainer = Trainer::start(second.context(), &checkpoint).unwrap();
    let values = |network: &Drsn| {
        let unit = &network.stages[0][0];
        let frozen = [&network.stem.weight, &unit.conv1.weight, &unit.conv2.weight];
        let frozen = frozen.map(|weight| read(weight.val()).unwrap());
        (frozen, read(network.head.weight.val()).unwrap(), read(network.norm.gamma.val()).unwrap())
    };
    let (frozen, head, norm) = values(&old);
    let at_start = values(&trainer.network());
    assert!(at_start.0 == frozen && at_start.2 == norm);
    assert!(at_start.1 != head, "other classes have a new last layer");
    trainer.run(&folder.path().join("second"), &mut NoProgress, &AtomicBool::new(false)).unwrap();
    let at_end = values(&trainer.network());
    assert!(at_end.0 == frozen);
    assert!(at_end.1 != at_start.1 && at_end.2 != norm);

    // With the same classes, the last layer is that of the first training.
    let same = Fixture::with(&["seed=2"], 2);
    let trainer = Trainer::start(same.context(), &checkpoint).unwrap();
    assert!(values(&trainer.network()).1 == head);
    let wider = Fixture::with(&["network.stages=[{channels=8,blocks=1,stride=2}]"], 2);
    let refusal = Trainer::start(wider.context(), &checkpoint).err().unwrap().to_string();
    assert!(refusal.contains("its network is another one"), "{refusal}");
}
