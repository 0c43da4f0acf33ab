//! The files of the page. They are part of the program, compressed once, at the first request.

use std::{collections::BTreeMap, io::Write as _, sync::LazyLock};

use axum::http::HeaderValue;
use flate2::{Compression, write::GzEncoder};
use hyper::body::Bytes;
use sha2::{Digest as _, Sha256};

use super::FILES;

/// Pairs of a name and a text, of files in `page/`.
macro_rules! texts {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("page/", $name)))),*]
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The page. `{files}` stands for where its files are, `{modules}` for links that load them at once.
const PAGE: &str = include_str!("page/index.html");

static TEXTS: &[(&str, &str)] = &texts![
    "answer.js",
    "api.js",
    "bands.js",
    "baseline.js",
    "causes.js",
    "chart.js",
    "confusion.js",
    "console.css",
    "dom.js",
    "export.js",
    "fft.js",
    "format.js",
    "heatmap.js",
    "icon.svg",
    "inputs.js",
    "key.js",
    "main.js",
    "many.js",
    "metrics.js",
    "microphone.js",
    "operate.js",
    "options.js",
    "pad.js",
    "palette.js",
    "perturb.js",
    "picture.js",
    "problem.js",
    "pyramid.js",
    "recorder-worklet.js",
    "recording-view.js",
    "segments.js",
    "shift-plot.js",
    "snippets.js",
    "sources.js",
    "spectrogram.js",
    "table.js",
    "thumbnail.js",
    "timeline.js",
    "tint.js",
    "try.js",
    "usual.js",
    "wav.js",
    "waveform.js",
    "whatif.js",
];

pub(super) static SITE: LazyLock<Site> = LazyLock::new(Site::new);

/// The page and its files.
pub(super) struct Site {
    /// Tells versions of the page apart.
    pub(super) tag: HeaderValue,
    pub(super) page: Asset,
    hash: String,
    files: BTreeMap<&'static str, Asset>,
}

/// A file, as it is and compressed.
pub(super) struct Asset {
    pub(super) content_type: &'static str,
    pub(super) plain: Bytes,
    pub(super) packed: Bytes,
}

impl Site {
    fn new() -> Self {
        let hash = hash();
        let files = TEXTS.iter().map(|&(name, text)| (name, Asset::new(content_type(name), text)));
        Self {
            tag: HeaderValue::try_from(format!("\"{hash}\""))
                .unwrap_or(HeaderValue::from_static("\"\"")),
            page: Asset::new("text/html; charset=utf-8", &page(&hash)),
            files: files.collect(),
            hash,
        }
    }

    /// The file of a name, if the hash is that of this version.
    pub(super) fn file(&self, hash: &str, name: &str) -> Option<&Asset> {
        self.files.get(name).filter(|_| hash == self.hash)
    }
}

impl Asset {
    fn new(content_type: &'static str, text: &str) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        Self {
            content_type,
            plain: Bytes::copy_from_slice(text.as_bytes()),
            packed: written.unwrap_or_default().into(),
        }
    }
}

/// A hash of the page and all its files.
fn hash() -> String {
    let mut hasher = Sha256::new();
    for (name, text) in [("", PAGE)].iter().chain(TEXTS) {
        hasher.update(name);
        hasher.update([0]);
        hasher.update(text);
    }
    let beginning = hasher.finalize().first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(beginning))
}

fn page(hash: &str) -> String {
    let folder = format!("{FILES}{hash}");
    let modules = TEXTS.iter().map(|&(name, _)| name).filter(|name| is_module(name));
    let links =
        modules.map(|name| format!("<link rel=\"modulepreload\" href=\"{folder}/{name}\">"));
    let links = links.collect::<Vec<_>>().join("\n");
    PAGE.replace("{modules}", &links).replace("{files}", &folder)
}

/// Whether a file is a module of the page; one for the audio thread is loaded when it is needed.
fn is_module(name: &str) -> bool {
    content_type(name) == SCRIPT && !name.contains("-worklet.")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("js") => SCRIPT,
        Some("css") => "text/css; charset=utf-8",
        _ => "image/svg+xml",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_file_beside_the_page_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/http/console/page");
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let there: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
        let others = ["index.html", "package.json"].map(str::to_owned);
        let served = TEXTS.iter().map(|&(name, _)| name.to_owned()).chain(others);
        assert_eq!(served.collect::<BTreeSet<_>>(), there);
    }

    #[test]
    fn page_and_scripts_are_small() {
        let all = SITE.files.values().chain([&SITE.page]);
        let bytes: usize = all.map(|asset| asset.packed.len()).sum();
        assert!(bytes < 150_000, "{bytes} bytes compressed");
    }
}
