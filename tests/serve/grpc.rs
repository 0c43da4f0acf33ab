//! The gRPC face, by generated clients.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use drsn_serve::grpc::proto::{
    drsn::{
        ClassifyRequest, ClassifyStreamRequest, ClassifyStreamResponse, Detail, Samples, Signal,
        StreamStart, Tensor, classifier_client::ClassifierClient, classify_request::Input,
        classify_stream_request::Message, classify_stream_response::Message as Answer,
    },
    inference::{
        InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse,
        ModelReadyRequest, RepositoryModelLoadRequest, ServerReadyRequest,
        grpc_inference_service_client::GrpcInferenceServiceClient,
        infer_parameter::ParameterChoice, model_infer_request::InferInputTensor,
    },
};
use prost::Message as _;
use serde_json::json;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming, codec::CompressionEncoding::Gzip, transport::Channel};

use crate::{
    harness::{self, Process, Server, has_runtime},
    tiny,
};

type Inference = GrpcInferenceServiceClient<Channel>;
type Classifier = ClassifierClient<Channel>;

async fn channel(address: std::net::SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

fn models() -> tempfile::TempDir {
    harness::repository(&[("tiny", tiny::signal_input(2))])
}

/// Two channels of 8 samples.
fn signal(shift: f32) -> Vec<f32> {
    (0..16).map(|n| n as f32 - shift).collect()
}

fn request(values: &[f32]) -> ModelInferRequest {
    ModelInferRequest {
        model_name: "tiny".to_owned(),
        inputs: vec![InferInputTensor {
            name: "input".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![values.len() as i64 / 16, 2, 8],
            contents: Some(InferTensorContents {
                fp32_contents: values.to_vec(),
                ..InferTensorContents::default()
            }),
            ..InferInputTensor::default()
        }],
        ..ModelInferRequest::default()
    }
}

fn raw(mut request: ModelInferRequest) -> ModelInferRequest {
    let values = request.inputs[0].contents.take().unwrap().fp32_contents;
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    request.raw_input_contents = vec![bytes.into()];
    request
}

fn floats(answer: &ModelInferResponse, output: usize) -> Vec<f32> {
    let (numbers, _) = answer.raw_output_contents[output].as_chunks::<4>();
    numbers.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-5, "{found:?} is not {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_and_typed_tensors_give_what_the_definition_gives() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &[]).await;
    let plain = Inference::new(channel(server.grpc).await);
    let gzip = plain.clone().send_compressed(Gzip).accept_compressed(Gzip);
    let inputs = [signal(2.0), signal(9.0)];
    let expected: Vec<tiny::Answer> = inputs.iter().map(|i| tiny::answer(&i[..8])).collect();
    let mut typed = request(&inputs.concat());
    typed.id = "7".to_owned();
    for (mut client, request) in
        [(plain, typed.clone()), (gzip.clone(), typed.clone()), (gzip, raw(typed))]
    {
        let answer = client.model_infer(request).await.unwrap().into_inner();
        assert_eq!((&*answer.model_version, &*answer.id), ("1", "7"));
        let of = |part: fn(&tiny::Answer) -> [f32; 2]| -> Vec<f32> {
            expected.iter().flat_map(part).collect()
        };
        assert_eq!(answer.outputs[1].name, "logits");
        assert_eq!(answer.outputs[1].shape, [2, 2]);
        assert_close(&floats(&answer, 0), &of(|a| a.probabilities));
        assert_close(&floats(&answer, 1), &of(|a| a.logits));
        assert_close(&floats(&answer, 2), &of(|a| a.threshold));
        assert_close(&floats(&answer, 3), &of(|a| a.mean_abs));
    }
    let metrics = server.get("/metrics").await.text().await.unwrap();
    let line = "drsn_requests_total{model=\"tiny\",version=\"1\",protocol=\"grpc\",code=\"OK\"} 3";
    assert!(metrics.contains(line), "{metrics}");
    server.stop().await;
}

async fn refused(client: &mut Inference, request: ModelInferRequest, code: Code) -> Status {
    let status = client.model_infer(request).await.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_cannot_be_answered_get_their_code_and_a_sentence() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let flags = ["--max-body-bytes", "100000", "--max-inflight-bytes", "50000"];
    let server = Server::start(models.path(), &flags).await;
    let mut client = Inference::new(channel(server.grpc).await);
    let good = request(&signal(0.0));
    let unknown = ModelInferRequest { model_name: "none".to_owned(), ..good.clone() };
    let status = refused(&mut client, unknown, Code::NotFound).await;
    assert!(status.message().contains("tiny"), "{status}");
    let mut wrong = good.clone();
    wrong.inputs[0].datatype = "INT8".to_owned();
    refused(&mut client, wrong, Code::InvalidArgument).await;
    let mut both = raw(good.clone());
    both.inputs[0].contents = Some(InferTensorContents::default());
    refused(&mut client, both, Code::InvalidArgument).await;
    let mut several = raw(good.clone());
    several.raw_input_contents.push(vec![0].into());
    refused(&mut client, several, Code::InvalidArgument).await;
    // Above the memory of all requests, and above the largest message.
    refused(&mut client, request(&vec![0.0; 16_000]), Code::ResourceExhausted).await;
    refused(&mut client, request(&vec![0.0; 32_000]), Code::OutOfRange).await;
    let load =
        RepositoryModelLoadRequest { repository_name: "tiny".to_owned(), ..Default::default() };
    let status = client.repository_model_load(load).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let metrics = server.get("/metrics").await.text().await.unwrap();
    for line in [
        "drsn_requests_total{model=\"\",version=\"\",protocol=\"grpc\",code=\"NOT_FOUND\"} 1",
        "drsn_rejected_total{model=\"tiny\",reason=\"invalid\"} 3",
        "drsn_rejected_total{model=\"\",reason=\"too_large\"} 2",
        "drsn_inflight_bytes 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_the_earliest_of_those_that_were_given() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &["--max-wait-us", "1000000"]).await;
    let mut client = Inference::new(channel(server.grpc).await);
    let mut timed = request(&signal(0.0));
    let choice = Some(ParameterChoice::Int64Param(100_000));
    timed.parameters.insert("timeout".to_owned(), InferParameter { parameter_choice: choice });
    let status = refused(&mut client, timed, Code::DeadlineExceeded).await;
    assert!(status.message().contains("time was up"), "{status}");
    // Generated clients keep their deadline themselves: here only the header says it.
    let message = request(&signal(0.0)).encode_to_vec();
    let mut body = vec![0];
    body.extend_from_slice(&(message.len() as u32).to_be_bytes());
    body.extend_from_slice(&message);
    let http_2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let url = format!("http://{}/inference.GRPCInferenceService/ModelInfer", server.grpc);
    let request = http_2.post(url).header("content-type", "application/grpc").body(body);
    let answer = request.header("grpc-timeout", "100m").send().await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "4");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_told_with_push_back() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let flags = ["--queue", "1", "--max-wait-us", "500000"];
    let server = Server::start(models.path(), &flags).await;
    let client = Inference::new(channel(server.grpc).await);
    let mut waiting = client.clone();
    let waits = tokio::spawn(async move { waiting.model_infer(request(&signal(0.0))).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let status = refused(&mut client.clone(), request(&signal(0.0)), Code::ResourceExhausted).await;
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1000");
    assert!(waits.await.unwrap().is_ok());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_classifier_answers_like_post_classify() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &[]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let values = signal(3.0);
    let body = json!({"signal": [values[..8], values[8..]], "diagnostics": "full"});
    let expected = server.classify_json("/classify", body).await;
    let expected = &expected["predictions"][0];
    let ask = |input| ClassifyRequest {
        input: Some(input),
        diagnostics: Detail::Full.into(),
        ..ClassifyRequest::default()
    };
    let tensor = Tensor { shape: vec![2, 8], values: values.clone() };
    for input in [Input::Signal(Signal { channels: 2, samples: values }), Input::Tensor(tensor)] {
        let answer = client.classify(ask(input)).await.unwrap().into_inner();
        let found = &answer.predictions[0];
        assert_eq!(expected["label"], found.label);
        let close = |expected: &serde_json::Value, found: f32| {
            assert!((expected.as_f64().unwrap() - f64::from(found)).abs() < 1e-6);
        };
        close(&expected["probability"], found.probability);
        assert_eq!(found.probabilities.len(), 2);
        let block = &found.diagnostics.as_ref().unwrap().blocks[0];
        let expected = &expected["diagnostics"]["blocks"][0];
        assert_eq!(expected["name"], block.name);
        close(&expected["threshold"]["mean"], block.threshold.unwrap().mean);
        close(&expected["channel"][1]["zeroed"], block.channel[1].zeroed);
        assert_eq!(answer.timing.unwrap().batch_size, 1);
    }
    for (input, code) in [
        (Input::Signal(Signal { channels: 2, samples: vec![0.0; 15] }), Code::InvalidArgument),
        (Input::Image(vec![1].into()), Code::InvalidArgument),
        (Input::Recording(vec![1].into()), Code::Unimplemented),
    ] {
        assert_eq!(client.classify(ask(input)).await.unwrap_err().code(), code);
    }
    server.stop().await;
}

/// A stream from its client's side.
struct Stream {
    messages: mpsc::Sender<ClassifyStreamRequest>,
    answers: Streaming<ClassifyStreamResponse>,
}

impl Stream {
    async fn open(client: &mut Classifier, start: StreamStart) -> Self {
        let (messages, receiver) = mpsc::channel(1);
        messages
            .send(ClassifyStreamRequest { message: Some(Message::Start(start)) })
            .await
            .unwrap();
        let answers = client.classify_stream(ReceiverStream::new(receiver)).await.unwrap();
        Self { messages, answers: answers.into_inner() }
    }

    async fn send(&self, planar: Vec<f32>) {
        let samples = Samples { planar };
        let message = ClassifyStreamRequest { message: Some(Message::Samples(samples)) };
        self.messages.send(message).await.unwrap();
    }

    async fn next(&mut self) -> Result<Answer, Status> {
        let answer = tokio::time::timeout(Duration::from_secs(20), self.answers.message()).await;
        Ok(answer.unwrap()?.unwrap().message.unwrap())
    }

    async fn prediction(&mut self) -> (u64, u64, f32) {
        match self.next().await.unwrap() {
            Answer::Prediction(found) => {
                let probabilities = found.prediction.unwrap().probabilities;
                let first = probabilities.iter().find(|class| class.class_index == 0).unwrap();
                (found.start, found.end, first.probability)
            }
            Answer::End(end) => panic!("the stream ended: {end:?}"),
        }
    }

    async fn refusal(mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_gives_each_full_window_as_soon_as_it_is_full() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &[]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let start = StreamStart { channels: 2, overlap: 0.5, ..StreamStart::default() };
    let mut stream = Stream::open(&mut client, start).await;
    // 21 samples of each channel: 8 are a window, 4 further ones the next.
    let first: Vec<f32> = (0..21).map(|n| (n as f32 * 0.7).sin()).collect();
    let pieces = [0..3, 3..3, 3..9, 9..21];
    let piece = |range: std::ops::Range<usize>| [&first[range.clone()], &first[range]].concat();
    for range in &pieces[..3] {
        stream.send(piece(range.clone())).await;
    }
    let expected = |from: usize| {
        let probability = tiny::answer(&first[from..from + 8]).probabilities[0];
        (from as u64, from as u64 + 8, probability)
    };
    let check = |found: (u64, u64, f32), from: usize| {
        let expected = expected(from);
        assert_eq!((found.0, found.1), (expected.0, expected.1));
        assert_close(&[found.2], &[expected.2]);
    };
    // The stream is open still.
    check(stream.prediction().await, 0);
    stream.send(piece(pieces[3].clone())).await;
    for from in [4, 8, 12] {
        check(stream.prediction().await, from);
    }
    let Stream { messages, mut answers } = stream;
    drop(messages);
    let end = answers.message().await.unwrap().unwrap().message.unwrap();
    let Answer::End(end) = end else { panic!("no end: {end:?}") };
    assert_eq!((end.windows, end.left_over), (4, 1));
    assert!(answers.message().await.unwrap().is_none());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_the_rules_is_told_which() {
    if !has_runtime() {
        return;
    }
    let repository = tempfile::tempdir().unwrap();
    let drsn_bundle::InputSpec::Signal(mut spec) = tiny::signal_input(2) else { unreachable!() };
    spec.sample_rate_hz = Some(1000.0);
    harness::write_tiny(repository.path(), "tiny", "1", drsn_bundle::InputSpec::Signal(spec));
    let server = Server::start(repository.path(), &["--stream-idle-ms", "300"]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let start = StreamStart::default;
    for (wrong, code, part) in [
        (StreamStart { sample_rate_hz: 999.0, ..start() }, Code::InvalidArgument, "1000 Hz"),
        (StreamStart { channels: 3, ..start() }, Code::InvalidArgument, "2 channels"),
        (StreamStart { overlap: 1.0, ..start() }, Code::InvalidArgument, "overlap"),
        (StreamStart { model: "none".to_owned(), ..start() }, Code::NotFound, "tiny"),
        // Nothing is sent after this one.
        (StreamStart { sample_rate_hz: 1000.0, ..start() }, Code::DeadlineExceeded, "300 ms"),
    ] {
        let stream = Stream::open(&mut client, wrong).await;
        let status = stream.refusal().await;
        assert_eq!(status.code(), code);
        assert!(status.message().contains(part), "{status}");
    }
    let stream = Stream::open(&mut client, start()).await;
    stream.send(vec![0.0; 3]).await;
    assert!(stream.refusal().await.message().contains("as many samples"));
    let stream = Stream::open(&mut client, start()).await;
    stream.send(vec![f32::NAN; 16]).await;
    assert!(stream.refusal().await.message().contains("samples 0 to 8"));
    server.stop().await;
}

/// A client that sends without reading is held back, and its windows take bounded memory.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_client_reads_nothing_is_held_back() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &["--stream-idle-ms", "1500"]).await;
    let mut client = Classifier::new(channel(server.grpc).await);
    let start = StreamStart { diagnostics: Detail::Full.into(), ..StreamStart::default() };
    let stream = Stream::open(&mut client, start).await;
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(500), stream.send(vec![0.5; 16 * 256]))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 500, "nothing held the client back");
    }
    server
        .classify_json("/classify", json!({"signal": [signal(0.0)[..8], signal(1.0)[..8]]}))
        .await;
    drop(stream);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_health_turns_first_and_streams_are_told() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let mut server = Process::start(models.path(), &["--linger-ms", "600"]);
    let channel = channel(server.grpc).await;
    let mut inference = Inference::new(channel.clone());
    assert!(inference.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    let ready = ModelReadyRequest { name: "tiny".to_owned(), version: "1".to_owned() };
    assert!(inference.model_ready(ready).await.unwrap().into_inner().ready);
    let watch = tonic_health::pb::HealthCheckRequest { service: "drsn.v1.Classifier".to_owned() };
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    let mut watched = health.watch(watch).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status, 1);
    let mut classifier = Classifier::new(channel);
    let mut stream = Stream::open(&mut classifier, StreamStart::default()).await;
    stream.send(signal(1.0)).await;
    assert_eq!(stream.prediction().await.1, 8);
    server.signal("-TERM");
    server.wait_for("draining");
    // During the linger the stream goes on, and others connect.
    stream.send(signal(2.0)).await;
    assert_eq!(stream.prediction().await.1, 16);
    let mut other = Inference::new(self::channel(server.grpc).await);
    assert!(!other.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    assert!(other.model_infer(request(&signal(1.0))).await.is_ok());
    let status = stream.refusal().await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(watched.message().await.unwrap().unwrap().status, 2);
    // Who watches does not keep the server from ending.
    while let Ok(Some(answer)) = watched.message().await {
        assert_ne!(answer.status, 1);
    }
    server.wait_for("stopped");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_clients_loses_no_call() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let mut server = Process::start(models.path(), &["--linger-ms", "500"]);
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let mut client = Inference::new(channel(server.grpc).await);
        let answered = Arc::clone(&answered);
        clients.spawn(async move {
            loop {
                match client.model_infer(request(&signal(1.0))).await {
                    Ok(_) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                    Err(status) => {
                        let sources = std::iter::successors(status.source(), |&e| e.source());
                        let text: Vec<String> = sources.map(ToString::to_string).collect();
                        // The connection ended before the client had sent anything of the call, or its GOAWAY
                        // names the call as one that was not begun: most libraries send it again by themselves.
                        let not_begun = ["connection closed", "not a result of an error"];
                        if text.iter().any(|s| not_begun.iter().any(|word| s.ends_with(word))) {
                            continue;
                        }
                        // After the listener has closed, and only then, nobody answers.
                        let refused = text.iter().any(|source| source.contains("connect error"));
                        assert!(refused, "a call was lost: {status}, {text:?}");
                        return;
                    }
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal("-TERM");
    clients.join_all().await;
    server.wait_for("stopped");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(answered.load(Ordering::Relaxed) > 16);
}

#[test]
fn a_port_in_use_is_told_with_its_flag_and_grpc_can_be_off() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let start = |grpc: &str, more: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
            .args(["--http", "127.0.0.1:0", "--log-format", "json", "--grpc", grpc, "--models"])
            .arg(models.path())
            .args(more)
            .output()
            .unwrap()
    };
    let output = start(&address, &[]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains(&address) && log.contains("choose another with --grpc"), "{log}");
    let output = start("off", &["--onnxruntime", "/nowhere/lib.so"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("\"http\"") && !log.contains("\"grpc\""), "{log}");
    assert_eq!(start("nowhere", &[]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cannot_be_read_are_their_senders_fault() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server = Server::start(models.path(), &["--max-body-bytes", "4096"]).await;
    let http_2 = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut bomb, &vec![0; 1 << 20]).unwrap();
    let bomb = bomb.finish().unwrap();
    let framed = |flag: u8, message: &[u8]| {
        [&[flag][..], &(message.len() as u32).to_be_bytes(), message].concat()
    };
    let one = framed(0, &request(&signal(0.0)).encode_to_vec());
    for (method, body, code) in [
        ("inference.GRPCInferenceService/ModelInfer", framed(0, &[0xff; 9]), "3"),
        ("inference.GRPCInferenceService/ModelInfer", framed(7, &[]), "3"),
        ("inference.GRPCInferenceService/ModelInfer", one[..one.len() - 1].to_vec(), "3"),
        ("inference.GRPCInferenceService/ModelInfer", Vec::new(), "3"),
        ("inference.GRPCInferenceService/ModelInfer", framed(1, b"no gzip"), "3"),
        ("inference.GRPCInferenceService/ModelInfer", framed(1, &bomb), "8"),
        ("inference.GRPCInferenceService/Nothing", one.clone(), "12"),
        ("drsn.v1.Classifier/Classify", framed(0, &[]), "3"),
    ] {
        let answer = http_2
            .post(format!("http://{}/{method}", server.grpc))
            .header("content-type", "application/grpc")
            .header("grpc-encoding", "gzip")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["grpc-status"], code, "{method}: {:?}", answer.headers());
    }
    let mut client = Inference::new(channel(server.grpc).await);
    assert!(client.model_infer(request(&signal(0.0))).await.is_ok());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_models_are_being_loaded_calls_are_told_to_come_back() {
    if !has_runtime() {
        return;
    }
    // Enough of them that loading takes longer than a call.
    let names: Vec<String> = (0..40).map(|n| format!("tiny{n}")).collect();
    let models: Vec<_> = names.iter().map(|name| (&**name, tiny::signal_input(2))).collect();
    let models = harness::repository(&models);
    let server = Process::listening(models.path(), &["--workers", "4"]);
    let mut client = Inference::new(channel(server.grpc).await);
    assert!(!client.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready);
    let first = ModelInferRequest { model_name: "tiny0".to_owned(), ..request(&signal(0.0)) };
    let status = refused(&mut client, first.clone(), Code::Unavailable).await;
    assert!(status.message().contains("being loaded"), "{status}");
    server.wait_for("ready");
    assert!(client.model_infer(first).await.is_ok());
}
