//! Clients of every kind of connection, and what becomes of a request.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use drsn_serve::proto::{
    drsn::{
        ClassifyResponse, ClassifyStreamRequest, Detail, Prediction, Samples, StreamStart,
        classifier_client::ClassifierClient, classify_stream_request::Message,
        classify_stream_response::Message as Part,
    },
    inference::{ModelInferResponse, grpc_inference_service_client::GrpcInferenceServiceClient},
};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame};
use serde_json::{Value, json};
use tonic::{Status, transport::Channel};

use super::asks::{Ask, HttpAsk};

/// How long a client waits for an answer: longer than the server's own limit.
const PATIENCE: Duration = Duration::from_mins(1);
const HEADER_LENGTH: &str = "inference-header-content-length";

/// What became of a request.
pub(super) enum Reply {
    /// Status 200, or a gRPC call that ended well.
    Answer(Value),
    /// Refused for now: to be repeated after this time.
    Later(Duration),
    /// Any other status, with what was said.
    Refused(String),
    /// No whole answer came.
    Lost(String),
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Connection {
    /// One connection for all requests of a client.
    KeptAlive,
    /// A connection for each request.
    OneShot,
    Http2,
}

pub(super) const CONNECTIONS: [Connection; 3] =
    [Connection::KeptAlive, Connection::OneShot, Connection::Http2];

pub(super) struct Client {
    connection: Connection,
    http: reqwest::Client,
    channel: Channel,
    address: SocketAddr,
    grpc: SocketAddr,
}

fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

impl Client {
    pub(super) fn new(address: SocketAddr, grpc: SocketAddr, connection: Connection) -> Self {
        let builder = reqwest::Client::builder();
        let http = match connection {
            Connection::KeptAlive => builder,
            Connection::OneShot => builder.pool_max_idle_per_host(0),
            Connection::Http2 => builder.http2_prior_knowledge(),
        };
        let http = http.build().unwrap();
        Self { connection, http, channel: channel(grpc), address, grpc }
    }

    /// Sends a request and waits for what becomes of it.
    pub(super) async fn send(&self, ask: &Ask) -> Reply {
        let reply = async {
            match ask {
                Ask::Http(ask) => self.over_http(ask).await.unwrap_or_else(lost),
                Ask::Infer(request) => {
                    let mut client = GrpcInferenceServiceClient::new(self.channel());
                    of_grpc(
                        client.model_infer(*request.clone()).await.map(|a| inferred(a.get_ref())),
                    )
                }
                Ask::Classify(request) => {
                    let mut client = ClassifierClient::new(self.channel());
                    of_grpc(
                        client.classify(*request.clone()).await.map(|a| classified(a.get_ref())),
                    )
                }
                Ask::Stream(pieces) => of_grpc(self.over_stream(pieces).await),
            }
        };
        let late = || Reply::Lost(format!("no answer within {PATIENCE:?}"));
        tokio::time::timeout(PATIENCE, reply).await.unwrap_or_else(|_| late())
    }

    pub(super) fn channel(&self) -> Channel {
        if self.connection == Connection::OneShot {
            channel(self.grpc)
        } else {
            self.channel.clone()
        }
    }

    /// The request of an ask.
    pub(super) fn request(&self, ask: &HttpAsk) -> reqwest::RequestBuilder {
        let url = format!("http://{}{}", self.address, ask.path);
        let mut request = match &ask.body {
            None => self.http.get(url),
            Some(body) if ask.chunked => self.http.post(url).body(pieces(body)),
            Some(body) => self.http.post(url).body(body.clone()),
        };
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if self.connection == Connection::OneShot {
            request = request.header("connection", "close");
        }
        request
    }

    async fn over_http(&self, ask: &HttpAsk) -> Result<Reply, reqwest::Error> {
        let response = self.request(ask).send().await?;
        let status = response.status().as_u16();
        let number = |name: &str| {
            response.headers().get(name).and_then(|v| v.to_str().ok()?.parse::<usize>().ok())
        };
        let (seconds, header) = (number("retry-after"), number(HEADER_LENGTH));
        let body = response.bytes().await?;
        Ok(match (status, seconds) {
            (200, _) => match json_of(&body, header) {
                Some(answer) => Reply::Answer(answer),
                None => Reply::Lost("an answer that is not JSON".to_owned()),
            },
            (429 | 503, Some(seconds)) => Reply::Later(Duration::from_secs(seconds as u64)),
            _ => Reply::Refused(format!("{status}: {}", String::from_utf8_lossy(&body))),
        })
    }

