//! Requests that are wrong: each gets its status, whatever else happens.

use std::{sync::Arc, time::Duration};

use drsn_serve::proto::{
    drsn::{ClassifyRequest, classify_request::Input},
    inference::ModelInferRequest,
};
use hyper::body::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    asks::{Ask, HttpAsk, picture},
    client::{CONNECTIONS, Connection, Reply},
    tally::count,
    traffic::Scene,
};
use crate::{
    forms::FORM,
    hostile::{FLOATS, JSON},
    recordings::{WAV, npy, wav},
};

const PAUSE: Duration = Duration::from_millis(30);

/// A request, and the beginning of what is said to it.
type Case = (Ask, &'static str);

pub(super) fn start(scene: &Arc<Scene>, clients: &mut JoinSet<()>) {
    for connection in CONNECTIONS {
        clients.spawn(keep_sending(Arc::clone(scene), connection));
    }
    clients.spawn(not_http(Arc::clone(scene)));
}

fn post(path: &'static str, content_type: &str, body: impl Into<Bytes>) -> Ask {
    let headers = vec![("content-type", content_type.to_owned())];
    Ask::Http(HttpAsk { path, headers, body: Some(body.into()), chunked: false })
}

fn half(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() / 2);
    bytes
}

fn cases() -> Vec<Case> {
    const INFER: &str = "/v2/models/bearing/infer";
    const PICTURES: &str = "/models/mnist/classify";
    let deep = "[".repeat(100_000);
    let gzip = vec![("content-encoding", "gzip".to_owned())];
    let not_gzip =
        HttpAsk { path: INFER, headers: gzip, body: Some("plain".into()), chunked: false };
    let infer = ModelInferRequest { model_name: "bearing".to_owned(), ..Default::default() };
    let unknown = ModelInferRequest { model_name: "none".to_owned(), ..Default::default() };
    let recording = |bytes: Vec<u8>| {
        let input = Some(Input::Recording(bytes.into()));
        Ask::Classify(Box::new(ClassifyRequest { input, ..ClassifyRequest::default() }))
    };
    vec![
        (post("/classify", FLOATS, vec![0; 7]), "400"),
        (post("/classify", FLOATS, f32::NAN.to_le_bytes().repeat(2048)), "400"),
        (post("/classify?overlap=2", FLOATS, vec![0; 8192]), "400"),
        (post("/classify?unknown=1", FLOATS, vec![0; 8192]), "400"),
        (post("/classify", JSON, "{\"signal\": [1, 2"), "400"),
        (post("/classify", JSON, deep), "400"),
        (post("/classify", JSON, "{\"signal\": [[1], [2, 3]]}"), "400"),
        (post("/classify", WAV, half(wav(48_000, &[vec![0.5; 4096]]))[..40].to_vec()), "400"),
        (post("/classify", WAV, wav(8000, &[vec![0.5; 4096]])), "400"),
        (post("/classify", "text/csv", "a,b\n1,x\n\0\n"), "400"),
        (post("/classify", "application/x-npy", half(npy("(9000,)", &[0.5; 9000]))), "400"),
        (post("/classify", "application/x-npy", npy("(99999999999,)", &[0.5; 9])), "413"),
        (post("/classify", FORM, "--xyz\r\nno header"), "400"),
        (post(PICTURES, "image/png", half(picture(1))), "400"),
        (post(PICTURES, "image/png", "\u{89}PNG, it says"), "400"),
        (post("/classify", "application/pdf", vec![1; 8192]), "415"),
        (post("/models/none/classify", FLOATS, vec![0; 8192]), "404"),
        (post("/models/bearing/versions/999999/classify", FLOATS, vec![0; 8192]), "404"),
        (Ask::Http(HttpAsk { path: "/classify", ..HttpAsk::default() }), "405"),
        (Ask::Http(HttpAsk { path: "/nowhere", ..HttpAsk::default() }), "404"),
        (post(INFER, JSON, "{\"inputs\": []}"), "400"),
        (post(INFER, JSON, "{\"inputs\": [{\"name\": \"input\", \"shape\": [-1]}]}"), "400"),
        (post("/v2/repository/models/bearing/unload", JSON, "{}"), "403"),
        (Ask::Http(not_gzip), "400"),
        (Ask::Infer(Box::new(infer)), "code: 'Client specified an invalid argument'"),
        (Ask::Infer(Box::new(unknown)), "code: 'Some requested entity was not found'"),
        (recording(b"RIFF".to_vec()), "code: 'Client specified an invalid argument'"),
        (Ask::Stream(vec![vec![f32::NAN; 4096]]), "code: 'Client specified an invalid argument'"),
    ]
}

async fn keep_sending(scene: Arc<Scene>, connection: Connection) {
    let cases = cases();
    let client = scene.client(connection);
    let mut turn = 0;
    while scene.goes_on() {
        let (ask, expected) = &cases[turn % cases.len()];
        match client.send(ask).await {
            Reply::Refused(said) if said.starts_with(expected) => count(&scene.tally.refused),
            // It came while the queue was full, and may come again.
            Reply::Later(_) => {}
            Reply::Refused(said) | Reply::Lost(said) => {
                scene.tally.problem(format!("malformed {}: {said}", turn % cases.len()));
            }
            Reply::Answer(answer) => {
                scene.tally.problem(format!("malformed {}: {answer}", turn % cases.len()));
            }
        }
        turn += 1;
        sleep(PAUSE).await;
    }
}

/// Bytes that are no request: the connection ends, soon.
async fn not_http(scene: Arc<Scene>) {
    let words: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /classify HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ];
    let mut turn = 0;
    while scene.goes_on() {
        let addresses = [scene.address, scene.grpc];
        let Ok(mut socket) = TcpStream::connect(addresses[turn % 2]).await else {
            return scene.tally.problem("a connection was refused".to_owned());
        };
        let _ = socket.write_all(words[turn % words.len()]).await;
        let mut answer = Vec::new();
        // Without further bytes, some of these are taken for the beginning of a request.
        let _ = timeout(Duration::from_millis(200), socket.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        // An error of gRPC is in a header of an answer with status 200.
        let is_answered = answer.starts_with("HTTP/1.1 2") && !answer.contains("grpc-status: ");
        if is_answered || answer.starts_with("HTTP/1.1 5") {
            scene.tally.problem(format!("not HTTP: {answer}"));
        }
        count(&scene.tally.refused);
        turn += 1;
        sleep(PAUSE).await;
    }
}
