//! Pages in a browser: nothing is cut off at the width of a telephone, a tablet and a desk, in
//! light and dark, and letters stay large enough to read.
//!
//! `DRSN_PLOTS=folder cargo test -p drsn-train --lib in_a_browser` keeps the screenshots.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::*;
use crate::report::{fixtures, study::StudyRow};

#[path = "../../../../../tests/support/skip.rs"]
mod skip;

/// Widths in pixels.
const WIDTHS: [u32; 3] = [400, 768, 1440];

/// Measures a page, and tells its frame its width, its height and what does not fit.
const MEASURE: &str = r#"<script>
addEventListener("load", () => {
  const wrong = [], root = document.scrollingElement, right = innerWidth + 0.5;
  if (root.scrollWidth > innerWidth) wrong.push("the page is " + root.scrollWidth + " px wide");
  for (const element of document.querySelectorAll("body *")) {
    const box = element.getBoundingClientRect();
    const inside = element.closest(".wide");
    if (box.width && box.right > right && (!inside || inside === element))
      wrong.push(element.tagName + " ends at " + box.right);
  }
  for (const table of document.querySelectorAll("table, figure svg")) {
    const room = table.closest(".wide");
    if (!room) wrong.push(table.tagName + " cannot scroll");
    else if (table.getBoundingClientRect().width > room.scrollWidth + 1)
      wrong.push(table.tagName + " is wider than what scrolls");
  }
  for (const text of document.querySelectorAll("svg text")) {
    const svg = text.closest("svg");
    const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
    const size = scale * text.getAttribute("font-size");
    if (size < 6.5) wrong.push("letters of " + size + " px: " + text.textContent);
    const box = text.getBBox(), view = svg.viewBox.baseVal;
    if (!text.hasAttribute("transform") && (box.x < -1 || box.x + box.width > view.width + 1))
      wrong.push("outside its plot: " + text.textContent);
  }
  const dark = getComputedStyle(document.body).backgroundColor;
  parent.postMessage([innerWidth, root.scrollHeight, dark, wrong.slice(0, 9).join("; ")], "*");
});
</script>"#;

/// Shows a page in frames, makes them as high as it is, and notes what it tells.
const FRAMES: &str = r#"<!DOCTYPE html><meta charset="utf-8"><style>body { margin: 0 }
iframe { border: 0; display: block }</style><script>
addEventListener("message", ({ data, source }) => {
  for (const frame of document.querySelectorAll("iframe"))
    if (frame.contentWindow === source) frame.height = data[1];
  const told = document.createElement("p");
  told.hidden = true;
  told.textContent = "told|" + data.join("|") + "|end";
  document.body.append(told);
});
</script>"#;

/// The first of some usual browsers that is installed.
fn browser() -> Option<&'static str> {
    let works = |name: &&str| {
        let mut command = Command::new(name);
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find(works)
}

