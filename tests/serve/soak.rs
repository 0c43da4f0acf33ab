//! Versions added, broken, swapped and removed under load: no request fails.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::JoinSet;

use crate::{
    harness::{self, Process, has_runtime, write_tiny},
    reload::{damage, replace},
    tiny,
};

const CLIENTS: usize = 32;

/// 15 s, or what `DRSN_SOAK_SECONDS` says.
fn time() -> Duration {
    let seconds = std::env::var("DRSN_SOAK_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

/// Sends requests in a closed loop until told to stop; each must be answered with 200.
async fn ask(url: String, stop: Arc<AtomicBool>, answered: Arc<AtomicUsize>) {
    let client = reqwest::Client::new();
    while !stop.load(Ordering::Relaxed) {
        let request =
            client.post(&url).header("content-type", "application/octet-stream").body(vec![0; 32]);
        let response = request.send().await.unwrap();
        let status = response.status();
        let body = response.text().await.unwrap();
        assert_eq!(status, 200, "{body}");
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_versions_are_added_broken_swapped_and_removed() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let flags = ["--model-control", "poll", "--poll-seconds", "1", "--default-model", "tiny"];
    let server = Process::start(models.path(), &flags);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask(server.url("/classify"), Arc::clone(&stop), Arc::clone(&answered)));
    }
    let repository = models.path().to_owned();
    let changes = tokio::task::spawn_blocking(move || {
        let begun = Instant::now();
        let mut version = 1;
        let pause = || std::thread::sleep(Duration::from_millis(350));
        while begun.elapsed() < time() {
            let (old, new) = (version, version + 1);
            let bundle = write_tiny(&repository, "tiny", &new.to_string(), tiny::signal_input(1));
            pause();
            damage(&bundle);
            pause();
            replace(&repository, &new.to_string(), &format!("class of {new}"));
            pause();
            damage(&write_tiny(&repository, "tiny", "1000", tiny::signal_input(1)));
            write_tiny(&repository, "other", &new.to_string(), tiny::image_input());
            pause();
            fs::remove_dir_all(repository.join("tiny/1000")).unwrap();
            fs::remove_dir_all(repository.join("other")).unwrap();
            pause();
            fs::remove_dir_all(repository.join("tiny").join(old.to_string())).unwrap();
            version = new;
        }
        version
    });
    let last = changes.await.unwrap();
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    assert!(answered.load(Ordering::Relaxed) > 1000, "{answered:?}");
    assert!(last > 4, "{last}");
    let ready = format!("drsn_model_ready{{model=\"tiny\",version=\"{last}\"}} 1");
    harness::eventually("the last version serves, and series of none before", async || {
        let text = reqwest::get(server.url("/metrics")).await.unwrap().text().await.unwrap();
        text.contains(&ready) && text.matches("drsn_model_ready{").count() == 1
    })
    .await;
}
