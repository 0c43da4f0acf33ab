//! JSON Schemas for the API's description. It collects the derived schemas, and writes those of
//! types from other crates by hand. The schemas of a manifest's parts come from
//! `docs/manifest.schema.json`, which a test of `drsn-bundle` compares with the code.

use drsn_bundle::baseline::ShiftReason;
use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

/// The schema of `manifest.json`.
const MANIFEST: &str = include_str!("../docs/manifest.schema.json");

const TRAINING: &str = "How the model was trained, if its manifest says so.";
const CALIBRATION: &str =
    "The temperature that the logits are divided by before the softmax; null if none was chosen.";
const SHIFT: &str =
    "How far the input lies from the training data; null for a model without that baseline.";

/// Where the API's description has its schemas.
const PLACE: &str = "#/components/schemas/";

/// Named schemas.
#[derive(Default)]
pub(crate) struct Schemas(Vec<(String, RefOr<Schema>)>);

impl Schemas {
    /// Adds the schema of a type and those of the types that it contains.
    pub(crate) fn add<T: ToSchema + PartialSchema>(&mut self) {
        self.0.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.0);
    }

    /// All schemas as JSON, including those that this module defines.
    ///
    /// # Errors
    /// If a schema cannot be serialized: a bug of this program.
    pub(crate) fn into_json(self) -> Result<Map<String, Value>, serde_json::Error> {
        let mut schemas = manifest_schemas()?;
        schemas.extend(baseline_schemas());
        schemas.extend(protocol_schemas());
        schemas.insert("TrainingStory".to_owned(), or_null(TRAINING, &["Training"]));
        schemas.insert("Temperature".to_owned(), or_null(CALIBRATION, &["Calibration"]));
        for (name, schema) in self.0 {
            schemas.insert(name, serde_json::to_value(schema)?);
        }
        Ok(schemas)
    }
}

/// Functions for `schema_with`: each returns a reference to a schema by its name.
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
    origin "Origin";
    training "TrainingStory";
    calibration "Temperature";
    threshold_kind "ThresholdKind";
    shift "Shift";
    input_shift "WindowShift";
    input_level "Level";
    change_parameters "ChangeParameters";
    nested_numbers "NestedNumbers";
    output_data "OutputData";
}

/// The schemas of the manifest's parts that answers contain, with their references adapted to the
/// API's description.
fn manifest_schemas() -> Result<Map<String, Value>, serde_json::Error> {
    let mut manifest: Value = serde_json::from_str(MANIFEST)?;
    adapt(&mut manifest);
    let Value::Object(mut schemas) = manifest["$defs"].take() else { return Ok(Map::new()) };
    // No answer contains a baseline's numbers.
    let inner = ["Baseline", "Block", "ChannelLimits", "Distance", "HeldOut", "LevelBaseline"];
    let further = ["ClassThresholds", "Features", "Limits", "Name", "ShapeLimits", "ShiftBaseline"];
    for name in inner.into_iter().chain(further).chain(["Spreads", "UsualThresholds"]) {
        schemas.remove(name);
    }
    Ok(schemas)
}

/// Adapts a schema of the manifest to answers: a manifest must not have unknown fields, but answers
/// may get new ones.
fn adapt(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("additionalProperties") == Some(&Value::Bool(false)) {
                fields.remove("additionalProperties");
            }
            if let Some(Value::String(place)) = fields.get_mut("$ref") {
                *place = place.replace("#/$defs/", PLACE);
            }
            fields.values_mut().for_each(adapt);
        }
        Value::Array(items) => items.iter_mut().for_each(adapt),
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

/// The same, with the causes of its alarm.
fn caused(description: &str, names: &[&str], causes: &str, cause: &str) -> Value {
    let mut schema = or_null(description, names);
    let list = json!({ "type": "array", "items": reference(cause), "description": causes });
    schema["properties"] = json!({ "causes": list });
    schema
}

/// An object whose fields are all required: name, type, description.
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

/// A schema of a shift, with the reason of its alarm.
fn with_reason(mut shift: Value) -> Value {
    shift["properties"]["reason"] = json!({
        "type": "string",
        "enum": ShiftReason::ALL.map(ShiftReason::name),
        "description": "With an alarm, which of the distances makes it: the largest, but `spectrum` in place of `magnitudes` and `input` in place of `spectrum` if that alone would alarm; of several windows, for most of those that alarm.",
    });
    shift
}

