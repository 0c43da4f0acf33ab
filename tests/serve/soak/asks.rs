//! What the clients send: some hundred different inputs in every form that the server accepts.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use drsn_serve::proto::{
    drsn::{ClassifyRequest, Detail, Signal, classify_request::Input},
    inference::{InferTensorContents, ModelInferRequest, model_infer_request::InferInputTensor},
};
use hyper::body::Bytes;
use serde_json::json;

use crate::{
    forms::{FORM, form},
    hostile::{FLOATS, JSON, floats},
    recordings::{WAV, npy, wav},
};

/// Samples of a window of the model `bearing`, and their rate.
const WINDOW: usize = 2048;
const RATE: u32 = 48_000;
/// Side of a picture of the model `mnist`, in pixels.
const SIDE: u32 = 28;

/// A request over HTTP.
#[derive(Clone, Default)]
pub(super) struct HttpAsk {
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    /// A GET if there is none.
    pub(super) body: Option<Bytes>,
    /// Sent in pieces, without a declared length.
    pub(super) chunked: bool,
}

/// One request.
#[derive(Clone)]
pub(super) enum Ask {
    Http(HttpAsk),
    Infer(Box<ModelInferRequest>),
    Classify(Box<ClassifyRequest>),
    /// Pieces of a signal that is sent while it is classified.
    Stream(Vec<Vec<f32>>),
}

/// The name of a form, and its request with an input of this number.
type Maker = (&'static str, fn(usize) -> Ask);

/// One form of request, with its inputs.
pub(super) struct Form {
    pub(super) name: &'static str,
    pub(super) asks: Vec<Ask>,
}

/// Forms whose input `n` is the same signal: they get the same predictions.
pub(super) const SAME_SIGNAL: [&str; 5] = ["binary", "JSON", "WAV", "WAV in pieces", "CSV"];

/// Every form, each with `count` inputs; forms that describe the server have fewer.
pub(super) fn forms(count: usize) -> Vec<Form> {
    let makers: [Maker; 15] = [
        ("binary", |n| post("/classify?diagnostics=full", FLOATS, floats(&window(n)))),
        ("JSON", |n| {
            let body = json!({"signal": window(n), "diagnostics": "full"});
            post("/classify", JSON, body.to_string().into_bytes())
        }),
        ("WAV", |n| post("/classify?diagnostics=full", WAV, wav(RATE, &[window(n)]))),
        ("WAV in pieces", in_pieces),
        ("CSV", |n| post("/classify?diagnostics=full", "text/csv", csv(&window(n)))),
        ("NPY of many windows", many_windows),
        ("form", multipart),
        ("PNG", |n| post("/models/mnist/classify?diagnostics=full", "image/png", picture(n))),
        ("JSON with a PNG", |n| {
            let body = json!({"image": STANDARD.encode(picture(n)), "top_k": 10});
            post("/models/mnist/classify", JSON, body.to_string().into_bytes())
        }),
        ("OIP JSON", oip_json),
        ("OIP binary", oip_binary),
        ("OIP metadata", metadata),
        ("gRPC ModelInfer", |n| Ask::Infer(Box::new(model_infer(n)))),
        ("gRPC Classify", |n| {
            Ask::Classify(Box::new(ClassifyRequest {
                input: Some(if n.is_multiple_of(2) {
                    Input::Signal(Signal { channels: 1, samples: window(n) })
                } else {
                    Input::Recording(wav(RATE, &[signal(n, 2 * WINDOW + 100)]).into())
                }),
                diagnostics: Detail::Full.into(),
                ..ClassifyRequest::default()
            }))
        }),
        ("gRPC ClassifyStream", |n| {
            let samples = signal(n, 3 * WINDOW + n % 500);
            Ask::Stream(samples.chunks(700 + n % 900).map(<[f32]>::to_vec).collect())
        }),
    ];
    makers
        .into_iter()
        .map(|(name, make)| Form { name, asks: (0..count).map(make).collect() })
        .collect()
}

fn post(path: &'static str, content_type: &str, body: Vec<u8>) -> Ask {
    let headers = vec![("content-type", content_type.to_owned())];
    Ask::Http(HttpAsk { path, headers, body: Some(body.into()), chunked: false })
}

/// Two tones and noise, different for each number.
fn signal(number: usize, length: usize) -> Vec<f32> {
    let mut state = number as u32 + 1;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state >> 8) / f64::from(1 << 23) - 1.0) as f32
    };
    let [low, high] = [0.01 + 0.003 * (number % 29) as f32, 0.4 + 0.02 * (number % 31) as f32];
    let strength = (number % 7) as f32 / 10.0;
    (0..length)
        .map(|n| (n as f32 * low).sin() / 3.0 + (n as f32 * high).sin() / 5.0 + strength * noise())
        .collect()
}

