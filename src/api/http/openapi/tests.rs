//! Compares the document with the code.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{document::document, parts};
use crate::{
    api::http,
    inference::{decode::JsonRequest, options::Options},
};

#[test]
fn the_document_describes_exactly_the_routes() {
    let document = document().unwrap();
    let described: BTreeSet<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    let routes: BTreeSet<_> = http::routes().paths().iter().cloned().collect();
    assert_eq!(described, routes);
}

#[test]
fn every_reference_in_the_document_resolves() {
    let document = document().unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = Vec::new();
    gather(&document, &mut references);
    assert!(references.len() > 100);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn gather<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| gather(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn operation_ids_are_unique() {
    let document = document().unwrap();
    let operations = document["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|path| path.as_object().unwrap().values());
    let ids: Vec<_> = operations.map(|o| o["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn exactly_the_existing_options_are_described() {
    let refusal = Options::default().set("none_of_them", "1").unwrap_err().detail;
    let (_, known) = refusal.split_once("the options are ").unwrap();
    let known: BTreeSet<&str> = known.split(", ").flat_map(|names| names.split(" and ")).collect();
    assert_eq!(parts::options().iter().map(|option| option.0).collect::<BTreeSet<_>>(), known);
}

#[test]
fn exactly_the_accepted_fields_of_a_json_body_are_described() {
    let request = &parts::schemas()["ClassifyRequest"];
    for field in request["properties"].as_object().unwrap().keys() {
        let body = format!("{{\"{field}\": null}}");
        assert!(JsonRequest::parse(body.as_bytes(), &mut Vec::new()).is_ok(), "{field}");
    }
    let refusal =
        JsonRequest::parse(b"{\"none_of_them\": null}", &mut Vec::new()).unwrap_err().detail;
    let (_, known) = refusal.split_once("expected one of ").unwrap();
    let described = request["properties"].as_object().unwrap().len();
    assert_eq!(known.matches('`').count() / 2, described, "{known}");
}
