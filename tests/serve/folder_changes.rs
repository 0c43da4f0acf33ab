//! Whatever happens to the folder of models while it is scanned, the server keeps answering.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    damaged::Dice,
    harness::{self, Process, Server, eventually, has_runtime, write_tiny},
    reload::damage,
    tiny,
};

const POLL: [&str; 8] = [
    "--model-control",
    "poll",
    "--poll-seconds",
    "1",
    "--load-timeout-ms",
    "2000",
    "--linger-ms",
    "0",
];

fn remove(path: &Path) {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let _ = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Whether a file can be read and written without end or waiting.
fn is_plain(path: &Path) -> bool {
    let is_below_link = path.ancestors().skip(1).take(2).any(Path::is_symlink);
    !is_below_link && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// One change of the model `tiny`, or of the folder itself. Changes that are impossible just now
/// change nothing.
fn change(dice: &mut Dice, folder: &Path) -> &'static str {
    let model = folder.join("tiny");
    let version = model.join((1 + dice.below(4)).to_string());
    let file = version.join(["manifest.json", "model.onnx", "golden.json"][dice.below(3)]);
    let away = folder.with_extension("away");
    match dice.below(13) {
        0 => {
            remove(&version);
            "a version is removed"
        }
        1 => {
            let _ = fs::rename(&version, model.join((1 + dice.below(4)).to_string()));
            "a version is renamed"
        }
        2 => {
            remove(&version);
            let _ = fs::write(&version, "");
            "a version is a file"
        }
        3 => {
            remove(&version);
            let _ = symlink(&version, &version);
            "a version is a link to itself"
        }
        4 => {
            if is_plain(&version.join("model.onnx")) {
                damage(&version);
            }
            "a model is damaged"
        }
        5 => {
            if is_plain(&file) {
                fs::write(&file, "{\"format\": 1").unwrap();
            }
            "a file is cut"
        }
        6 => {
            remove(&file);
            "a file is missing"
        }
        7 => {
            remove(&file);
            let _ = symlink("/dev/zero", &file);
            "a file is endless"
        }
        8 => {
            remove(&file);
            let _ = Command::new("mkfifo").arg(&file).stderr(std::process::Stdio::null()).status();
            "a file is a pipe"
        }
        9 => {
            remove(&model);
            "the model is removed"
        }
        10 => {
            fs::rename(folder, &away).unwrap();
            std::thread::sleep(Duration::from_millis(dice.below(600) as u64));
            fs::rename(&away, folder).unwrap();
            "the folder of models is away for a moment"
        }
        number => {
            let text = version.file_name().unwrap().to_str().unwrap().to_owned();
            remove(&version);
            if number == 11 {
                let _ = fs::create_dir_all(&version);
                "a version is empty"
            } else {
                remove(&model.join("x"));
                fs::create_dir_all(&model).unwrap();
                write_tiny(folder, "tiny", &text, tiny::signal_input(1));
                "a good version is written"
            }
        }
    }
}

async fn classify(server: &Process, model: &str) -> u16 {
    let request = reqwest::Client::new()
        .post(server.url(&format!("/models/{model}/classify")))
        .header("content-type", "application/octet-stream")
        .body(vec![0; 32]);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_folder_changes_in_every_way_during_scans_keeps_answering() {
    if !has_runtime() {
        return;
    }
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("models");
    fs::create_dir(&folder).unwrap();
    for model in ["tiny", "steady"] {
        write_tiny(&folder, model, "1", tiny::signal_input(1));
    }
    let mut server = Process::start(&folder, &POLL);
    let mut dice = Dice(7);
    let mut told = Vec::new();
    for round in 0..60 {
        server.signal("-HUP");
        // The scan that the signal begins meets the change at any moment.
        tokio::time::sleep(Duration::from_millis(dice.below(120) as u64)).await;
        told.push(change(&mut dice, &folder));
        // What did not change answers; the other is served, gone or not ready, and never broken.
        assert_eq!(classify(&server, "steady").await, 200, "round {round}: {told:?}");
        let status = classify(&server, "tiny").await;
        assert!([200, 404, 503].contains(&status), "round {round}, {status}: {told:?}");
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 13, "every change happened: {told:?}");
    remove(&folder.join("tiny"));
    write_tiny(&folder, "tiny", "100", tiny::signal_input(1));
    server.signal("-HUP");
    eventually("the new version serves", async || {
        let shown = reqwest::get(server.url("/models/tiny")).await.unwrap();
        harness::json(shown).await["version"] == "100"
    })
    .await;
    server.signal("-TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_models_that_is_gone_leaves_what_is_served_and_a_missing_version_does_not() {
    if !has_runtime() {
        return;
    }
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("models");
    fs::create_dir(&folder).unwrap();
    write_tiny(&folder, "tiny", "1", tiny::signal_input(1));
    let server = Process::start(&folder, &POLL);
    fs::rename(&folder, above.path().join("away")).unwrap();
    server.signal("-HUP");
    let log = server.lines_for(Duration::from_millis(2500));
    let said = log.iter().filter(|line| {
        let message = line["message"].as_str().unwrap();
        message.contains("cannot read the folder of models") && message.ends_with("models stay")
    });
    // Once, although the folder was scanned several times.
    assert_eq!(said.count(), 1, "{log:?}");
    assert_eq!(classify(&server, "tiny").await, 200);
    fs::rename(above.path().join("away"), &folder).unwrap();
    fs::remove_dir_all(folder.join("tiny/1")).unwrap();
    eventually("it is unloaded", async || classify(&server, "tiny").await == 404).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_far_too_many_versions_is_refused_soon_and_in_little_memory() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Process::start(folder.path(), &POLL);
    let resident = || -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let before = resident();
    for number in 2..=100_000 {
        fs::create_dir(folder.path().join(format!("tiny/{number}"))).unwrap();
    }
    let asked = Instant::now();
    server.signal("-HUP");
    let refused = loop {
        let line = server.lines_for(Duration::from_millis(100));
        let said = line.iter().filter_map(|line| line["message"].as_str());
        if let Some(said) = said.into_iter().find(|said| said.contains("entries")) {
            break said.to_owned();
        }
        // A scan that began before the last folders were written found fewer.
        assert!(asked.elapsed() < Duration::from_secs(20));
    };
    assert!(refused.contains("have more than 20000 entries"), "{refused}");
    assert_eq!(classify(&server, "tiny").await, 200);
    assert!(resident() < before + 50_000, "{before} KiB became {} KiB", resident());
    for number in 2..=100_000 {
        fs::remove_dir(folder.path().join(format!("tiny/{number}"))).unwrap();
    }
    write_tiny(folder.path(), "tiny", "2", tiny::signal_input(1));
    eventually("version 2 serves", async || {
        let shown = reqwest::get(server.url("/models/tiny")).await.unwrap();
        harness::json(shown).await["version"] == "2"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_circles_and_endless_files_are_refused_and_the_rest_is_served() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let link = |to: &str, at: &str| symlink(to, folder.path().join(at)).unwrap();
    link("circle", "circle");
    link("..", "tiny/2");
    link("3", "tiny/3");
    for (model, file) in [("a", "manifest.json"), ("b", "model.onnx"), ("c", "golden.json")] {
        let bundle = write_tiny(folder.path(), model, "1", tiny::signal_input(1));
        fs::remove_file(bundle.join(file)).unwrap();
        symlink("/dev/zero", bundle.join(file)).unwrap();
    }
    let mut deep = PathBuf::from("deep");
    for _ in 0..100 {
        deep.push("1");
    }
    fs::create_dir_all(folder.path().join(deep)).unwrap();
    let server = Server::start(folder.path(), &POLL[..6]).await;
    for model in ["a", "b", "c", "deep"] {
        let state = async || {
            let shown = harness::json(server.get(&format!("/models/{model}")).await).await;
            (shown["state"].clone(), shown["reason"].as_str().is_some_and(|r| !r.is_empty()))
        };
        let refused = async || state().await == ("unavailable".into(), true);
        eventually("it is refused with a reason", refused).await;
    }
    let shown = harness::json(server.get("/models/tiny").await).await;
    assert_eq!(shown["version"], "1");
    server.stop().await;
}
