//! One request from its bytes to its answer, whatever protocol it came by.
//!
//! A face hands over a [`Body`] with [`Options`] and gets an [`Outcome`]; [`Outcome::answer`] is what all protocols tell,
//! typed and serializable. What is too long to be in memory is given to a [`Streaming`] piece by piece instead.
//!
//! ```text
//! Body ─► decode ─► Work::Ready ───────────────────────────► batcher ─► Outcome
//!               └─► Work::Sources ─► Track ─► Pump ─► batcher ─► Summary ─┘
//! bytes ─► Streaming ────────────────┘
//! ```
//!
//! * [`Options`]: what the client wants.
//! * [`Outcome`], [`Answer`]: what it gets.
//! * `pump`: windows to the batcher, a few pieces in flight at a time.
//! * `summary`: the answers of a recording's windows to one.
//! * [`Streaming`]: WAV files and raw numbers, while they come.

mod answer;
mod options;
mod pump;
mod stream;
mod summary;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::InputSpec;
use hyper::body::Bytes;
use tokio::task::yield_now;

use crate::{
    admission::Reservation,
    decode::{
        Decoder, FileKind, JsonRequest, PARSING_FACTOR, Source, Work, named,
        recording::{check_choice, check_variable},
    },
    diagnostics::{Detail, Wanted},
    error::{ApiError, ErrorKind},
    model::Model,
    server::App,
};

use answer::Found;
pub use answer::{Answer, ModelName, Outcome, Timing};
pub use options::Options;
pub use stream::{StreamKind, Streaming};

/// Largest body that is decoded between other requests; a longer one, or an image, whose length does not tell its
/// size, takes a thread of its own for that time.
pub(crate) const INLINE_BYTES: usize = 64 << 10;

/// How long files of one request are decoded before others have their turn.
const SLICE: Duration = Duration::from_millis(20);

/// What is to be classified. The memory of its bytes has been reserved.
#[derive(Debug)]
pub enum Body {
    /// A JSON object with inputs, and options beside them.
    Json(Bytes),
    /// Little-endian 32-bit floats in the model's layout.
    Raw(Bytes),
    /// Files, each one input (an array `[N, C, L]` is N of them).
    Files(Vec<File>),
    /// One signal: the samples of each channel.
    Signal(Vec<Vec<f32>>),
    /// One or more inputs in the model's own shape, before normalisation, one after the other.
    Tensor(Vec<f32>),
}

/// A file of an image or a recording.
#[derive(Debug)]
pub struct File {
    /// Its name, which is repeated in the answer.
    pub name: Option<String>,
    /// Its content.
    pub bytes: Bytes,
    /// What its sender says that it is, or nothing. Its first bytes have the first word, and its name the second.
    pub declared: Option<FileKind>,
}

impl File {
    /// What it is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where nothing tells it: it is never taken for raw numbers.
    pub fn kind(&self) -> Result<FileKind, ApiError> {
        FileKind::sniff(&self.bytes)
            .or_else(|| self.name.as_deref().and_then(FileKind::of_name))
            .or(self.declared)
            .ok_or_else(|| {
                ErrorKind::InvalidArgument.because(
                    "neither its first bytes, nor its name, nor its declared type tell what the file is; images may be PNG, JPEG, WebP, BMP or GIF, recordings WAV, CSV, NPY, NPZ or MAT",
                )
            })
    }
}

impl Body {
    /// Whether decoding takes long enough to be done aside.
    fn is_long(&self) -> bool {
        match self {
            Self::Json(bytes) | Self::Raw(bytes) => bytes.len() > INLINE_BYTES,
            Self::Files(_) => true,
            Self::Signal(channels) => {
                channels.iter().map(Vec::len).sum::<usize>() > INLINE_BYTES / 4
            }
            Self::Tensor(values) => values.len() > INLINE_BYTES / 4,
        }
    }
}

/// Decoded inputs, and what the client wants to know of them.
struct Decoded {
    model: Arc<Model>,
    work: Work,
    plan: Plan,
}

/// What is to be done with each input.
#[derive(Debug, Clone, Copy)]
struct Plan {
    wanted: Wanted,
    overlap: f64,
    most_windows: usize,
    deadline: Instant,
}

