//! The dashboard: every panel queries something that Prometheus has.

use std::fs;

use serde_json::Value;

use crate::{
    command::{attempt, root},
    engine::say,
    monitoring::query,
    project::{Project, eventually},
    serving::{classify_digit, text},
};

/// Title and query of every target of the dashboard.
fn queries() -> Vec<(String, String)> {
    let file = fs::read_to_string(root().join("docker/grafana/dashboards/drsn.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&file).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let queries = panels.iter().filter(|panel| panel["type"] != "row").flat_map(|panel| {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        let title = text(panel, "/title");
        targets.iter().map(move |target| (title.to_owned(), text(target, "/expr").to_owned()))
    });
    queries.collect()
}

/// Grafana's values of its variables if all servers and models are selected.
fn chosen(query: &str) -> String {
    let query =
        query.replace("$instance", ".*").replace("$model", ".*").replace("$__rate_interval", "1m");
    assert!(!query.contains('$'), "a variable that nobody sets: {query}");
    query
}

/// Step of the test: after requests and refusals, no panel is empty.
pub(crate) async fn every_panel_has_an_answer(project: &Project<'_>) {
    let queries = queries();
    assert!(queries.len() > 20);
    for (title, expression) in &queries {
        eventually(title, || async {
            // A rate needs two scrapes with requests between them.
            classify_digit(project, "DRSN_PORT").await?;
            let refused =
                project.classify("DRSN_PORT", "/classify", "image/png", b"no image".to_vec()).await;
            assert!(refused.is_err_and(|refusal| refusal.contains("400")));
            let found = query(project, &chosen(expression)).await?;
            let any = found.iter().any(|(_, value)| !value.is_nan());
            if any { Ok(()) } else { Err(format!("{expression} gives {found:?}")) }
        })
        .await;
    }
    say(&format!("the dashboard's {} queries all have answers", queries.len()));
}

/// Step of the test: Grafana has the dashboard and the data source. Debian has no Grafana as a
/// stand-in.
pub(crate) async fn grafana_shows_it(project: &Project<'_>) {
    let mut pull = project.compose(&["--profile=grafana", "pull", "--quiet", "grafana"]);
    if let Err(reason) = attempt(&mut pull) {
        let last = reason.trim_end().lines().last().unwrap_or_default();
        say(&format!("SKIPPED Grafana itself: Debian has no package of it, and its image: {last}"));
        return;
    }
    project.ask(&["--profile=grafana", "up", "--detach", "--wait", "grafana"]);
    let shown = eventually("Grafana has the dashboard", || async {
        project.json("GRAFANA_PORT", "/api/dashboards/uid/drsn").await
    });
    assert_eq!(shown.await["dashboard"]["title"], "drsn-serve");
    project.ask(&["--profile=grafana", "rm", "--stop", "--force", "--volumes", "grafana"]);
}
