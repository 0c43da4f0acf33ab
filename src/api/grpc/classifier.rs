//! The service `drsn.v1.Classifier`: the same answers as `POST /classify`, and streams of samples.

use std::{sync::Arc, time::Instant};

use drsn_bundle::InputSpec;
use drsn_recording::{MAX_CHANNELS, RecordingFormat};
use ndarray::Array2;
use prost::{Message as _, bytes::Bytes};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::{
    call::Call,
    options,
    proto::drsn::{
        ClassifyRequest, ClassifyResponse, ClassifyStreamRequest, ClassifyStreamResponse,
        ShiftRequest, ShiftResponse, Signal, Tensor, classifier_server::Classifier,
        classify_request::Input,
    },
    stream,
};
use crate::{
    app::App,
    error::ApiError,
    inference::{
        classify::{Body, File, classify},
        context::RequestContext,
        decode::FileKind,
        options::Options,
        rolling::view,
    },
    observability::telemetry::for_same_request,
};

/// Answers of a stream that may wait for its client; while it reads none, no further ones are
/// computed.
const ANSWERS_AHEAD: usize = 4;

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
        let mut context = call.take_context(&self.app);
        if call.is_compressed {
            context.memory.grow(request.encoded_len() as u64)?;
        }
        let options = options::read(&request)?;
        if options.model.is_some() {
            // Refuses an unknown model before decoding anything.
            let (name, version) = (options.model.as_deref(), options.version.as_deref());
            call.set_model(&context.find_model(name, version)?);
        }
        let answered = answer(&mut context, request.input, options).await;
        if let Some(model) = &context.model {
            call.set_model(model);
        }
        answered
    }
}

async fn answer(
    context: &mut RequestContext<'_>,
    input: Option<Input>,
    options: Options,
) -> Result<ClassifyResponse, ApiError> {
    let body = body(context.app, &options, input)?;
    let outcome = classify(context, body, options).await?;
    context.memory.grow(outcome.bytes_of_answer())?;
    let encoding = Instant::now();
    let write = || outcome.answer().map(ClassifyResponse::from);
    let response = context.app.compute(outcome.is_long(), context.caller, write).await??;
    outcome.model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
    Ok(response)
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

    async fn shift(
        &self,
        request: Request<ShiftRequest>,
    ) -> Result<Response<ShiftResponse>, Status> {
        let call = Call::of(&request)?;
        let ShiftRequest { model, version } = request.into_inner();
        let model = options::find(&self.app, &model, &version);
        let model = model.map_err(|error| call.refuse(&error))?;
        call.set_model(&model);
        let mut response = Response::new(view(&model).into());
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
        let serving = stream::serve(Arc::clone(&self.app), call, request.into_inner(), answers);
        tokio::spawn(for_same_request(serving));
        let mut response = Response::new(ReceiverStream::new(receiver));
        if !is_compressed {
            response.disable_compression();
        }
        Ok(response)
    }
}

fn body(app: &App, options: &Options, input: Option<Input>) -> Result<Body, ApiError> {
    let file = |bytes: Bytes, declared| Body::Files(vec![File { name: None, bytes, declared }]);
    match input {
        Some(Input::Signal(Signal { channels, samples })) => {
            let channels = channels.max(1) as usize;
            if channels > MAX_CHANNELS {
                return Err(ApiError::invalid(format!(
                    "the signal has {channels} channels, more than the limit of {MAX_CHANNELS}"
                )));
            }
            if samples.is_empty() || !samples.len().is_multiple_of(channels) {
                return Err(ApiError::invalid(format!(
                    "expected the same number of samples for each of the {channels} channels, got \
                     {} samples in all",
                    samples.len()
                )));
            }
            let shape = (channels, samples.len() / channels);
            let samples = Array2::from_shape_vec(shape, samples);
            Ok(Body::Signal(samples.map_err(|_| ApiError::internal())?))
        }
        Some(Input::Tensor(Tensor { shape, values })) => {
            let model =
                app.repository()?.find(options.model.as_deref(), options.version.as_deref())?;
            check_shape(&shape, values.len(), &model.manifest().input)?;
            Ok(Body::Tensor(values))
        }
        Some(Input::Image(bytes)) => Ok(file(bytes, None)),
        // CSV is the only format that cannot be recognised by its first bytes.
        Some(Input::Recording(bytes)) => {
            Ok(file(bytes, Some(FileKind::Recording(RecordingFormat::Csv))))
        }
        None => {
            Err(ApiError::invalid("expected exactly one of signal, image, recording and tensor"))
        }
    }
}

/// Checks that a tensor has the model's shape, or that shape after a batch dimension.
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
    Err(ApiError::invalid(format!(
        "expected a tensor of {}, or of several such inputs with their number first; got the shape \
         {shape:?} with {numbers} numbers",
        spec.shape_in_words()
    )))
}