/// The signal that several forms send.
fn window(number: usize) -> Vec<f32> {
    signal(number, WINDOW)
}

fn csv(samples: &[f32]) -> Vec<u8> {
    // With a fraction always: a first row of a lone 0 is what pandas writes above one column.
    let rows: Vec<String> = samples.iter().map(|sample| format!("{sample:?}")).collect();
    rows.join("\n").into_bytes()
}

/// A grey picture with a bar and an uneven ground.
pub(super) fn picture(number: usize) -> Vec<u8> {
    let picture = image::GrayImage::from_fn(SIDE, SIDE, |x, y| {
        let bar = (y as usize + x as usize * (number % 5)).abs_diff(10 + number % 13) < 3;
        let ground = (x as usize * 31 + y as usize * 7 + number * 17) % 97;
        image::Luma([if bar { 255 - (number % 50) as u8 } else { ground as u8 / 2 }])
    });
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

/// A recording that is decoded while it arrives.
fn in_pieces(number: usize) -> Ask {
    let Ask::Http(ask) = post("/classify?diagnostics=full", WAV, wav(RATE, &[window(number)]))
    else {
        unreachable!()
    };
    Ask::Http(HttpAsk { chunked: true, ..ask })
}

fn many_windows(number: usize) -> Ask {
    let samples = signal(number, (2 + number % 6) * WINDOW + number);
    let body = npy(&format!("({},)", samples.len()), &samples);
    post("/classify?overlap=0.5&diagnostics=full", "application/x-npy", body)
}

fn multipart(number: usize) -> Ask {
    let first = wav(RATE, &[window(number)]);
    let second = csv(&signal(number + 1, 2 * WINDOW));
    let body = form(&[
        ("file", Some("first.wav"), None, &first),
        ("file", Some("second.csv"), Some("text/csv"), &second),
        ("diagnostics", None, None, b"full"),
    ]);
    post("/classify", FORM, body)
}

fn oip_json(number: usize) -> Ask {
    let data = [window(number), window(number + 1)].concat();
    let body = json!({"inputs": [
        {"name": "input", "shape": [2, 1, WINDOW], "datatype": "FP32", "data": data},
    ]});
    post("/v2/models/bearing/infer", JSON, body.to_string().into_bytes())
}

fn oip_binary(number: usize) -> Ask {
    let header = json!({
        "inputs": [{"name": "input", "shape": [1, 1, WINDOW], "datatype": "FP32",
                    "parameters": {"binary_data_size": 4 * WINDOW}}],
        "parameters": {"binary_data_output": true},
    });
    let header = header.to_string().into_bytes();
    let length = header.len().to_string();
    let body = [header, floats(&window(number))].concat();
    Ask::Http(HttpAsk {
        path: "/v2/models/bearing/infer",
        headers: vec![("inference-header-content-length", length)],
        body: Some(body.into()),
        chunked: false,
    })
}

fn metadata(number: usize) -> Ask {
    let paths =
        ["/v2", "/v2/models/bearing", "/v2/models/mnist", "/v2/health/ready", "/v2/health/live"];
    Ask::Http(HttpAsk { path: paths[number % paths.len()], ..HttpAsk::default() })
}

fn model_infer(number: usize) -> ModelInferRequest {
    let values = window(number);
    let mut request = ModelInferRequest {
        model_name: "bearing".to_owned(),
        inputs: vec![InferInputTensor {
            name: "input".to_owned(),
            datatype: "FP32".to_owned(),
            shape: vec![1, 1, WINDOW as i64],
            ..InferInputTensor::default()
        }],
        ..ModelInferRequest::default()
    };
    if number.is_multiple_of(2) {
        request.raw_input_contents = vec![floats(&values).into()];
    } else {
        let contents = InferTensorContents { fp32_contents: values, ..Default::default() };
        request.inputs[0].contents = Some(contents);
    }
    request
}