/// What the browser prints for a page, for at most two minutes.
fn run(browser: &str, page: &Path, arguments: &[String]) -> String {
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new("timeout")
        .args(["120", browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
        .args(["--disable-dev-shm-usage", "--virtual-time-budget=5000", "--no-first-run"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Width, height, background and faults of a page in each frame.
fn told(html: &str) -> Vec<(u32, u32, String, String)> {
    let lines = html.split("told|").skip(1).filter_map(|rest| rest.split("|end").next());
    let fields = lines.map(|line| line.split('|').map(str::to_owned).collect::<Vec<_>>());
    fields
        .filter(|fields| fields.len() == 4)
        .map(|fields| {
            let number = |place: usize| fields[place].parse().unwrap();
            (number(0), number(1), fields[2].clone(), fields[3].clone())
        })
        .collect()
}

/// A file that shows a page in frames of these widths.
fn framed(folder: &Path, page: &str, widths: &[u32]) -> PathBuf {
    let frame = |width: &u32| format!("<iframe src=\"{page}.html\" width=\"{width}\"></iframe>");
    let frames: String = widths.iter().map(frame).collect();
    let path = folder.join(format!("frames-{page}-{}.html", widths.len()));
    fs::write(&path, format!("{FRAMES}<body>{frames}</body>")).unwrap();
    path
}

/// Pages of every kind, with few and many classes and noises, and with long names.
fn pages() -> Vec<(&'static str, String)> {
    let mut long = fixtures::report("long", 0.8);
    let name = "a-very-long-name-of-a-class-that-nobody-can-break/and-its-folder".repeat(2);
    long.model.classes[0].clone_from(&name);
    long.results[0].scores.classes[0].name.clone_from(&name);
    long.data = name;
    let noises = (0..14).map(|i| format!("gaussian@-{i}.125dB").parse().ok());
    let first = long.results[0].clone();
    long.results.extend(noises.map(|noise| super::super::NoiseScores { noise, ..first.clone() }));
    let names: Vec<String> = (0..40).map(|i| format!("outer race fault {i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut many = fixtures::report("many", 0.9);
    many.results[0].scores = fixtures::scores(&names, 0.9);
    let of = |name: &str, accuracy| fixtures::report(name, accuracy);
    let several =
        Comparison::new(vec![of("one", 0.95), of("two", 0.91), of("three", 0.9)]).unwrap();
    let row = |unit: &str, noise: &str| StudyRow {
        unit: unit.to_owned(),
        noise: noise.parse().ok(),
        accuracies: vec![0.91, 0.93, 0.92],
    };
    let noises = ["", "gaussian@5dB", "gaussian@0dB", "gaussian@-5dB", "drop:0.1"];
    let units = ["cw", "cs", "se", "resnet"];
    let rows = units.iter().flat_map(|unit| noises.map(|noise| row(unit, noise))).collect();
    let study_of = Study {
        title: "Kinds of unit, 3 trainings each".to_owned(),
        data: "bearing test, 326 inputs".to_owned(),
        rows,
        ..Study::default()
    };
    vec![
        ("gearbox", evaluation(&fixtures::recordings(4)).html),
        ("digits", evaluation(&fixtures::report("digits", 0.95)).html),
        ("long", evaluation(&long).html),
        ("many", evaluation(&many).html),
        ("comparison", comparison(&several).html),
        ("study", study(&study_of).html),
    ]
}

#[test]
fn nothing_is_cut_off_in_a_browser_at_three_widths_in_light_and_dark() {
    let Some(browser) = browser() else {
        return skip::skip("requires a browser: install chromium");
    };
    let folder = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("DRSN_PLOTS").map(PathBuf::from);
    let folder = kept.as_deref().unwrap_or(folder.path()).canonicalize().unwrap();
    for (page, html) in pages() {
        fs::write(folder.join(format!("{page}.html")), html + MEASURE).unwrap();
        let frames = framed(&folder, page, &WIDTHS);
        let size = ["--dump-dom".to_owned(), "--window-size=1600,1000".to_owned()];
        let told = told(&run(browser, &frames, &size));
        let mut widths: Vec<u32> = told.iter().map(|told| told.0).collect();
        widths.sort_unstable();
        assert_eq!(widths, WIDTHS, "{page}");
        for (width, _, _, wrong) in &told {
            assert!(wrong.is_empty(), "{page} at {width} px: {wrong}");
        }
        if page == "gearbox" || page == "study" {
            screenshots(browser, &folder, page, &told);
        }
    }
}

/// Takes a picture of a page for each width and theme, and checks that the themes differ.
fn screenshots(
    browser: &str,
    folder: &Path,
    page: &str,
    told_light: &[(u32, u32, String, String)],
) {
    for (width, height, light, _) in told_light {
        let frame = framed(folder, page, &[*width]);
        for (theme, setting) in [("light", 1), ("dark", 0)] {
            let picture = folder.join(format!("{page}-{width}-{theme}.png"));
            let scheme = format!("--blink-settings=preferredColorScheme={setting}");
            let size = format!("--window-size={width},{height}");
            let shot = format!("--screenshot={}", picture.display());
            run(browser, &frame, &[scheme.clone(), size.clone(), shot]);
            assert!(fs::metadata(&picture).unwrap().len() > 10_000, "{}", picture.display());
            if theme == "dark" {
                let told = told(&run(browser, &frame, &[scheme, size, "--dump-dom".to_owned()]));
                assert!(told.iter().all(|dark| dark.2 != *light), "{page}: {told:?}");
            }
        }
    }
}
