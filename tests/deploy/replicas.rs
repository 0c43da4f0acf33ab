//! Three servers behind a real HAProxy, under load: one is killed, one is added, one drains.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use crate::{
    balancer::{Balancer, Logged, NOTICE},
    harness::{Process, has_runtime},
    load::{Attempt, Failure, Load, Tally},
    tools::project,
};

const CLIENTS: usize = 16;
/// How long draining servers still answer new requests: longer than HAProxy needs to notice.
const LINGER: Duration = Duration::from_secs(3);
/// Time between two events.
const WHILE: Duration = Duration::from_secs(4);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_balancer_only_requests_on_a_killed_server_fail_and_one_retry_saves_them() {
    if !has_runtime() {
        return;
    }
    assert!(NOTICE < LINGER);
    let [mut killed, mut drained, kept] = std::array::from_fn(|_| server());
    let servers =
        [("killed", killed.address), ("drained", drained.address), ("kept", kept.address)];
    let Some(balancer) = Balancer::start(&servers, "added") else { return };
    let picture = fs::read(project().join("tests/data/seven.png")).unwrap();
    let load = Load::start(CLIENTS, balancer.address, &picture);
    tokio::time::sleep(WHILE).await;

    // Child::kill is SIGKILL. From `dead` on its sockets are closed: nothing can be in flight
    // there.
    let before = Instant::now();
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let dead = Instant::now();
    balancer.wait_until("killed", "DOWN");
    tokio::time::sleep(WHILE).await;

    let added = server();
    balancer.add("added", added.address);
    tokio::time::sleep(WHILE).await;

    let draining = Instant::now();
    drained.signal("-TERM");
    balancer.wait_until("drained", "DOWN");
    let noticed = draining.elapsed();
    let code = tokio::task::block_in_place(|| drained.child.wait()).unwrap().code();
    assert_eq!(code, Some(0));
    let answered = load.answered();
    tokio::time::sleep(WHILE).await;
    assert!(load.answered() > answered, "the others go on");
    let tally = load.stop().await;

    only_what_was_in_flight_failed(&tally, before, dead);
    let given = counts_agree(&tally, &balancer, [("kept", &kept), ("added", &added)]).await;
    assert!(noticed < LINGER, "HAProxy took {noticed:?} to notice the drain");
    assert!(
        balancer.log().contains("replicas/drained is DOWN, reason: Layer7 wrong status, code: 503")
    );
    eprintln!(
        "{} requests, {given:?}; on the killed server failed {} of clients that ask once and {} of clients that asked \
         again; HAProxy noticed the drain after {noticed:?}",
        tally.sent,
        tally.failed(Attempt::Only),
        tally.failed(Attempt::First),
    );
}

/// Requests on the killed server: begun before it was dead, and not ended before it was killed.
fn only_what_was_in_flight_failed(tally: &Tally, before: Instant, dead: Instant) {
    let was_there = |failure: &&Failure| failure.started <= dead && failure.ended >= before;
    let others: Vec<_> = tally.failures.iter().filter(|failure| !was_there(failure)).collect();
    assert!(others.is_empty(), "requests failed that were not on the killed server: {others:?}");
    assert!(!tally.failures.is_empty(), "nothing was in flight on the killed server");
    let lost = tally.failed(Attempt::Second);
    assert_eq!(lost, 0, "a client that asks twice always gets its answer: {tally:?}");
}

/// Clients, HAProxy and the remaining servers count the same; returns the number of requests of
/// each server.
async fn counts_agree(
    tally: &Tally,
    balancer: &Balancer,
    left: [(&str, &Process); 2],
) -> BTreeMap<String, usize> {
    assert_eq!(tally.sent, tally.answered + tally.failures.len());
    // If the server of a kept connection is gone, HAProxy only closes the connection and logs
    // nothing.
    let closed = tally.failures.iter().filter(|failure| failure.status.is_none()).count();
    let (given, failed) = by_server(&balancer.requests(tally.sent - closed));
    assert_eq!(tally.sent, given.values().sum::<usize>() + closed);
    assert!(failed.keys().all(|name| name == "killed"), "{failed:?}");
    assert!(["killed", "drained", "kept", "added"].iter().all(|name| given.contains_key(*name)));
    for (name, server) in left {
        assert_eq!(counted(server).await, given[name], "the server {name} counts as HAProxy does");
    }
    given
}

fn server() -> Process {
    let linger = LINGER.as_millis().to_string();
    Process::start(&project().join("models"), &["--default-model", "mnist", "--linger-ms", &linger])
}

/// Requests, and failed requests, by the server that HAProxy chose.
fn by_server(requests: &[Logged]) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let (mut given, mut failed) = (BTreeMap::new(), BTreeMap::new());
    for request in requests {
        if request.status != 200 {
            *failed.entry(request.server.clone()).or_default() += 1;
        }
        *given.entry(request.server.clone()).or_default() += 1;
    }
    (given, failed)
}

/// Requests that a server counts as answered.
async fn counted(server: &Process) -> usize {
    let metrics = reqwest::get(server.url("/metrics")).await.unwrap().text().await.unwrap();
    let is_counter =
        |line: &&str| line.starts_with("drsn_requests_total{") && line.contains("model=\"mnist\"");
    let values = metrics.lines().filter(is_counter).filter_map(|line| line.rsplit(' ').next());
    values.map(|value| value.parse::<usize>().unwrap()).sum()
}
