//! Containers as users run them: `docker compose up` on a real engine, and the tools that check its
//! files.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/skip.rs"]
mod skip;

mod command;
mod dashboard;
mod engine;
mod faults;
mod hardened;
mod images;
mod lint;
mod load;
mod monitoring;
mod plugins;
mod project;
mod replicas;
mod serving;
mod stop;
mod traces;

use engine::{Engine, say};
use images::Images;
use project::Project;

/// An engine. If this machine cannot run one, the test is skipped, or fails with
/// `REQUIRE_DOCKER=1`.
fn engine() -> Option<Engine> {
    match Engine::find() {
        Ok(engine) => Some(engine),
        Err(reason) => {
            let required = std::env::var_os("REQUIRE_DOCKER").is_some_and(|value| value == "1");
            assert!(!required, "REQUIRE_DOCKER=1, and no engine can run: {reason}");
            skip::skip(&reason);
            None
        }
    }
}

/// One test, because engine and image are set up once, and each step needs the state of the one
/// before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_compose_up_serves_is_watched_survives_and_leaves_nothing_behind() {
    let Some(engine) = engine() else { return };
    let images = Images::obtain(&engine).unwrap();
    let project = Project::new(&engine, &images);
    images::build(&mut project.compose(&[]));
    hardened::the_image_is_small_and_runs_without_any_privilege(&project).await;
    project.ask(&["up", "--detach", "--wait"]);
    say("docker compose up: every service is up");
    serving::a_digit_and_a_recording_are_classified(&project).await;
    monitoring::prometheus_sees_the_server_and_its_requests(&project).await;
    dashboard::every_panel_has_an_answer(&project).await;
    dashboard::grafana_shows_it(&project).await;
    faults::what_cannot_be_served_is_said_in_the_log(&project).await;
    faults::a_killed_server_comes_back(&project).await;
    replicas::the_balancer_hides_a_killed_replica(&project).await;
    stop::a_stop_under_load_loses_no_request_in_flight(&project).await;
    monitoring::the_alert_that_it_is_down_arrives(&project).await;
    project.down();
    engine.stop();
}
