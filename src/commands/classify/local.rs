//! Classifies files in this process, by the pipeline, queue and workers of the server.

use std::{
    net::Ipv4Addr,
    num::NonZero,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use drsn_bundle::{InputSpec, runtime::Runtime};
use drsn_recording::RecordingFormat;
use tokio::sync::{AcquireError, Semaphore};

use super::{answers::Answered, content::Content, files::File, model::Facts};
use crate::{
    admission::Client,
    api::http,
    app::{App, Caller},
    config::{Config, MaxBatch, ModelControl, ModelFlags, VersionPolicy},
    error::{ApiError, ErrorKind},
    inference::{
        classify::{Outcome, Streaming},
        context::RequestContext,
        decode::FileKind,
        options::Options,
    },
    readers::Readers,
    repository::Repository,
};

/// Time limit of a file. Nobody waits for an answer meanwhile, so it only has to end some time.
const PATIENCE: Duration = Duration::from_hours(24);
/// Memory is shared out in units of this many bytes.
const UNIT: u64 = 64 << 10;
/// Memory that a file may need for each of its bytes: the file, its numbers, and its windows.
const MEMORY_PER_BYTE: u64 = 4;
/// A file that is decoded as it is read needs a byte for so many of its own: for its windows' answers.
const BYTES_OF_A_STREAM: u64 = 4;
/// Inputs in a batch. Larger ones need more memory and cost hardly less for each input.
const INPUTS_IN_A_BATCH: NonZero<usize> = NonZero::new(8).unwrap();
/// Memory that a small file may need, which is decoded in blocks.
const LEAST_MEMORY: u64 = 1 << 20;

/// A model in this process.
#[derive(Debug)]
pub(super) struct Local {
    app: App,
    options: Options,
    with_predictions: bool,
    /// Memory that nobody has been given, in units.
    room: Semaphore,
    units: u32,
}

impl Local {
    /// Opens the bundle in `folder` as the server does; blocks. Must be called within the runtime
    /// that computes.
    ///
    /// # Errors
    /// If the model cannot be served.
    pub(super) fn open(
        config: &Config,
        folder: PathBuf,
        options: Options,
        with_predictions: bool,
    ) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.models = ModelFlags {
            folder,
            model_name: None,
            default_model: None,
            model_control: ModelControl::Fixed,
            version_policy: VersionPolicy::Latest,
            trial_program: None,
            ..config.models
        };
        config.batching.max_batch = without_measuring(config.batching.max_batch);
        let readers = Readers::new(config.load_timeout());
        // The rest of the budget is left to small files, whatever large ones take.
        let units =
            (config.limits.max_inflight_bytes.get() / 4 * 3 / UNIT).clamp(1, u64::from(u32::MAX));
        let app = App::new(config, None, None, readers, None);
        let runtime = Runtime::start(app.config.models.onnxruntime.as_deref())?;
        let opened = Repository::open(&app.config, &runtime, &app.metrics, &app.readers, None);
        let repository =
            opened.with_context(|| format!("cannot use {}", app.config.models.folder.display()))?;
        app.serve_models(repository);
        let room = Semaphore::new(units as usize);
        Ok(Self { app, options, with_predictions, room, units: units as u32 })
    }

    /// What the model reads and tells.
    ///
    /// # Errors
    /// [`ApiError`] if an option does not apply to the model.
    pub(super) fn facts(&self) -> Result<Facts, ApiError> {
        let mut context = RequestContext::new(&self.app, caller());
        let model = Streaming::model(&mut context, &self.options)?;
        let manifest = model.manifest();
        let takes_images = matches!(manifest.input, InputSpec::Image(_));
        Ok(Facts { classes: manifest.classes.clone(), takes_images })
    }

    /// Classifies a file. It waits for memory, and if the files beside it leave too little, it is
    /// classified once more, alone.
    ///
    /// # Errors
    /// The reason why it was not classified.
    pub(super) async fn classify(&self, file: &File) -> Result<Answered, Refused> {
        let share = if file.is_regular { self.share(file) } else { self.units };
        let closed = |error: AcquireError| Refused::File(error.to_string());
        let permit = self.room.acquire_many(share).await.map_err(closed)?;
        let first = self.attempt(file).await;
        drop(permit);
        match first {
            Err(Refused::Api(error)) if is_passing(error.kind) && file.is_regular => {
                let _alone = self.room.acquire_many(self.units).await.map_err(closed)?;
                self.attempt(file).await
            }
            first => first,
        }
    }

    /// The units of memory for a file.
    fn share(&self, file: &File) -> u32 {
        let wav = FileKind::Recording(RecordingFormat::Wav);
        let memory = if FileKind::of_name(&file.shown()) == Some(wav) {
            file.bytes / BYTES_OF_A_STREAM
        } else {
            file.bytes.saturating_mul(MEMORY_PER_BYTE)
        };
        let memory = memory.max(LEAST_MEMORY);
        (memory / UNIT).min(u64::from(self.units)) as u32
    }

    async fn attempt(&self, file: &File) -> Result<Answered, Refused> {
        let limit = self.app.config.limits.max_recording_bytes.get() as u64;
        let mut opened = Content::open(&file.path, Some(limit)).map_err(Refused::File)?;
        let mut context = RequestContext::new(&self.app, caller());
        let options = self.options.clone();
        let classified =
            Box::pin(http::file_in(&mut context, opened.kind, &mut opened.body, options)).await;
        match classified {
            Ok(outcome) => self.answer(context, &outcome).await.map_err(Refused::Api),
            Err(error) => Err(match opened.failure() {
                Some(failure) => Refused::File(failure.to_owned()),
                None => Refused::Api(error),
            }),
        }
    }

    async fn answer(
        &self,
        mut context: RequestContext<'_>,
        outcome: &Outcome,
    ) -> Result<Answered, ApiError> {
        context.memory.grow(outcome.bytes_of_answer())?;
        let read = || Answered::of(outcome, self.with_predictions);
        self.app.compute(outcome.is_long(), context.caller, read).await?
    }

    /// Ends the model; true if no thread computes any more. Blocks for as long as a batch takes.
    pub(super) fn stop(&self) -> bool {
        self.app.readers.stop();
        let until = Instant::now() + self.app.config.drain_timeout();
        self.app.repository().is_ok_and(|repository| repository.stop(until))
    }
}

/// A batch of some size, if nobody has set one: measuring which is best would take longer than what
/// it gains on a thousand recordings, and no client waits for a batch to fill.
fn without_measuring(max_batch: MaxBatch) -> MaxBatch {
    match max_batch {
        MaxBatch::Auto => MaxBatch::Fixed(INPUTS_IN_A_BATCH),
        MaxBatch::Fixed(_) => max_batch,
    }
}

fn caller() -> Caller {
    Caller { client: Client::at(Ipv4Addr::LOCALHOST.into()), deadline: Instant::now() + PATIENCE }
}

/// Whether an error passes when other files are done.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BytesFull | ErrorKind::QueueFull)
}

/// Why a file was not classified.
#[derive(Debug)]
pub(super) enum Refused {
    /// It cannot be read, or is none that can be classified.
    File(String),
    /// The pipeline refused it.
    Api(ApiError),
}

impl Refused {
    /// A sentence for the user, and `of_failure` if the model failed.
    pub(super) fn sentence(self, of_failure: &str) -> String {
        match self {
            Self::File(sentence) => sentence,
            Self::Api(error) if error.kind == ErrorKind::Internal => of_failure.to_owned(),
            Self::Api(error) => error.detail,
        }
    }
}
