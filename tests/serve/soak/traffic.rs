//! Clients that keep asking, and compare every answer with its reference.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{task::JoinSet, time::sleep};

use super::{
    asks::{Ask, Form, HttpAsk, SAME_SIGNAL},
    client::{CONNECTIONS, Client, Connection, Reply},
    compare::difference,
    tally::{Tally, count},
};
use crate::{
    harness::Process,
    hostile::{FLOATS, floats},
    tiny,
};

/// Requests at once, twice a second: more than the queue has places for.
const BURST: usize = 48;
/// Refusals of one request before it counts as lost.
const MOST_REPEATS: usize = 60;

/// What all clients share.
pub(super) struct Scene {
    pub(super) address: SocketAddr,
    pub(super) grpc: SocketAddr,
    /// Of the server.
    pub(super) process: u32,
    pub(super) forms: Vec<Form>,
    /// The answers of a quiet server, by form and input.
    pub(super) references: Vec<Vec<Value>>,
    pub(super) tally: Tally,
    pub(super) stop: AtomicBool,
}

impl Scene {
    pub(super) fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn client(&self, connection: Connection) -> Client {
        Client::new(self.address, self.grpc, connection)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// The predictions without what was taken of a file, which raw numbers are not.
fn without_reading(answer: &Value) -> Value {
    let mut predictions = answer["predictions"].clone();
    for prediction in predictions.as_array_mut().into_iter().flatten() {
        if let Some(fields) = prediction.as_object_mut() {
            fields.remove("input");
            fields.remove("notices");
        }
    }
    predictions
}

/// Asks a quiet server everything, one request after the other.
pub(super) async fn references(server: &Process, forms: &[Form]) -> Vec<Vec<Value>> {
    let client = Client::new(server.address, server.grpc, Connection::KeptAlive);
    let mut references = Vec::new();
    for form in forms {
        let mut answers = Vec::new();
        for ask in &form.asks {
            match client.send(ask).await {
                Reply::Answer(answer) => answers.push(answer),
                Reply::Later(pause) => panic!("{}: refused for {pause:?}", form.name),
                Reply::Refused(what) | Reply::Lost(what) => panic!("{}: {what}", form.name),
            }
        }
        references.push(answers);
    }
    let of = |name: &str| forms.iter().position(|form| form.name == name).unwrap();
    let first = &references[of(SAME_SIGNAL[0])];
    for name in SAME_SIGNAL {
        for (found, expected) in references[of(name)].iter().zip(first) {
            let [found, expected] = [found, expected].map(without_reading);
            let differs = difference(&found, &expected);
            assert_eq!(differs, None, "{name} and {}", SAME_SIGNAL[0]);
        }
    }
    references
}

/// Sends one request until it is answered, as the API says, and judges the answer.
async fn judge(scene: &Scene, client: &Client, form: usize, input: usize) {
    let ask = &scene.forms[form].asks[input];
    let wanted = |answer: &Value| difference(answer, &scene.references[form][input]);
    judge_by(scene, client, form, ask, wanted).await;
}

async fn judge_by(
    scene: &Scene,
    client: &Client,
    form: usize,
    ask: &Ask,
    difference: impl Fn(&Value) -> Option<String>,
) {
    for _ in 0..MOST_REPEATS {
        match client.send(ask).await {
            Reply::Answer(answer) => {
                match difference(&answer) {
                    None => count(&scene.tally.forms[form].answered),
                    Some(what) => scene.tally.wrong(form, &what),
                }
                return;
            }
            Reply::Later(pause) => {
                count(&scene.tally.forms[form].repeated);
                sleep(pause).await;
            }
            Reply::Refused(what) => return scene.tally.wrong(form, &what),
            Reply::Lost(what) => return scene.tally.lost(form, &what),
        }
    }
    scene.tally.lost(form, "it was refused again and again");
}

/// Starts clients of every form, on every kind of connection.
pub(super) fn start(scene: &Arc<Scene>, clients: &mut JoinSet<()>) {
    for form in 0..scene.forms.len() {
        for (number, connection) in CONNECTIONS.into_iter().enumerate() {
            clients.spawn(keep_asking(Arc::clone(scene), form, number, connection));
        }
    }
    clients.spawn(bursts(Arc::clone(scene)));
    for connection in CONNECTIONS {
        clients.spawn(by_definition(Arc::clone(scene), connection));
    }
}

async fn keep_asking(scene: Arc<Scene>, form: usize, number: usize, connection: Connection) {
    let client = scene.client(connection);
    let inputs = scene.forms[form].asks.len();
    let mut turn = number * inputs / CONNECTIONS.len();
    while scene.goes_on() {
        judge(&scene, &client, form, turn % inputs).await;
        turn += 1;
        // Pauses of different lengths, for batches of different sizes.
        sleep(Duration::from_millis((turn * 7 % 20) as u64)).await;
    }
}

async fn bursts(scene: Arc<Scene>) {
    let client = Arc::new(scene.client(Connection::KeptAlive));
    while scene.goes_on() {
        let mut burst = JoinSet::new();
        for input in 0..BURST {
            let (scene, client) = (Arc::clone(&scene), Arc::clone(&client));
            let input = input % scene.forms[0].asks.len();
            burst.spawn(async move { judge(&scene, &client, 0, input).await });
        }
        burst.join_all().await;
        sleep(Duration::from_millis(500)).await;
    }
}

/// Asks the model whose labels change all the time, and compares with its definition.
async fn by_definition(scene: Arc<Scene>, connection: Connection) {
    let client = scene.client(connection);
    // The last line of the tally, after the forms.
    let form = scene.forms.len();
    let mut turn = 0_usize;
    while scene.goes_on() {
        let samples: [f32; 8] = std::array::from_fn(|n| ((turn + n * n) as f32).sin());
        let expected = tiny::answer(&samples).probabilities;
        let ask = Ask::Http(HttpAsk {
            path: "/models/tiny/classify",
            headers: vec![("content-type", FLOATS.to_owned())],
            body: Some(floats(&samples).into()),
            chunked: false,
        });
        judge_by(&scene, &client, form, &ask, |answer| off_definition(answer, expected)).await;
        turn += 1;
        sleep(Duration::from_millis(3)).await;
    }
}

fn off_definition(answer: &Value, expected: [f32; 2]) -> Option<String> {
    let classes = answer["predictions"][0]["probabilities"].as_array()?;
    let is_right = classes.len() == 2
        && classes.iter().all(|class| {
            let index = class["class_index"].as_u64().unwrap_or(0) as usize;
            let found = class["probability"].as_f64().unwrap_or(f64::NAN);
            (found - f64::from(expected[index.min(1)])).abs() < 1e-5
        });
    (!is_right).then(|| format!("{answer} is not {expected:?}"))
}
