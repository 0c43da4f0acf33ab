//! Training rate of the three reference networks in inputs per second, on one thread and on two, in
//! interleaved rounds. Two independent trainings on one thread each, at the same time, give the
//! upper limit for two threads.
//!
//! Run with `cargo bench -p drsn-train --bench training -- [NETWORK [ROUNDS]]`. For the same networks
//! in `PyTorch` on the CPU, run `python3 crates/drsn-train/benches/training.py`.

#![expect(clippy::expect_used, reason = "without its setup a benchmark cannot run")]

use std::{
    io::Write as _,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Instant,
};

use drsn_bundle::{Filter, Geometry, ImageSpec, InputSpec, Normalization, SignalSpec};
use drsn_train::{
    dataset::{Data, DatasetError, DatasetSource, Part},
    recipe::{DataConfig, Recipe, preset},
    training::{EpochRecord, Progress, Trainer, TrainingContext, Workers},
};
use ndarray::ArrayViewMutD;

/// The same as in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds for each network and number of threads. Reported are the medians of the rates and of the
/// ratios within each round.
const ROUNDS: usize = 15;
/// Batches in each round.
const BATCHES: usize = 30;

/// Inputs that are cheap to read.
#[derive(Debug)]
struct Synthetic(usize);

impl DatasetSource for Synthetic {
    fn len(&self) -> usize {
        self.0
    }

    fn label(&self, index: usize) -> usize {
        index % 10
    }

    fn name(&self, index: usize) -> String {
        index.to_string()
    }

    fn read(
        &self,
        index: usize,
        _: isize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        for (position, value) in values.iter_mut().enumerate() {
            *value = ((index * 31 + position * 17) % 255) as f32 / 255.0;
        }
        Ok(())
    }
}

/// Records the rate of the last epoch.
struct Rate(f64);

impl Progress for Rate {
    fn epoch(&mut self, _: usize, _: usize, record: &EpochRecord) {
        self.0 = record.inputs as f64 / record.seconds;
    }
}

fn data(recipe: &Recipe) -> Data {
    let image = |channels: usize, side| {
        InputSpec::Image(ImageSpec {
            channels,
            height: side,
            width: side,
            geometry: Geometry::Refuse,
            filter: Filter::Triangle,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        })
    };
    let signal = |window| {
        InputSpec::Signal(SignalSpec {
            channels: 1,
            window,
            sample_rate_hz: None,
            normalization: Normalization::ZScore { epsilon: 1e-8 },
            source: None,
            padding: None,
        })
    };
    let input = match &recipe.data {
        DataConfig::Idx(_) => image(1, 28),
        DataConfig::Cifar10(_) => image(3, 32),
        DataConfig::Images(images) => image(images.channels, images.height),
        DataConfig::Signals(signals) => signal(signals.window),
        DataConfig::Windows(windows) => signal(windows.window),
    };
    let inputs = recipe.batch * BATCHES;
    let source: Arc<dyn DatasetSource> = Arc::new(Synthetic(inputs + 2 * recipe.batch));
    Data {
        input,
        classes: (0..10).map(|class| class.to_string()).collect(),
        description: "synthetic".to_owned(),
        training: Part { source: Arc::clone(&source), indices: (0..inputs).collect() },
        held_out: Part { source, indices: (inputs..inputs + 2 * recipe.batch).collect() },
        test: None,
        test_name: String::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    }
}

fn rate(recipe: &Recipe, data: &Data, threads: usize) -> f64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let workers = Workers::new(threads).expect("threads");
    let context = TrainingContext { recipe, data, digest: "", workers: &workers };
    let mut trainer = Trainer::new(context).expect("a network");
    let mut rate = Rate(0.0);
    let checkpoint = folder.path().join("checkpoint");
    trainer.run(&checkpoint, &mut rate, &AtomicBool::new(false)).expect("a training");
    rate.0
}

/// The sum of the rates of two simultaneous trainings.
fn two_trainings(recipe: &Recipe, data: &Data) -> f64 {
    thread::scope(|scope| {
        let other = scope.spawn(|| rate(recipe, data, 1));
        rate(recipe, data, 1) + other.join().expect("a training")
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let mut out = std::io::stdout();
    let mut given = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let (only, rounds) = (given.next(), given.next().and_then(|rounds| rounds.parse().ok()));
    // The preset `seed-keras` has one part a batch, as its program, which two threads cannot share.
    let rows =
        [("seed-keras", None), ("seed-keras", Some(2)), ("seed-tflearn", None), ("paper-1d", None)];
    for (name, shards) in rows {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let settings = ["epochs=2", "optimizer.learning_rate=0.001"];
        let mut recipe = preset(name).and_then(|recipe| recipe.set(&settings)).expect("a recipe");
        recipe.ghost_batches = shards.unwrap_or(recipe.ghost_batches);
        let data = data(&recipe);
        let (mut one, mut two, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        let started = Instant::now();
        for _ in 0..rounds.unwrap_or(ROUNDS) {
            one.push(rate(&recipe, &data, 1));
            two.push(rate(&recipe, &data, 2));
            apart.push(two_trainings(&recipe, &data));
        }
        let times =
            |rates: &[f64]| median(rates.iter().zip(&one).map(|(two, one)| two / one).collect());
        let (times_two, times_apart) = (times(&two), times(&apart));
        let _ = writeln!(
            out,
            "{name}, {} shards: {:.0} inputs/s on one thread, {:.0} on two ({times_two:.2} times); two \
             trainings {times_apart:.2} times ({:.0} s)",
            recipe.ghost_batches,
            median(one),
            median(two),
            started.elapsed().as_secs_f64()
        );
    }
}