impl Plan {
    fn new(app: &App, options: &Options, deadline: Instant) -> Self {
        Self {
            wanted: Wanted {
                top_k: options.top_k.unwrap_or(usize::MAX),
                detail: options.detail.unwrap_or_default(),
            },
            overlap: options.overlap.unwrap_or_default(),
            most_windows: app.config.max_windows.get(),
            deadline,
        }
    }

    fn wants_zeroed(&self) -> bool {
        self.wanted.detail == Detail::Full
    }
}

/// Classifies a request whose bytes are in memory.
///
/// `asked` is set to the model as soon as it is known, also where the request is refused after that; `memory` holds what
/// was reserved for the body, and is left with what the outcome takes.
///
/// # Errors
/// [`ApiError`] with what was expected and what came.
pub async fn classify(
    app: &App,
    body: Body,
    options: Options,
    memory: &mut Reservation,
    asked: &mut Option<Arc<Model>>,
    deadline: Instant,
) -> Result<Outcome, ApiError> {
    let decoding = Instant::now();
    let is_long = body.is_long();
    let decoded = match body {
        // Aside: the state of what takes long would make that of every request larger.
        Body::Files(files) => {
            Box::pin(decode_files(app, files, options, memory, asked, deadline)).await
        }
        body @ (Body::Json(_) | Body::Raw(_) | Body::Signal(_) | Body::Tensor(_)) => {
            let decode = || decode(app, body, options, memory, asked, deadline);
            app.compute(is_long, deadline, decode).await?
        }
    };
    let Decoded { model, work, plan } = decoded?;
    let decode_time = decoding.elapsed();
    let (mut inputs, names) = match work {
        Work::Ready { inputs, names } => (inputs, names),
        Work::Sources(sources) => {
            // Aside: the state of what is rare would make that of every request larger.
            return Box::pin(pump::classify(app, &model, sources, plan, memory, decode_time)).await;
        }
    };
    memory.shrink_to(inputs.bytes());
    model.metrics.decode.observe(decode_time.as_secs_f64());
    let levels = inputs.take_levels();
    let shares = model.infer(inputs, plan.wants_zeroed(), deadline).await?;
    memory.shrink_to(0);
    let found = Found::Inputs { shares, levels, names };
    Ok(Outcome::new(model, plan.wanted, decode_time, found))
}

fn decode(
    app: &App,
    body: Body,
    options: Options,
    memory: &mut Reservation,
    asked: &mut Option<Arc<Model>>,
    deadline: Instant,
) -> Result<Decoded, ApiError> {
    let mut rest = Vec::new();
    let mut json = match &body {
        Body::Json(bytes) => {
            memory.grow(PARSING_FACTOR * bytes.len() as u64)?;
            Some(JsonRequest::parse(bytes, &mut rest)?)
        }
        Body::Raw(_) | Body::Files(_) | Body::Signal(_) | Body::Tensor(_) => None,
    };
    let options = match &mut json {
        Some(json) => json.take_options(options)?,
        None => options,
    };
    let model = find(app, &options, asked)?;
    check_variable(None, &options)?;
    let mut decoder = decoder(app, &model, &options, memory, deadline);
    let work = match json {
        Some(json) => json.inputs(&mut decoder)?,
        None => match body {
            Body::Raw(bytes) => decoder.raw(&bytes)?,
            Body::Signal(channels) => signal(&mut decoder, channels)?,
            Body::Tensor(values) => tensor(&mut decoder, values)?,
            Body::Files(_) | Body::Json(_) => return Err(ApiError::internal()),
        },
    };
    Ok(Decoded { model, work, plan: Plan::new(app, &options, deadline) })
}

