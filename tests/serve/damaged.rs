//! Damaged files of every format, alone and as parts: each is answered or refused, and the server
//! still answers.

use std::{fs, path::PathBuf};

use crate::{
    harness::{self, Server, has_runtime},
    tiny,
};

/// Pseudo-random numbers, always the same.
pub(crate) struct Dice(pub(crate) u32);

impl Dice {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % limit
    }

    /// Changes a few bytes, most of them near the beginning, and sometimes truncates the file.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let near = bytes.len().min(if self.below(3) > 0 { 200 } else { usize::MAX });
            let place = self.below(near);
            bytes[place] = [0, 1, 0x7f, 0xff, self.below(256) as u8][self.below(5)];
        }
        if self.below(4) == 0 {
            bytes.truncate(self.below(bytes.len()));
        }
    }
}

/// Small files of every format, with their media types.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates");
    let file = |name: &str| fs::read(crates.join(name)).unwrap();
    let mut files = Vec::new();
    for (content_type, names) in [
        ("audio/wav", &["sox_16.wav", "sox_pipe.wav", "wavex_double.wav", "wav_pcm_24.wav"][..]),
        ("text/csv", &["comma.csv", "german.csv"]),
        ("application/x-npy", &["three.npy", "fortran.npy", "deflated.npz"]),
        ("application/x-matlab-data", &["tall.mat", "all_compressed.mat"]),
    ] {
        let recording = |name| file(&format!("drsn-recording/tests/recordings/{name}"));
        files.extend(names.iter().map(|name| (content_type, recording(name))));
    }
    files.push(("image/png", file("drsn-bundle/tests/data/rgba.png")));
    files.push(("image/jpeg", file("drsn-bundle/tests/data/photo.jpg")));
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_body_is_answered_or_refused_and_leaves_nothing_behind() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("signal", tiny::signal_input(1)), ("image", tiny::image_input())]);
    let server = Server::start(models.path(), &["--max-inflight-bytes", "20000000"]).await;
    let (mut dice, files) = (Dice(1), files());
    let mut answered = 0;
    for round in 0..600 {
        let (content_type, mut body) = files[dice.below(files.len())].clone();
        let query =
            ["", "&channel=0", "&channel=0&overlap=0.9", "&variable=DE_time"][dice.below(4)];
        let content_type = match dice.below(4) {
            // Parts of a body that is itself damaged.
            0 => {
                let head = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";
                body = [head.as_bytes(), &body, b"\r\n--b--\r\n"].concat();
                "multipart/form-data; boundary=b"
            }
            1 => files[dice.below(files.len())].0,
            _ => content_type,
        };
        if round > 0 {
            dice.damage(&mut body);
        }
        let model = if content_type.starts_with("image") { "image" } else { "signal" };
        let path = format!("/classify?model={model}{query}");
        let response = server.post(&path, content_type, body).await;
        let status = response.status().as_u16();
        let answer = harness::json(response).await;
        answered += u32::from(status == 200);
        assert!([200, 400, 413].contains(&status), "round {round}, {content_type}: {answer}");
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(detail.len() < 2000, "{detail}");
        assert!(!detail.contains("panicked") && !detail.contains(".rs"), "{detail}");
    }
    assert!(answered > 30, "{answered} of 600 were answered: nothing is tested of those");
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}
