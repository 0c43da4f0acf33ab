//! `drsn.v1.Classifier`: the answers of `POST /classify`, and streams of samples.

use std::{sync::Arc, time::Instant};

use drsn_bundle::{InputSpec, baseline::Level, onnx};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{
    call::Call,
    prediction,
    proto::drsn::{
        ClassifyRequest, ClassifyResponse, ClassifyStreamRequest, ClassifyStreamResponse,
        Prediction as PredictionMessage, classifier_server::Classifier, classify_request::Input,
    },
    stream,
};
use crate::{
    admission::Reservation,
    batcher::Share,
    decode::{Decoder, Inputs},
    diagnostics::{Detail, InputName, Prediction, Wanted, observe},
    error::{ApiError, ErrorKind},
    judgement::Judgement,
    model::Model,
    oip::{self, FP32, Tensor, Values},
    server::App,
    session::Outputs,
};

/// Answers of a stream that wait for its client; further ones are not computed before it has read some.
const ANSWERS_AHEAD: usize = 4;

/// Most numbers that are prepared between other requests.
const INLINE_NUMBERS: usize = 16 << 10;

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
        let model = find(app, &request.model, &request.version)?;
        call.asks(&model);
        let mut memory = call.take_memory(app);
        if call.is_compressed {
            memory.grow(request.encoded_len() as u64)?;
        }
        let wanted = wanted(request.top_k, request.diagnostics)?;
        check_options(&request, &model)?;
        let decoding = Instant::now();
        let is_long = is_long(request.input.as_ref());
        let decode = || decode(app, &model, request.input, &mut memory);
        let mut inputs = app.compute(is_long, call.deadline, decode).await??;
        let decode_time = decoding.elapsed();
        model.metrics.decode.observe(decode_time.as_secs_f64());
        let levels = inputs.take_levels();
        let shares = model.infer(inputs, wanted.detail == Detail::Full, call.deadline).await?;
        let encoding = Instant::now();
        let response = ClassifyResponse {
            predictions: predictions(&model, &shares, &levels, wanted)?,
            timing: Some(prediction::timing(decode_time, &shares)),
            model: Some(prediction::model(&model)),
        };
        model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
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
        if matches!(request.input, Some(Input::Recording(_))) {
            return Err(Status::unimplemented(
                "recording files are not taken over gRPC; send windows as signal or tensor, samples to ClassifyStream, or the file to POST /classify",
            ));
        }
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
    app.repository()?.find(given(name), given(version)).map(Arc::clone)
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

/// Whether an input takes long to decode; an image's length does not tell its size.
fn is_long(input: Option<&Input>) -> bool {
    match input {
        Some(Input::Signal(signal)) => signal.samples.len() > INLINE_NUMBERS,
        Some(Input::Tensor(tensor)) => tensor.values.len() > INLINE_NUMBERS,
        Some(Input::Image(_) | Input::Recording(_)) => true,
        None => false,
    }
}

fn check_options(request: &ClassifyRequest, model: &Model) -> Result<(), ApiError> {
    check_overlap(request.overlap)?;
    check_rate(request.sample_rate_hz, &model.manifest().input)?;
    if !request.channel.is_empty() || !request.variable.is_empty() {
        return Err(invalid(
            "channel and variable belong to recording files, and the input is none",
        ));
    }
    Ok(())
}

fn decode(
    app: &App,
    model: &Model,
    input: Option<Input>,
    memory: &mut Reservation,
) -> Result<Inputs, ApiError> {
    let spec = &model.manifest().input;
    let tensor = |shape, values| Tensor {
        name: onnx::INPUT.to_owned(),
        datatype: FP32.to_owned(),
        shape,
        values: Values::Floats(values),
    };
    match input {
        Some(Input::Signal(signal)) => {
            let InputSpec::Signal(expected) = spec else {
                return Err(invalid("the input is a signal, and this model takes images"));
            };
            let channels = signal.channels.max(1) as usize;
            if channels != expected.channels || signal.samples.len() != spec.elements() {
                return Err(invalid(format!(
                    "a signal of {} samples ({}) was expected, and {} of {channels} channels came; ClassifyStream takes any length",
                    spec.elements(),
                    spec.shape_in_words(),
                    signal.samples.len()
                )));
            }
            let shape = vec![1, expected.channels as i64, expected.window as i64];
            oip::prepared(model, tensor(shape, signal.samples), &app.config, memory)
        }
        Some(Input::Tensor(given)) => {
            let mut shape = given.shape;
            if shape.len() == spec.shape().len() {
                shape.insert(0, 1);
            }
            oip::prepared(model, tensor(shape, given.values), &app.config, memory)
        }
        Some(Input::Image(file)) => {
            let mut decoder = Decoder {
                spec,
                baseline: model.manifest().baseline.as_ref(),
                most_pixels: app.config.max_image_pixels.get(),
                most_inputs: app.config.max_windows.get(),
                memory,
            };
            decoder.image(&file)
        }
        Some(Input::Recording(_)) | None => {
            Err(invalid("exactly one of signal, image, recording and tensor is expected"))
        }
    }
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
