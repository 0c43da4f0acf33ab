//! Which files of a crate use which, read from the paths in their code. Tests are left out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// One file that uses another; both relative to the crate's `src/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    /// The path in the code that leads there.
    pub(super) path: String,
}

/// The arrows among the files below `src`.
pub(super) fn arrows(src: &Path) -> Result<Vec<Arrow>> {
    let mut files = Vec::new();
    list(src, &mut files)?;
    let mut code = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(src)?.to_string_lossy().into_owned();
        if !relative.ends_with("tests.rs") && relative != "main.rs" {
            let text = fs::read_to_string(&file).with_context(|| relative.clone())?;
            code.insert(relative, text);
        }
    }
    Ok(between(&code))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// The arrows among files that are given with their code.
pub(super) fn between(code: &BTreeMap<String, String>) -> Vec<Arrow> {
    let modules: BTreeMap<Vec<String>, &String> =
        code.keys().map(|file| (module(file), file)).collect();
    let mut arrows: Vec<Arrow> = Vec::new();
    for (file, text) in code {
        for path in paths(&tokens(&without_tests(text)), &module(file)) {
            let target = (0..=path.len()).rev().find_map(|length| modules.get(&path[..length]));
            if let Some(&to) = target
                && to != file
                && !arrows.iter().any(|arrow| arrow.from == *file && arrow.to == *to)
            {
                let path = path.join("::");
                arrows.push(Arrow { from: file.clone(), to: to.clone(), path });
            }
        }
    }
    arrows
}

/// The module of a file, as `[api, http]` of `api/http/mod.rs`.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("mod").map_or(path, |folder| folder.trim_end_matches('/'));
    let names = path.split('/').filter(|name| !name.is_empty() && *name != "lib");
    names.map(str::to_owned).collect()
}

/// The code without comments, texts, and the modules and uses that only tests have.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut depth_of_tests: Option<usize> = None;
    let (mut depth, mut is_test) = (0_usize, false);
    for line in text.lines() {
        let line = without_comment(line);
        let trimmed = line.trim();
        if trimmed == "#[cfg(test)]" {
            is_test = true;
            continue;
        }
        let opened = line.matches('{').count();
        let closed = line.matches('}').count();
        if is_test && depth_of_tests.is_none() {
            is_test = false;
            if opened > closed {
                depth_of_tests = Some(depth);
            }
        } else if depth_of_tests.is_none() {
            code.push_str(&line);
            code.push('\n');
        }
        depth = (depth + opened).saturating_sub(closed);
        if depth_of_tests.is_some_and(|outside| depth <= outside) {
            depth_of_tests = None;
        }
    }
    code
}

/// A line without its texts and without the comment at its end.
fn without_comment(line: &str) -> String {
    let mut code = String::new();
    let mut rest = line.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '/' if rest.peek() == Some(&'/') => break,
            '"' => {
                while let Some(inner) = rest.next() {
                    match inner {
                        '\\' => {
                            rest.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
            }
            _ => code.push(letter),
        }
    }
    // Braces as characters are no blocks.
    code.replace("'{'", "").replace("'}'", "")
}

/// Words, `::` and other marks.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut letters = code.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_alphanumeric() || letter == '_' {
            word.push(letter);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if letter == ':' && letters.peek() == Some(&':') {
            letters.next();
            tokens.push("::".to_owned());
        } else if !letter.is_whitespace() {
            tokens.push(letter.to_string());
        }
    }
    tokens
}

/// Every path that begins with `crate`, `super` or `self`, from the crate's root on.
fn paths(tokens: &[String], own: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = matches!(tokens[at].as_str(), "crate" | "super" | "self");
        let follows = tokens.get(at + 1).is_some_and(|next| next == "::");
        let inside = at > 0 && tokens[at - 1] == "::";
        if begins && follows && !inside {
            at = tree(tokens, at, &[], own, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one tree of a `use`, or one path, from `at` on; returns where it ends.
fn tree(
    tokens: &[String],
    mut at: usize,
    prefix: &[String],
    own: &[String],
    found: &mut Vec<Vec<String>>,
) -> usize {
    let mut path = prefix.to_vec();
    let mut is_first = prefix.is_empty();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "crate" if is_first => path.clear(),
            "self" if is_first => path = own.to_vec(),
            "super" if is_first => path = own[..own.len().saturating_sub(1)].to_vec(),
            "super" => {
                path.pop();
            }
            "self" | "*" => {}
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = tree(tokens, at, &path, own, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            word if word.chars().all(|letter| letter.is_alphanumeric() || letter == '_') => {
                path.push(word.to_owned());
            }
            _ => break,
        }
        is_first = false;
        at += 1;
        if tokens.get(at).is_none_or(|next| next != "::") {
            break;
        }
        at += 1;
    }
    // `a as b`
    if tokens.get(at).is_some_and(|token| token == "as") {
        at += 2;
    }
    found.push(path);
    at.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let code = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        between(&code.collect()).into_iter().map(|arrow| (arrow.from, arrow.to)).collect()
    }

    #[test]
    fn paths_are_followed_to_the_file_of_their_module() {
        let code = "use crate::{b::{self, c::Item as Other}, d};\nfn f() { super::e::run(); }";
        let files =
            [("a/f.rs", code), ("b/mod.rs", ""), ("b/c.rs", ""), ("d.rs", ""), ("a/e.rs", "")];
        let expected = ["b/mod.rs", "b/c.rs", "d.rs", "a/e.rs"];
        assert_eq!(found(&files), expected.map(|to| ("a/f.rs".to_owned(), to.to_owned())));
    }

    #[test]
    fn comments_texts_and_tests_draw_no_arrows() {
        let code = "// crate::b\nconst A: &str = \"crate::b\";\n#[cfg(test)]\nmod tests {\n    use crate::b;\n}\n";
        assert!(found(&[("a.rs", code), ("b.rs", "")]).is_empty());
        let after = format!("{code}use crate::b;\n");
        assert_eq!(found(&[("a.rs", &after), ("b.rs", "")]).len(), 1);
    }
}