fn baseline_schemas() -> Map<String, Value> {
    let alarm = ("alarm", "boolean", "Whether it is more unusual than the model's level allows.");
    let score = (
        "score",
        "number",
        "The largest of the squared distances, each in units of its 99th percentile in the training data; of several windows the median.",
    );
    let p_value =
        ("p_value", "number", "(1 + held-out inputs at least as far) / (1 + held-out inputs).");
    let windows_p_value = (
        "p_value",
        "number",
        "That of the recording: about twice the median of its windows, valid however they depend on each other.",
    );
    let level_p_value = (
        "p_value",
        "number",
        "(1 + held-out windows with a level at least as unusual) / (1 + held-out windows); of several windows as that of the shift.",
    );
    let alarm_share = ("alarm_share", "number", "Share of windows that alarm.");
    let level = [
        ("rms", "number", "Root of the mean square over all samples."),
        ("offset", "number", "Mean of all samples."),
        ("peak", "number", "Largest magnitude."),
        ("clipped", "number", "Share of samples that stay at the window's extremes."),
        level_p_value,
        alarm,
    ];
    let level_cause = [
        (
            "what",
            "string",
            "What is unusual: rms, deviation, offset, peak, clipped, stuck, frequency or bandwidth.",
        ),
        ("channel", "integer", "Position of the input's channel, from 0."),
        ("z", "number", "Signed distance from the training data's median, in standard deviations."),
    ];
    let shift_causes = "With the reason `magnitudes`, the channels of blocks that add most to the distance, the largest first.";
    let level_causes = "With an alarm, what is unusual, the likeliest cause first.";
    let change = [
        ("start", "integer", "First sample of the windows that speak for it, at the model's rate."),
        ("found", "integer", "One past the last sample of the window that proved it."),
    ];
    let mut change = object("A stretch of a recording that is unlike the training data.", &change);
    change["properties"]["end"] = json!({
        "type": ["integer", "null"],
        "description": "First sample of the window by which as many usual ones had come; null if the recording ends before.",
    });
    change["required"] = json!(["start", "found", "end"]);
    let mut shift = caused(SHIFT, &["InputShift", "WindowsShift"], shift_causes, "ShiftCause");
    shift["properties"]["changes"] = json!({
        "type": "array",
        "items": reference("ShiftChange"),
        "description": "Of a recording of several windows, where it is unlike the training data; missing if nowhere.",
    });
    for (field, of, description) in [
        (
            "statistics",
            "StatisticCause",
            "With the reason `input`, the statistics of the input that add most to the distance, the largest first.",
        ),
        (
            "bands",
            "BandCause",
            "With the reason `spectrum`, the bands of frequencies whose power changed most, the largest change first.",
        ),
        (
            "nearest",
            "NearestClass",
            "With the reason `features`, the classes of the training data that are nearest, the nearest first; the first is the one that the distance is from.",
        ),
    ] {
        shift["properties"][field] =
            json!({ "type": "array", "items": reference(of), "description": description });
    }
    let windows = "The input shift of a recording of several windows.";
    named([
        ("InputShift", with_reason(object(SHIFT, &[score, p_value, alarm]))),
        (
            "WindowsShift",
            with_reason(object(windows, &[score, windows_p_value, alarm_share, alarm])),
        ),
        ("InputLevel", object("The level of the raw signal.", &level)),
        ("ShiftChange", change),
        ("LevelCause", object("What makes the level unusual.", &level_cause)),
        ("Shift", shift),
        ("WindowShift", or_null(SHIFT, &["InputShift"])),
        (
            "Level",
            caused(
                "The raw signal's level; null for images.",
                &["InputLevel"],
                level_causes,
                "LevelCause",
            ),
        ),
    ])
}

/// Schemas of the Open Inference Protocol's messages, and of a model's input.
fn protocol_schemas() -> Map<String, Value> {
    let shape = json!({
        "type": "object",
        "properties": { "shape": {
            "type": "array", "items": { "type": "integer", "minimum": 1 },
            "description": "Sizes of one input: [C, L] or [C, H, W]."
        } },
        "required": ["shape"],
    });
    let numbers = json!({
        "type": "array",
        "items": { "anyOf": [{ "type": "number" }, reference("NestedNumbers")] },
        "description": "Numbers, in a flat list or nested like the shape."
    });
    let output = json!({
        "type": "array", "items": { "type": ["number", "string"] },
        "description": "Row after row; texts `value:index:label` if a classification was requested."
    });
    let parameters = json!({
        "type": "object",
        "description": "Of Triton's parameters only `unload_dependents`; configurations and files are rejected.",
        "properties": { "unload_dependents": { "description": "Has no effect: models have no dependents." } },
        "additionalProperties": false,
    });
    named([
        ("ModelInput", json!({ "allOf": [reference("InputSpec"), shape] })),
        ("NestedNumbers", numbers),
        ("OutputData", output),
        ("ChangeParameters", parameters),
    ])
}

fn named<const N: usize>(schemas: [(&str, Value); N]) -> Map<String, Value> {
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

#[cfg(test)]
mod tests {
    use drsn_bundle::baseline::{InputLevel, InputShift, WindowsShift};

    use super::*;

    fn assert_same_fields(name: &str, value: &impl serde::Serialize) {
        let schemas = baseline_schemas();
        let described: Vec<_> = schemas[name]["properties"].as_object().unwrap().keys().collect();
        let value = serde_json::to_value(value).unwrap();
        assert_eq!(described, value.as_object().unwrap().keys().collect::<Vec<_>>(), "{name}");
    }

    #[test]
    fn what_the_baseline_answers_has_the_fields_that_are_described() {
        let reason = Some(ShiftReason::Input);
        let shift = InputShift { score: 1.0, p_value: 0.001, alarm: true, reason };
        assert_same_fields("InputShift", &shift);
        let (p_value, alarm_share) = (0.001, 1.0);
        let windows = WindowsShift { score: 1.0, p_value, alarm_share, alarm: true, reason };
        assert_same_fields("WindowsShift", &windows);
        let level = InputLevel {
            rms: 1.0,
            offset: 0.0,
            peak: 1.0,
            clipped: 0.0,
            p_value: 0.5,
            alarm: false,
        };
        assert_same_fields("InputLevel", &level);
    }
}
