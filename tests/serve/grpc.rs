//! The gRPC API, by generated clients.

mod ends;
pub(crate) mod streams;

use std::time::Duration;

use drsn_serve::proto::{
    drsn::{
        ClassifyRequest, Detail, Signal, Tensor, classifier_client::ClassifierClient,
        classify_request::Input,
    },
    inference::{
        InferParameter, InferTensorContents, ModelInferRequest, ModelInferResponse,
        ModelReadyRequest, ModelRepositoryParameter, RepositoryIndexRequest,
        RepositoryModelLoadRequest, RepositoryModelUnloadRequest,
        grpc_inference_service_client::GrpcInferenceServiceClient,
        infer_parameter::ParameterChoice, model_infer_request::InferInputTensor,
    },
};
use prost::Message as _;
use serde_json::json;
use tonic::{Code, Status, codec::CompressionEncoding::Gzip, transport::Channel};

use crate::{
    harness::{self, Server, has_runtime},
    tiny,
};

type Inference = GrpcInferenceServiceClient<Channel>;
pub(crate) type Classifier = ClassifierClient<Channel>;

pub(crate) async fn channel(address: std::net::SocketAddr) -> Channel {
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
async fn raw_and_typed_tensors_get_the_answers_of_the_definition() {
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
    refused(&mut client, request(&vec![0.0; 32_000]), Code::ResourceExhausted).await;
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
async fn the_earliest_deadline_holds() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let server =
        Server::start(models.path(), &["--max-wait-us", "1000000", "--max-batch", "8"]).await;
    let mut client = Inference::new(channel(server.grpc).await);
    let mut timed = request(&signal(0.0));
    let choice = Some(ParameterChoice::Int64Param(100_000));
    timed.parameters.insert("timeout".to_owned(), InferParameter { parameter_choice: choice });
    let status = refused(&mut client, timed, Code::DeadlineExceeded).await;
    assert!(status.message().contains("time was up"), "{status}");
    // Generated clients enforce their own deadline: here only the header sets it.
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
async fn a_full_queue_is_reported_with_push_back() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let flags = ["--queue", "1", "--max-batch", "16", "--max-wait-us", "500000"];
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
        let diagnostics = &expected["diagnostics"];
        let expected = &diagnostics["blocks"][0];
        assert_eq!(expected["name"], block.name);
        close(&expected["threshold"]["mean"], block.threshold.unwrap().mean);
        close(&expected["channel"][1]["zeroed"], block.channel[1].zeroed);
        close(&expected["channel"][1]["mean_abs_after"], block.channel[1].mean_abs_after);
        let map = found.diagnostics.as_ref().unwrap().map.as_ref().unwrap();
        assert_eq!((map.class_index, map.start, map.end), (found.class_index, 0, 8));
        close(&diagnostics["map"]["bias"], map.bias);
        for (at, &value) in map.values.iter().enumerate() {
            close(&diagnostics["map"]["values"][at], value);
        }
        assert_eq!(answer.timing.unwrap().batch_size, 1);
    }
    // Twelve samples of each channel: two windows of eight, the second aligned to the end.
    let csv = (0..12).map(|n| format!("{},{}", n * 3 % 7, n * n)).collect::<Vec<_>>().join("\n");
    let expected = server.client.post(server.url("/classify")).header("content-type", "text/csv");
    let expected = expected.body(csv.clone()).send().await.unwrap().bytes().await.unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    let found = client.classify(ask(Input::Recording(csv.into()))).await.unwrap().into_inner();
    let windows = &found.predictions[0].windows;
    assert_eq!(windows.iter().map(|w| (w.start, w.end)).collect::<Vec<_>>(), [(0, 8), (4, 12)]);
    for (window, expected) in
        windows.iter().zip(expected["predictions"][0]["windows"].as_array().unwrap())
    {
        assert_eq!(expected["class_index"], window.class_index);
        assert!(
            (expected["probability"].as_f64().unwrap() - f64::from(window.probability)).abs()
                < 1e-6
        );
    }
    for (input, code) in [
        (Input::Signal(Signal { channels: 2, samples: vec![0.0; 15] }), Code::InvalidArgument),
        (Input::Image(vec![1].into()), Code::InvalidArgument),
        (Input::Recording(vec![1].into()), Code::InvalidArgument),
        (Input::Tensor(Tensor { shape: vec![8, 2], values: vec![0.0; 16] }), Code::InvalidArgument),
    ] {
        assert_eq!(client.classify(ask(input)).await.unwrap_err().code(), code);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_need_a_key_if_keys_are_set_and_probes_do_not() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "alpha\n").unwrap();
    let server = Server::start(models.path(), &["--api-keys", keys.to_str().unwrap()]).await;
    let mut client = Inference::new(channel(server.grpc).await);
    refused(&mut client, request(&signal(0.0)), Code::Unauthenticated).await;
    let mut with_key = tonic::Request::new(request(&signal(0.0)));
    with_key.metadata_mut().insert("authorization", "Bearer alpha".parse().unwrap());
    assert!(client.model_infer(with_key).await.is_ok());
    let metrics = server.client.get(server.url("/metrics")).header("x-api-key", "alpha");
    let metrics = metrics.send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("reason=\"unauthenticated\"} 1"), "{metrics}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn models_are_loaded_and_unloaded_over_grpc_if_control_is_explicit() {
    if !has_runtime() {
        return;
    }
    let models = models();
    let load = |model_name: &str| RepositoryModelLoadRequest {
        model_name: model_name.to_owned(),
        ..RepositoryModelLoadRequest::default()
    };
    // KServe's clients name the model as the repository.
    let unload = || RepositoryModelUnloadRequest {
        repository_name: "tiny".to_owned(),
        ..RepositoryModelUnloadRequest::default()
    };
    let server = Server::start(models.path(), &[]).await;
    let mut client = Inference::new(channel(server.grpc).await);
    let status = client.repository_model_load(load("tiny")).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    server.stop().await;

    let server = Server::start(models.path(), &["--model-control", "explicit"]).await;
    let mut client = Inference::new(channel(server.grpc).await);
    client.repository_model_unload(unload()).await.unwrap();
    refused(&mut client, request(&signal(0.0)), Code::NotFound).await;
    // Whether it is ready is a question, which has an answer.
    for (name, version) in [("tiny", ""), ("tiny", "1"), ("none", ""), ("", "")] {
        let asked = ModelReadyRequest { name: name.to_owned(), version: version.to_owned() };
        assert!(!client.model_ready(asked).await.unwrap().into_inner().ready, "{name}/{version}");
    }
    client.repository_model_load(load("tiny")).await.unwrap();
    assert!(client.model_infer(request(&signal(0.0))).await.is_ok());
    for (version, expected) in [("", true), ("1", true), ("2", false)] {
        let asked = ModelReadyRequest { name: "tiny".to_owned(), version: version.to_owned() };
        let found = client.model_ready(asked).await.unwrap().into_inner().ready;
        assert_eq!(found, expected, "{version}");
    }
    let index = client.repository_index(RepositoryIndexRequest::default()).await.unwrap();
    let model = &index.into_inner().models[0];
    assert_eq!([&model.name, &model.version, &model.state], ["tiny", "1", "READY"]);
    let mut configured = load("tiny");
    configured.parameters.insert("config".to_owned(), ModelRepositoryParameter::default());
    let status = client.repository_model_load(configured).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        client.repository_model_load(load("none")).await.unwrap_err().code(),
        Code::NotFound
    );
    server.stop().await;
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
