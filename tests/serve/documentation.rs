//! README and docs/: links resolve, lines are short, and lists are complete.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::CommandFactory as _;
use drsn_serve::config::Config;

use crate::{
    harness::{self, Server, has_runtime, json},
    tiny,
};

/// Longest line of a page, in characters; tables and links cannot be broken.
const LONGEST_LINE: usize = 120;
/// Longest README, in words: two screens.
const MOST_WORDS: usize = 900;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// What is in a folder.
fn contents(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The files below a folder.
fn below(folder: &str) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        let (deeper, found): (Vec<_>, Vec<_>) =
            contents(&folder).into_iter().partition(|path| path.is_dir());
        folders.extend(deeper);
        files.extend(found);
    }
    files
}

fn ends_with(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension == ending)
}

/// Every page: those in the root, and all below docs/.
fn pages() -> Vec<PathBuf> {
    let files = contents(root()).into_iter().chain(below("docs"));
    files.filter(|path| ends_with(path, "md")).collect()
}

/// The lines of a page that are not code.
fn prose(page: &str) -> String {
    let mut is_code = false;
    let lines = page.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The anchors of a page's headings, as GitHub names them.
fn anchors(page: &str) -> Vec<String> {
    let heading = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        words
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    prose(page).lines().filter(|line| line.starts_with('#')).map(heading).collect()
}

#[test]
fn every_notice_is_explained() {
    let page = read("docs/api.md");
    for code in drsn_recording::NoticeCode::ALL {
        assert!(page.contains(&format!("`{code}`")), "{code}");
    }
    let formats = read("docs/data.md");
    for format in drsn_recording::RecordingFormat::ALL {
        for extension in format.extensions() {
            assert!(formats.contains(&format!("`.{extension}`")), ".{extension}");
        }
    }
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_are_there() {
    let pages = pages();
    assert!(pages.len() > 30, "{} pages", pages.len());
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let prose = prose(&text);
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        for target in targets.filter(|target| !target.starts_with("http")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let place = if file.is_empty() { page.clone() } else { page.with_file_name(file) };
            assert!(place.exists(), "{}: {target} is not there", page.display());
            if !anchor.is_empty() {
                let known = anchors(&fs::read_to_string(place).unwrap());
                assert!(known.iter().any(|a| a == anchor), "{}: no {target}", page.display());
            }
        }
    }
}

#[test]
fn every_page_that_the_code_names_is_there() {
    let sources =
        ["src", "crates", "tests", "xtask", "docker", "deploy"].into_iter().flat_map(below);
    let is_source =
        |path: &PathBuf| ["rs", "yaml", "yml", "toml"].iter().any(|e| ends_with(path, e));
    let mut count = 0;
    for path in sources.filter(is_source) {
        let text = fs::read_to_string(&path).unwrap();
        for (start, _) in text.match_indices("docs/") {
            let is_part = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
            let name = &text[start..];
            let name = &name[..name.find(|c| !is_part(c)).unwrap_or(name.len())];
            if let Some((stem, _)) = name.split_once(".md") {
                let page = root().join(format!("{stem}.md"));
                assert!(page.exists(), "{} names {stem}.md", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count} names found");
}

#[test]
fn lines_are_short_and_the_readme_is_read_in_two_screens() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('|')) {
            let length = line.chars().count();
            assert!(length <= LONGEST_LINE, "{}: {length} characters: {line}", page.display());
        }
    }
    let words = read("README.md").split_whitespace().count();
    assert!(words < MOST_WORDS, "README has {words} words");
}

#[test]
fn every_setting_is_in_the_page_on_operations() {
    let page = read("docs/operations.md");
    let command = Config::command();
    let flags = command.get_arguments().filter_map(|argument| argument.get_long());
    for flag in flags.filter(|flag| !["help", "version"].contains(flag)) {
        assert!(page.contains(&format!("`--{flag}`")), "docs/operations.md lacks --{flag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_and_every_error_code_of_a_server_is_in_the_pages() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Server::start(models.path(), &[]).await;
    let metrics = server.get("/metrics").await.text().await.unwrap();
    let names: Vec<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    assert!(names.len() > 15, "{metrics}");
    let page = read("docs/operations.md");
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/operations.md lacks {name}");
    }
    let document = json(server.get("/openapi.json").await).await;
    let page = read("docs/api.md");
    let responses = document["components"]["responses"].as_object().unwrap();
    assert!(responses.len() > 10);
    for response in responses.values() {
        let description = response["description"].as_str().unwrap();
        let (_, codes) = description.split_once("`code`: ").unwrap();
        for code in codes.trim_end_matches('.').split(", ") {
            assert!(page.contains(&format!("| `{code}` |")), "docs/api.md lacks {code}");
        }
    }
    server.stop().await;
}
