//! `drsn.v1.Classifier`: the answers of `POST /classify`, and streams of samples.

use std::{sync::Arc, time::Instant};

use drsn_bundle::{InputSpec, baseline::Level};
use drsn_recording::{MOST_CHANNELS, RecordingFormat};
use prost::{Message as _, bytes::Bytes};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{
    call::Call,
    prediction,
    proto::drsn::{
        ClassifyRequest, ClassifyResponse, ClassifyStreamRequest, ClassifyStreamResponse,
        Prediction as PredictionMessage, Signal, Tensor, classifier_server::Classifier,
        classify_request::Input,
    },
    stream,
};
use crate::{
    batcher::Share,
    classify::{Body, File, Options, classify},
    decode::FileKind,
    diagnostics::{InputName, Prediction, Wanted, observe},
    error::{ApiError, ErrorKind},
    judgement::Judgement,
    model::Model,
    server::App,
    session::Outputs,
};

/// Answers of a stream that wait for its client; further ones are not computed before it has read some.
const ANSWERS_AHEAD: usize = 4;

/// The service.
#[derive(Debug)]
pub(super) struct Service {
    app: Arc<App>,
}

impl Service {
    pub(super) fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    async fn answer(
        &self,
        call: &Call,
        request: ClassifyRequest,
    ) -> Result<ClassifyResponse, ApiError> {
        let app = &*self.app;
        let mut memory = call.take_memory(app);
        if call.is_compressed {
            memory.grow(request.encoded_len() as u64)?;
        }
        let options = options(&request)?;
        let mut asked = None;
        if options.model.is_some() {
            let (name, version) = (options.model.as_deref(), options.version.as_deref());
            call.asks(&app.repository()?.find(name, version)?);
        }
        let body = body(app, &options, request.input);
        let answered = match body {
            Ok(body) => classify(app, body, options, &mut memory, &mut asked, call.deadline).await,
            Err(error) => Err(error),
        };
        if let Some(model) = &asked {
            call.asks(model);
        }
        let outcome = answered?;
        memory.grow(outcome.bytes_of_windows())?;
        let encoding = Instant::now();
        let write = || outcome.answer().map(ClassifyResponse::from);
        let response = app.compute(outcome.is_long(), call.deadline, write).await??;
        outcome.model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
        Ok(response)
    }
}

#[async_trait]
impl Classifier for Service {
    async fn classify(
        &self,
        request: Request<ClassifyRequest>,
    ) -> Result<Response<ClassifyResponse>, Status> {
        let call = Call::of(&request)?;
        let request = request.into_inner();
        let answer = self.answer(&call, request).await;
        let mut response = Response::new(answer.map_err(|error| call.refuse(&error))?);
        if !call.is_compressed {
            response.disable_compression();
        }
        Ok(response)
    }

    type ClassifyStreamStream = ReceiverStream<Result<ClassifyStreamResponse, Status>>;

    async fn classify_stream(
        &self,
        request: Request<Streaming<ClassifyStreamRequest>>,
    ) -> Result<Response<Self::ClassifyStreamStream>, Status> {
        let call = Call::of(&request)?;
        let (answers, receiver) = mpsc::channel(ANSWERS_AHEAD);
        let is_compressed = call.is_compressed;
        tokio::spawn(stream::serve(Arc::clone(&self.app), call, request.into_inner(), answers));
        let mut response = Response::new(ReceiverStream::new(receiver));
        if !is_compressed {
            response.disable_compression();
        }
        Ok(response)
    }
}

/// The model of a name and version, of which both may be empty.
pub(super) fn find(app: &App, name: &str, version: &str) -> Result<Arc<Model>, ApiError> {
    let given = |word| Some(word).filter(|word: &&str| !word.is_empty());
    app.repository()?.find(given(name), given(version))
}

/// What the client wants to know.
pub(super) fn wanted(top_k: u32, detail: i32) -> Result<Wanted, ApiError> {
    let detail = prediction::detail(detail)
        .ok_or_else(|| invalid("diagnostics must be DETAIL_NONE, DETAIL_SUMMARY or DETAIL_FULL"))?;
    Ok(Wanted { top_k: if top_k == 0 { usize::MAX } else { top_k as usize }, detail })
}

/// A rate that is known must be the model's, where that is known: windows are not resampled.
pub(super) fn check_rate(rate: f64, spec: &InputSpec) -> Result<(), ApiError> {
    if rate == 0.0 {
        return Ok(());
    }
    if !rate.is_finite() || rate < 0.0 {
        return Err(invalid("sample_rate_hz must be a number above 0, or 0 where it is not known"));
    }
    match spec {
        InputSpec::Image(_) => {
            Err(invalid("sample_rate_hz belongs to signals, and this model takes images"))
        }
        InputSpec::Signal(signal) => match signal.sample_rate_hz {
            Some(expected) if (expected - rate).abs() > 1e-6 * expected => Err(invalid(format!(
                "the model takes samples at {expected} Hz, and these are at {rate} Hz; resample them before"
            ))),
            _ => Ok(()),
        },
    }
}

