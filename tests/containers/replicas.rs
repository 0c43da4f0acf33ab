//! Three replicas behind `HAProxy`, in containers.

use std::time::{Duration, SystemTime};

use crate::{
    engine::say,
    faults::kill,
    load::Load,
    monitoring::becomes,
    project::{Project, eventually},
    serving::classify_digit,
};

/// Step of the test: one of three is killed under load, and clients that retry a request once lose
/// none.
pub(crate) async fn the_balancer_hides_a_killed_replica(project: &Project<'_>) {
    project.ask(&["--profile=replicas", "up", "--detach", "--wait"]);
    becomes(project, r#"sum(up{job="drsn-replica"})"#, 3.0).await;
    let ready = r#"sum(haproxy_server_status{job="haproxy",proxy="replicas",state="UP"})"#;
    becomes(project, ready, 3.0).await;
    eventually("HAProxy answers", || classify_digit(project, "HAPROXY_PORT")).await;

    let load = Load::start(&project.url("HAPROXY_PORT", "/classify"), 1, false);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let replicas = project.container("drsn-replica");
    kill(project, replicas.lines().next().unwrap());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let outcome = load.finish().await;
    let lost = outcome.lost_before(SystemTime::now());
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(outcome.answered > 100, "{} answers are no load", outcome.answered);
    becomes(project, ready, 3.0).await;
    say(&format!(
        "one of three replicas was killed under load: {} answers, none lost",
        outcome.answered
    ));
    project.ask(&["--profile=replicas", "rm", "--stop", "--force", "haproxy", "drsn-replica"]);
}