    async fn over_stream(&self, pieces: &[Vec<f32>]) -> Result<Value, Status> {
        let message = |message| ClassifyStreamRequest { message: Some(message) };
        let start = StreamStart { diagnostics: Detail::Full.into(), ..StreamStart::default() };
        let samples =
            pieces.iter().map(|planar| Message::Samples(Samples { planar: planar.clone() }));
        let messages: Vec<_> =
            std::iter::once(Message::Start(start)).chain(samples).map(message).collect();
        let mut client = ClassifierClient::new(self.channel());
        let mut answers = client.classify_stream(stream::iter(messages)).await?.into_inner();
        let mut parts = Vec::new();
        while let Some(answer) = answers.message().await? {
            parts.push(match answer.message.unwrap() {
                Part::Prediction(found) => json!({
                    "start": found.start, "end": found.end,
                    "prediction": prediction(&found.prediction.unwrap()),
                }),
                Part::End(end) => json!({"windows": end.windows, "left_over": end.left_over}),
            });
        }
        Ok(parts.into())
    }
}

/// A body in pieces of 1,000 bytes.
fn pieces(body: &Bytes) -> reqwest::Body {
    let pieces: Vec<Result<Frame<Bytes>, Infallible>> =
        body.chunks(1000).map(|piece| Ok(Frame::data(body.slice_ref(piece)))).collect();
    reqwest::Body::wrap(StreamBody::new(stream::iter(pieces)))
}

#[expect(clippy::needless_pass_by_value, reason = "it is the last step of a result")]
fn lost(error: reqwest::Error) -> Reply {
    Reply::Lost(format!("{error:?}"))
}

fn of_grpc(answer: Result<Value, Status>) -> Reply {
    let status = match answer {
        Ok(answer) => return Reply::Answer(answer),
        Err(status) => status,
    };
    let pause = status.metadata().get("grpc-retry-pushback-ms");
    match pause.and_then(|v| v.to_str().ok()?.parse().ok()) {
        Some(pause) => Reply::Later(Duration::from_millis(pause)),
        // A status that the client made because the connection ended has a source.
        None if std::error::Error::source(&status).is_some() => Reply::Lost(format!("{status:?}")),
        None => Reply::Refused(status.to_string()),
    }
}

/// JSON, with the binary tensors that follow it.
fn json_of(body: &[u8], header: Option<usize>) -> Option<Value> {
    let (head, mut rest) = body.split_at_checked(header.unwrap_or(body.len()))?;
    let mut answer: Value = serde_json::from_slice(head).ok()?;
    if header.is_some() {
        for output in answer["outputs"].as_array_mut()? {
            let size = output["parameters"]["binary_data_size"].as_u64()?;
            let (data, others) = rest.split_at_checked(size as usize)?;
            output["data"] = floats(data);
            rest = others;
        }
    }
    rest.is_empty().then_some(answer)
}

fn floats(bytes: &[u8]) -> Value {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn inferred(answer: &ModelInferResponse) -> Value {
    let outputs = answer.outputs.iter().zip(&answer.raw_output_contents);
    let outputs: Vec<Value> = outputs
        .map(|(output, data)| json!({"name": output.name, "shape": output.shape, "data": floats(data)}))
        .collect();
    json!({"model": answer.model_name, "outputs": outputs})
}

fn classified(answer: &ClassifyResponse) -> Value {
    json!({"predictions": answer.predictions.iter().map(prediction).collect::<Vec<_>>()})
}

fn prediction(found: &Prediction) -> Value {
    let probabilities: Vec<Value> = found
        .probabilities
        .iter()
        .map(|c| json!({"label": c.label, "class_index": c.class_index, "probability": c.probability}))
        .collect();
    let windows: Vec<Value> = found
        .windows
        .iter()
        .map(|w| json!({"start": w.start, "end": w.end, "class_index": w.class_index, "probability": w.probability}))
        .collect();
    let blocks = found.diagnostics.iter().flat_map(|diagnostics| &diagnostics.blocks);
    let blocks: Vec<Value> = blocks
        .map(|block| {
            let channels =
                block.channel.iter().map(|c| json!([c.threshold, c.scale, c.mean_abs, c.zeroed]));
            json!({"name": block.name, "channels": channels.collect::<Vec<_>>()})
        })
        .collect();
    json!({
        "label": found.label, "class_index": found.class_index, "probability": found.probability,
        "probabilities": probabilities, "windows": windows, "blocks": blocks,
    })
}