/// The share of a window that the next one repeats.
pub(super) fn check_overlap(overlap: f64) -> Result<(), ApiError> {
    if (0.0..1.0).contains(&overlap) {
        return Ok(());
    }
    Err(invalid("overlap must be at least 0 and less than 1"))
}

/// The options of a request; what is empty or zero was not given.
fn options(request: &ClassifyRequest) -> Result<Options, ApiError> {
    let given = |word: &String| Some(word.clone()).filter(|word| !word.is_empty());
    let Wanted { detail, .. } = wanted(request.top_k, request.diagnostics)?;
    check_overlap(request.overlap)?;
    let mut options = Options {
        model: given(&request.model),
        version: given(&request.version),
        top_k: Some(request.top_k as usize).filter(|&count| count > 0),
        detail: Some(detail),
        overlap: Some(request.overlap).filter(|&overlap| overlap > 0.0),
        variable: given(&request.variable),
        resample: request.resample.then_some(true),
        ..Options::default()
    };
    if request.sample_rate_hz != 0.0 {
        options.set("sample_rate_hz", &request.sample_rate_hz.to_string())?;
    }
    if !request.channel.is_empty() {
        options.set("channel", &request.channel.join(","))?;
    }
    Ok(options)
}

fn body(app: &App, options: &Options, input: Option<Input>) -> Result<Body, ApiError> {
    let file = |bytes: Bytes, declared| Body::Files(vec![File { name: None, bytes, declared }]);
    match input {
        Some(Input::Signal(Signal { channels, samples })) => {
            let channels = channels.max(1) as usize;
            if channels > MOST_CHANNELS {
                return Err(invalid(format!(
                    "the signal has {channels} channels, and at most {MOST_CHANNELS} are taken"
                )));
            }
            if samples.is_empty() || !samples.len().is_multiple_of(channels) {
                return Err(invalid(format!(
                    "a signal is as many samples for each of its {channels} channels, and {} samples came",
                    samples.len()
                )));
            }
            let length = samples.len() / channels;
            Ok(Body::Signal(samples.chunks_exact(length).map(<[f32]>::to_vec).collect()))
        }
        Some(Input::Tensor(Tensor { shape, values })) => {
            let model =
                app.repository()?.find(options.model.as_deref(), options.version.as_deref())?;
            check_shape(&shape, values.len(), &model.manifest().input)?;
            Ok(Body::Tensor(values))
        }
        Some(Input::Image(bytes)) => Ok(file(bytes, None)),
        // The only recordings without a mark at their beginning.
        Some(Input::Recording(bytes)) => {
            Ok(file(bytes, Some(FileKind::Recording(RecordingFormat::Csv))))
        }
        None => Err(invalid("exactly one of signal, image, recording and tensor is expected")),
    }
}

/// A tensor has the model's shape, with or without the number of inputs before it.
fn check_shape(shape: &[i64], numbers: usize, spec: &InputSpec) -> Result<(), ApiError> {
    let expected: Vec<i64> = spec.shape().iter().map(|&size| size as i64).collect();
    let (batch, one) = shape.split_at(shape.len().saturating_sub(expected.len()));
    let inputs = numbers / spec.elements().max(1);
    let fits = match batch {
        [] => inputs == 1,
        [batch] => usize::try_from(*batch) == Ok(inputs),
        _ => false,
    };
    if one == expected && fits && inputs * spec.elements() == numbers {
        return Ok(());
    }
    Err(invalid(format!(
        "a tensor of {} was expected, with the number of inputs before it where there are several, and the shape {shape:?} with {numbers} numbers came",
        spec.shape_in_words()
    )))
}

/// Judges, counts and writes every input of some shares.
pub(super) fn predictions(
    model: &Model,
    shares: &[Share<Outputs>],
    levels: &[Level],
    wanted: Wanted,
) -> Result<Vec<PredictionMessage>, ApiError> {
    let manifest = model.manifest();
    let channels = manifest.input.channels();
    let mut predictions = Vec::new();
    for share in shares {
        for row in 0..share.count {
            let input = InputName { index: predictions.len(), name: None };
            let levels = levels.get(input.index * channels..(input.index + 1) * channels);
            let judgement = Judgement::of(share, row, manifest, levels.unwrap_or_default())?;
            let prediction = Prediction::of(input, share, row, judgement, manifest, wanted)?;
            observe(&prediction, share, row, &model.metrics);
            judgement.observe(&model.metrics.baseline);
            predictions.push(prediction.into());
        }
    }
    Ok(predictions)
}

fn invalid(detail: impl Into<String>) -> ApiError {
    ErrorKind::InvalidArgument.because(detail)
}
