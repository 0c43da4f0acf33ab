//! The server as Prometheus and Alertmanager see it.

use std::{io::Write as _, process::Stdio, time::Duration};

use serde_json::Value;

use crate::{
    engine::say,
    project::{Project, eventually},
    serving::text,
};

/// The current results of a query: labels and value.
pub(crate) async fn query(
    project: &Project<'_>,
    expression: &str,
) -> Result<Vec<(Value, f64)>, String> {
    let encoded: String =
        form_urlencoded::Serializer::new(String::new()).append_pair("query", expression).finish();
    let answer = project.json("PROMETHEUS_PORT", &format!("/api/v1/query?{encoded}")).await?;
    if answer["status"] != "success" || answer["data"]["resultType"] != "vector" {
        return Err(format!("{expression}: {answer}"));
    }
    let results = answer["data"]["result"].as_array().cloned().unwrap_or_default();
    let value = |result: &Value| text(result, "/value/1").parse().unwrap_or(f64::NAN);
    Ok(results.iter().map(|result| (result["metric"].clone(), value(result))).collect())
}

/// The single value of a query.
async fn value(project: &Project<'_>, expression: &str) -> Result<f64, String> {
    match query(project, expression).await?.as_slice() {
        [(_, value)] => Ok(*value),
        other => Err(format!("{expression}: {other:?}")),
    }
}

/// Waits until a query has this value.
pub(crate) async fn becomes(project: &Project<'_>, expression: &str, expected: f64) {
    eventually(expression, || async {
        let found = value(project, expression).await?;
        if (found - expected).abs() < 1e-9 {
            Ok(())
        } else {
            Err(format!("it is {found}, not {expected}"))
        }
    })
    .await;
}

/// Step of the test: the server is scraped, its requests are counted, rules and Alertmanager are
/// known.
pub(crate) async fn prometheus_sees_the_server_and_its_requests(project: &Project<'_>) {
    becomes(project, r#"up{job="drsn-serve"}"#, 1.0).await;
    let classified = r#"drsn_requests_total{model="mnist",protocol="http",code="200"}"#;
    becomes(project, classified, 1.0).await;
    let rules = project.json("PROMETHEUS_PORT", "/api/v1/rules").await.unwrap();
    let rules = rules.pointer("/data/groups/0/rules").and_then(Value::as_array).unwrap();
    assert_eq!(rules.len(), alerts_of_the_repository());
    for rule in rules {
        assert_ne!(rule["health"], "err", "{rule}");
        assert_eq!(rule["state"], "inactive", "{rule}");
    }
    eventually("Prometheus finds Alertmanager", || async {
        let found = project.json("PROMETHEUS_PORT", "/api/v1/alertmanagers").await?;
        let active = found["data"]["activeAlertmanagers"].as_array().map_or(0, Vec::len);
        if active == 1 { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
    the_metrics_are_well_formed(project).await;
    say(
        "Prometheus: up == 1, drsn_requests_total == 1, every rule is loaded, no alert; promtool finds no fault in /metrics",
    );
}

/// How many alerts the rules file describes: Prometheus must have loaded each of them.
fn alerts_of_the_repository() -> usize {
    let rules = include_str!("../../docker/prometheus/rules.yml");
    rules.lines().filter(|line| line.trim_start().starts_with("- alert:")).count()
}

/// Runs `promtool check metrics`, in the container of Prometheus, on the server's metrics.
async fn the_metrics_are_well_formed(project: &Project<'_>) {
    let metrics = project.client.get(project.url("DRSN_PORT", "/metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let mut promtool = project
        .compose(&["exec", "-T", "prometheus", "promtool", "check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success() && said.concat().trim().is_empty(), "{}", said.concat());
}

/// Step of the test: the server has been stopped, and Alertmanager gets the alert.
pub(crate) async fn the_alert_that_it_is_down_arrives(project: &Project<'_>) {
    let alert = eventually("Alertmanager has DrsnDown", || async {
        let alerts = project.json("ALERTMANAGER_PORT", "/api/v2/alerts").await?;
        let down = |alert: &&Value| {
            alert["labels"]["alertname"] == "DrsnDown" && alert["labels"]["job"] == "drsn-serve"
        };
        let found = alerts.as_array().and_then(|alerts| alerts.iter().find(down).cloned());
        found.ok_or_else(|| alerts.to_string())
    });
    let alert = tokio::time::timeout(Duration::from_mins(2), alert).await.unwrap();
    assert_eq!(text(&alert, "/labels/severity"), "critical");
    say(&format!("Alertmanager says: {}", text(&alert, "/annotations/summary")));
}
