//! Clients that hang up in mid-request and in mid-answer.

use std::{sync::Arc, time::Duration};

use drsn_serve::proto::drsn::{
    ClassifyStreamRequest, Samples, StreamStart, classifier_client::ClassifierClient,
    classify_stream_request::Message,
};
use futures_util::stream::{self, StreamExt as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    asks::Ask,
    client::{CONNECTIONS, Connection},
    tally::count,
    traffic::Scene,
};
use crate::{damaged::Dice, hostile::floats};

/// The body of a request whose answer is large: 200 windows with full diagnostics.
const SAMPLES: usize = 200 * 2048;
const PAUSE: Duration = Duration::from_millis(40);

pub(super) fn start(scene: &Arc<Scene>, clients: &mut JoinSet<()>) {
    clients.spawn(raw(Arc::clone(scene)));
    for connection in CONNECTIONS {
        clients.spawn(impatient(Arc::clone(scene), connection));
    }
    clients.spawn(streams(Arc::clone(scene)));
}

/// Over bare sockets: part of a request, or part of an answer.
async fn raw(scene: Arc<Scene>) {
    let mut dice = Dice(3);
    let body = floats(&(0..SAMPLES).map(|n| (n as f32 * 0.1).sin()).collect::<Vec<_>>());
    let head = format!(
        "POST /classify?diagnostics=full HTTP/1.1\r\nhost: x\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request = [head.as_bytes(), &body].concat();
    let mut turn = 0_u32;
    while scene.goes_on() {
        let Ok(mut socket) = TcpStream::connect(scene.address).await else {
            return scene.tally.problem("a connection was refused".to_owned());
        };
        // Every tenth goes on to the answer, which takes 200 windows of computing.
        let reads = turn.is_multiple_of(10);
        let sent = if reads { request.len() } else { dice.below(request.len() - 1) };
        // The server may already have refused the request and closed the connection.
        let _ = socket.write_all(&request[..sent]).await;
        if reads {
            let mut some = vec![0; 1 + dice.below(5000)];
            let _ = timeout(Duration::from_secs(5), socket.read_exact(&mut some)).await;
        }
        drop(socket);
        count(&scene.tally.hung_up);
        turn += 1;
        sleep(PAUSE).await;
    }
}

/// Requests of every form that are given up after a moment, before or during the answer.
async fn impatient(scene: Arc<Scene>, connection: Connection) {
    let mut dice = Dice(5);
    while scene.goes_on() {
        let client = scene.client(connection);
        // Several requests of one connection, of which some are answered.
        for _ in 0..4 {
            let form = &scene.forms[dice.below(scene.forms.len())];
            let ask = &form.asks[dice.below(form.asks.len())];
            let moment = Duration::from_micros(dice.below(8000) as u64);
            let is_given_up = match ask {
                Ask::Http(ask) if dice.below(2) == 0 => {
                    // Headers of the answer, and then no more.
                    drop(timeout(moment * 10, client.request(ask).send()).await);
                    true
                }
                Ask::Http(_) | Ask::Infer(_) | Ask::Classify(_) | Ask::Stream(_) => {
                    timeout(moment, client.send(ask)).await.is_err()
                }
            };
            if is_given_up {
                count(&scene.tally.hung_up);
            }
        }
        sleep(PAUSE).await;
    }
}

/// gRPC streams that end without an end.
async fn streams(scene: Arc<Scene>) {
    let mut dice = Dice(7);
    while scene.goes_on() {
        let client = scene.client(CONNECTIONS[dice.below(CONNECTIONS.len())]);
        let message = |message| ClassifyStreamRequest { message: Some(message) };
        let samples = Message::Samples(Samples { planar: vec![0.25; 1 + dice.below(6000)] });
        let messages = [message(Message::Start(StreamStart::default())), message(samples)];
        // It stays open for more.
        let messages = stream::iter(messages).chain(stream::pending());
        let mut classifier = ClassifierClient::new(client.channel());
        let some = async {
            let mut answers = classifier.classify_stream(messages).await.ok()?.into_inner();
            while answers.message().await.ok()?.is_some() {}
            Some(())
        };
        drop(timeout(Duration::from_millis(dice.below(60) as u64), some).await);
        count(&scene.tally.hung_up);
        sleep(PAUSE).await;
    }
}
