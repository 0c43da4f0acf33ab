//! Kinds of hostile clients, each with variants that follow from a seed, and what a server must keep
//! to under all of them: its process lives, its memory stays bounded, probes and an honest client get
//! their answers in time.

mod connections;
mod documents;
mod grpc_messages;
mod held;
mod honest;
mod picture_files;
#[path = "../../../crates/drsn-bundle/tests/support/pictures.rs"]
#[expect(dead_code, reason = "the honest pictures are for the tests of drsn-bundle")]
mod pictures;
mod random;
mod recording_files;
mod send;
mod streams;
mod target;
mod trial;

use std::pin::Pin;

use random::Random;
use send::{Post, flood};
pub(crate) use target::{Target, connector};

type Attack = for<'a> fn(&'a Target, Random) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// A kind of hostile clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    attack: Attack,
}

/// A kind that sends requests made by `$generate`, whole and again and again.
macro_rules! requests {
    ($name:literal, $generate:path) => {
        Kind { name: $name, attack: |target, random| Box::pin(requests(target, random, $generate)) }
    };
}

/// A kind that is a way of sending.
macro_rules! manner {
    ($name:literal, $attack:path) => {
        Kind { name: $name, attack: |target, random| Box::pin($attack(target, random)) }
    };
}

/// All kinds.
pub(crate) const KINDS: [Kind; 16] = [
    requests!("gRPC messages that decode to much", grpc_messages::call),
    requests!("pictures costly to decode", picture_files::request),
    requests!("recordings at odd rates", recording_files::request),
    requests!("archives of many names", recording_files::archive),
    requests!("deep and huge JSON", documents::json),
    requests!("arrays of many axes", documents::array),
    requests!("forms without end", documents::form),
    manner!("bodies in single bytes", connections::bytewise),
    manner!("idle connections", connections::idle),
    manner!("slow readers of big answers", connections::slow_readers),
    manner!("streams begun and left", streams::begun),
    manner!("streams refused and reset", streams::resets),
    manner!("frames that mean nothing", streams::frames),
    manner!("calls that do not end", streams::unended),
    manner!("answers that are not read", streams::unread),
    manner!("watches without end", streams::watches),
];

/// Attacks the server with the variant of a kind that follows from `seed`, for the target's span.
/// All connections are closed when it returns.
pub(crate) async fn attack(kind: &Kind, seed: u64, target: &Target) {
    (kind.attack)(target, Random::new(seed)).await;
}

async fn requests(target: &Target, mut random: Random, generate: fn(&mut Random) -> Post) {
    let count = random.pick(&[1, 1, 3]);
    let first = generate(&mut random);
    let mut posts = vec![first];
    while posts.len() < count {
        let next = generate(&mut random);
        // Those of one connection go to one listener.
        if next.listener == posts[0].listener {
            posts.push(next);
        } else {
            break;
        }
    }
    let clients = random.pick(&[4, 8, 16, 32]);
    flood(target, &mut random, posts, clients).await;
}
