//! JSON Schemas for the API's description: those of types that derive theirs are gathered, and those of types that other
//! crates define are here. What a manifest consists of is described by its own schema, which a test of `drsn-bundle`
//! holds to the code.

use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

/// The schema of `manifest.json`.
const MANIFEST: &str = include_str!("../docs/manifest.schema.json");

/// Where the document has its schemas.
const PLACE: &str = "#/components/schemas/";

/// Schemas by their names.
#[derive(Default)]
pub(crate) struct Schemas(Vec<(String, RefOr<Schema>)>);

impl Schemas {
    /// Adds that of a type, and of what it consists of.
    pub(crate) fn add<T: ToSchema + PartialSchema>(&mut self) {
        self.0.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.0);
    }

    /// All of them as JSON, with those that are defined here.
    ///
    /// # Errors
    /// One of JSON's, if a schema could not be written: a fault of this program.
    pub(crate) fn into_json(self) -> Result<Map<String, Value>, serde_json::Error> {
        let mut schemas = of_the_manifest()?;
        schemas.extend(of_the_baseline());
        for (name, schema) in self.0 {
            schemas.insert(name, serde_json::to_value(schema)?);
        }
        Ok(schemas)
    }
}

/// Functions for `schema_with`, each a reference to a schema by its name.
macro_rules! references {
    ($($function:ident $name:literal;)*) => {$(
        pub(crate) fn $function() -> Ref {
            Ref::from_schema_name($name)
        }
    )*};
}

references! {
    input_spec "InputSpec";
    model_input "ModelInput";
    architecture "Architecture";
    training "TrainingStory";
    threshold_kind "ThresholdKind";
    shift "Shift";
    input_shift "WindowShift";
    input_level "Level";
    change_parameters "ChangeParameters";
    nested_numbers "NestedNumbers";
    output_data "OutputData";
}

/// What a manifest has and the server tells, with its references turned to the document's place.
fn of_the_manifest() -> Result<Map<String, Value>, serde_json::Error> {
    let mut manifest: Value = serde_json::from_str(MANIFEST)?;
    open_up(&mut manifest);
    let Value::Object(mut schemas) = manifest["$defs"].take() else { return Ok(Map::new()) };
    // The numbers of a baseline stay in the server; they are no part of an answer.
    let inner = ["Baseline", "Block", "ChannelLimits", "Distance", "HeldOut", "LevelBaseline"];
    for name in inner.into_iter().chain(["Limits", "Name", "ShiftBaseline"]) {
        schemas.remove(name);
    }
    Ok(schemas)
}

/// A manifest has no fields but its own; answers may get more of them.
fn open_up(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("additionalProperties") == Some(&Value::Bool(false)) {
                fields.remove("additionalProperties");
            }
            if let Some(Value::String(place)) = fields.get_mut("$ref") {
                *place = place.replace("#/$defs/", PLACE);
            }
            fields.values_mut().for_each(open_up);
        }
        Value::Array(items) => items.iter_mut().for_each(open_up),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("{PLACE}{name}") })
}

fn or_null(description: &str, names: &[&str]) -> Value {
    let choices = names.iter().map(|name| reference(name)).chain([json!({ "type": "null" })]);
    json!({ "description": description, "anyOf": choices.collect::<Vec<_>>() })
}

/// An object whose fields are all there: name, type, description.
fn object(description: &str, fields: &[(&str, &str, &str)]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, kind, text)| {
            ((*name).to_owned(), json!({ "type": kind, "description": text }))
        })
        .collect();
    let required: Vec<&str> = fields.iter().map(|(name, _, _)| *name).collect();
    json!({ "description": description, "type": "object", "properties": properties, "required": required })
}

fn of_the_baseline() -> Map<String, Value> {
    let alarm = ("alarm", "boolean", "Whether it is more unusual than the model's level allows.");
    let score = ("score", "number", "Squared Mahalanobis distance; of several windows the median.");
    let p_value =
        ("p_value", "number", "(1 + held-out inputs at least as far) / (1 + held-out inputs).");
    let level = [
        ("rms", "number", "Root of the mean square over all samples."),
        ("offset", "number", "Mean of all samples."),
        ("peak", "number", "Largest magnitude."),
        ("clipped", "number", "Share of samples that stay at the window's extremes."),
        alarm,
    ];
    let alarming = ("alarm_share", "number", "Share of windows that alarm.");
    let far =
        "How far the input lies from the training data; null for a model without that baseline.";
    let shape = json!({
        "type": "object",
        "properties": { "shape": {
            "type": "array", "items": { "type": "integer", "minimum": 1 },
            "description": "Sizes of one input: [C, L] or [C, H, W]."
        } },
        "required": ["shape"],
    });
    let numbers = json!({ "type": "array", "items": { "anyOf": [
        { "type": "number" }, reference("NestedNumbers")
    ] }, "description": "Numbers, in a flat list or nested like the shape." });
    let schemas = [
        ("InputShift", object(far, &[score, p_value, alarm])),
        (
            "WindowsShift",
            object("The same of a recording of several windows.", &[score, alarming, alarm]),
        ),
        ("InputLevel", object("The level of the raw signal.", &level)),
        ("Shift", or_null(far, &["InputShift", "WindowsShift"])),
        ("WindowShift", or_null(far, &["InputShift"])),
        ("Level", or_null("The raw signal's level; null for images.", &["InputLevel"])),
        ("TrainingStory", or_null("How the model was trained, where it says so.", &["Training"])),
        ("ModelInput", json!({ "allOf": [reference("InputSpec"), shape] })),
        ("NestedNumbers", numbers),
        (
            "OutputData",
            json!({
                "type": "array", "items": { "type": ["number", "string"] },
                "description": "Row after row; texts `value:index:label` where a classification was asked for."
            }),
        ),
        (
            "ChangeParameters",
            json!({
                "type": "object",
                "description": "Of Triton's parameters only `unload_dependents`; configurations and files are refused.",
                "properties": { "unload_dependents": { "description": "Says nothing here: models have no dependents." } },
                "additionalProperties": false,
            }),
        ),
    ];
    schemas.map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use drsn_bundle::baseline::{InputLevel, InputShift, WindowsShift};

    use super::*;

    fn assert_same_fields(name: &str, value: &impl serde::Serialize) {
        let schemas = of_the_baseline();
        let described: Vec<_> = schemas[name]["properties"].as_object().unwrap().keys().collect();
        let value = serde_json::to_value(value).unwrap();
        assert_eq!(described, value.as_object().unwrap().keys().collect::<Vec<_>>(), "{name}");
    }

    #[test]
    fn what_the_baseline_answers_has_the_fields_that_are_described() {
        let shift = InputShift { score: 1.0, p_value: 0.5, alarm: false };
        assert_same_fields("InputShift", &shift);
        let windows = WindowsShift { score: 1.0, alarm_share: 0.5, alarm: false };
        assert_same_fields("WindowsShift", &windows);
        let level = InputLevel { rms: 1.0, offset: 0.0, peak: 1.0, clipped: 0.0, alarm: false };
        assert_same_fields("InputLevel", &level);
    }
}