/// Decodes files one after the other. After each [`SLICE`] others have their turn, among them the connection itself, which
/// notices that its client has hung up: nothing more is done for it then.
async fn decode_files(
    app: &App,
    files: Vec<File>,
    options: Options,
    memory: &mut Reservation,
    asked: &mut Option<Arc<Model>>,
    deadline: Instant,
) -> Result<Decoded, ApiError> {
    let model = find(app, &options, asked)?;
    if options.batch.is_some_and(|batch| batch != 1) {
        return Err(ErrorKind::InvalidArgument
            .because("the option batch belongs to bodies of raw numbers; this body has files"));
    }
    let (count, mut files) = (files.len(), files.into_iter().enumerate());
    let mut sources = Vec::with_capacity(count);
    let work = loop {
        let slice = || {
            let mut decoder = decoder(app, &model, &options, memory, deadline);
            files_to_work(&mut decoder, &mut files, count, &mut sources)
        };
        match app.compute(true, deadline, slice).await?? {
            Some(work) => break work,
            None => yield_now().await,
        }
    };
    Ok(Decoded { model, work, plan: Plan::new(app, &options, deadline) })
}

/// Decodes the next files, as long as a slice lasts; gives what is to be done when all of them are decoded.
fn files_to_work(
    decoder: &mut Decoder<'_>,
    files: &mut impl Iterator<Item = (usize, File)>,
    count: usize,
    sources: &mut Vec<Source>,
) -> Result<Option<Work>, ApiError> {
    let started = Instant::now();
    for (index, file) in files {
        let samples = file.kind().and_then(|kind| decoder.file(kind, &file.bytes));
        let samples = samples.map_err(|error| named(error, index, file.name.as_deref(), count))?;
        let name = file.name;
        sources.extend(samples.into_iter().map(|samples| Source { name: name.clone(), samples }));
        if started.elapsed() >= SLICE {
            return Ok(None);
        }
    }
    if sources.is_empty() {
        return Err(ErrorKind::InvalidArgument.because("the request has no inputs"));
    }
    decoder.work(std::mem::take(sources)).map(Some)
}

/// The model that the options name, and whether they fit it.
fn find(
    app: &App,
    options: &Options,
    asked: &mut Option<Arc<Model>>,
) -> Result<Arc<Model>, ApiError> {
    let model = app.repository()?.find(options.model.as_deref(), options.version.as_deref())?;
    *asked = Some(Arc::clone(&model));
    match (&model.manifest().input, options.of_recordings()) {
        (InputSpec::Image(_), Some(option)) => {
            return Err(ErrorKind::InvalidArgument.because(format!(
                "the option {option} belongs to signals, and this model takes images"
            )));
        }
        (InputSpec::Image(_), None) => {}
        (InputSpec::Signal(signal), _) => check_choice(signal, options)?,
    }
    Ok(model)
}

/// What of a model and a request decoding needs to know.
fn decoder<'a>(
    app: &App,
    model: &'a Model,
    options: &'a Options,
    memory: &'a mut Reservation,
    deadline: Instant,
) -> Decoder<'a> {
    Decoder {
        spec: &model.manifest().input,
        baseline: model.manifest().baseline.as_ref(),
        options,
        most_pixels: app.config.max_image_pixels.get(),
        most_recording_bytes: app.config.max_recording_bytes.get() as u64,
        most_inputs: app.config.max_windows.get(),
        deadline,
        memory,
    }
}

/// One signal: the samples of each channel.
fn signal(decoder: &mut Decoder<'_>, channels: Vec<Vec<f32>>) -> Result<Work, ApiError> {
    decoder.memory.grow(channels.iter().map(|c| size_of_val(&c[..]) as u64).sum())?;
    let samples = decoder.channels(channels)?;
    decoder.work(vec![Source { name: None, samples }])
}

/// Inputs in the model's own shape.
fn tensor(decoder: &mut Decoder<'_>, values: Vec<f32>) -> Result<Work, ApiError> {
    let elements = decoder.spec.elements();
    if values.is_empty() || !values.len().is_multiple_of(elements) {
        return Err(ErrorKind::InvalidArgument.because(format!(
            "{elements} numbers were expected for each input ({}), and {} came",
            decoder.spec.shape_in_words(),
            values.len()
        )));
    }
    decoder.tensor(values)
}

/// Seconds of a stage's work that goes on between others.
#[derive(Debug, Default, Clone, Copy)]
struct Stopwatch(Duration);

impl Stopwatch {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.0 += started.elapsed();
        done
    }
}
