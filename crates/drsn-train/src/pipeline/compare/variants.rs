//! Variants of a recipe: kinds of unit, and every combination of values of some fields.

use std::str::FromStr;

use drsn_bundle::Unit;

use crate::recipe::{Recipe, RecipeError};

/// A field of the recipe and the values that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variation {
    /// Path of the field, such as `optimizer.learning_rate`.
    pub path: String,
    /// Values in TOML.
    pub values: Vec<String>,
}

impl FromStr for Variation {
    type Err = String;

    /// Parses `path=value,value`. Commas inside brackets and quotes do not separate values.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("expected a field and at least two values, such as batch=32,64, got \"{text}\"")
        };
        let (path, values) = text.split_once('=').ok_or_else(wrong)?;
        let values: Vec<String> =
            separate(values).into_iter().map(|value| value.trim().to_owned()).collect();
        if path.trim().is_empty() || values.len() < 2 || values.iter().any(String::is_empty) {
            return Err(wrong());
        }
        Ok(Self { path: path.trim().to_owned(), values })
    }
}

/// The parts between commas that are not inside brackets or quotes.
fn separate(text: &str) -> Vec<&str> {
    let (mut depth, mut quote, mut begin) = (0_usize, None, 0);
    let mut parts = Vec::new();
    for (place, character) in text.char_indices() {
        if let Some(open) = quote {
            if character == open {
                quote = None;
            }
            continue;
        }
        match character {
            '"' | '\'' => quote = Some(character),
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// One of the recipes that are compared.
#[derive(Debug, Clone)]
pub(super) struct Variant {
    /// Beginning of the names of its models.
    pub(super) name: String,
    /// Its name in tables.
    pub(super) label: String,
    pub(super) recipe: Recipe,
}

/// Every unit with every combination of the values.
pub(super) fn variants(
    recipe: &Recipe,
    units: &[Unit],
    variations: &[Variation],
) -> Result<Vec<Variant>, RecipeError> {
    let mut combinations: Vec<Vec<String>> = vec![Vec::new()];
    for Variation { path, values } in variations {
        let longer = combinations.iter().flat_map(|combination| {
            values
                .iter()
                .map(move |value| [&combination[..], &[format!("{path}={value}")]].concat())
        });
        combinations = longer.collect();
    }
    let mut variants = Vec::new();
    for &unit in units {
        for settings in &combinations {
            let mut recipe = recipe.set(settings)?;
            recipe.network.unit = unit;
            recipe.check()?;
            let unit = unit_name(unit);
            let of_unit = (units.len() > 1 || settings.is_empty()).then_some(unit.to_owned());
            let label: Vec<String> = of_unit.into_iter().chain(settings.iter().cloned()).collect();
            let parts = std::iter::once(unit).chain(settings.iter().map(String::as_str));
            let name = parts.map(plain).collect::<Vec<_>>().join("-");
            variants.push(Variant { name, label: label.join(", "), recipe });
        }
    }
    Ok(variants)
}

/// The text with hyphens in place of what a model's name cannot have.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.chars().map(|c| if keep(c) { c } else { '-' }).collect()
}

/// The kind of unit as written in recipes and on the command line.
pub(super) fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Cw => "cw",
        Unit::Cs => "cs",
        Unit::Se => "se",
        Unit::Resnet => "resnet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::preset;

    #[test]
    fn variations_are_combined_and_named() {
        let variations = [
            "batch=32,64",
            "network.stages=[{channels=4,blocks=1,stride=2}], [{channels=8,blocks=2,stride=2}]",
        ];
        let variations = variations.map(|text| text.parse().unwrap());
        let recipe = preset("paper-1d").unwrap();
        let variants = variants(&recipe, &[Unit::Cw], &variations).unwrap();
        assert_eq!(variants.len(), 4);
        assert_eq!(variants[3].recipe.batch, 64);
        assert_eq!(variants[3].recipe.network.stages[0].blocks, 2);
        assert_eq!(variants[3].label, "batch=64, network.stages=[{channels=8,blocks=2,stride=2}]");
        assert!(variants[3].name.starts_with("cw-batch-64-network.stages-"));
    }

    #[test]
    fn units_alone_have_their_names() {
        let recipe = preset("paper-1d").unwrap();
        let variants = variants(&recipe, &[Unit::Cw, Unit::Resnet], &[]).unwrap();
        let names: Vec<_> = variants.iter().map(|v| (v.name.as_str(), v.label.as_str())).collect();
        assert_eq!(names, [("cw", "cw"), ("resnet", "resnet")]);
    }

    #[test]
    fn what_varies_nothing_is_refused() {
        for text in ["batch", "batch=", "batch=32", "=1,2", "batch=32,,64"] {
            assert!(text.parse::<Variation>().is_err(), "{text}");
        }
        let typo = ["bach=1,2".parse().unwrap()];
        assert!(variants(&preset("paper-1d").unwrap(), &[Unit::Cw], &typo).is_err());
    }
}
