//! The recipes built into the program.

use super::{Recipe, RecipeError};

/// A recipe built into the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// Its TOML text, with comments.
    pub text: &'static str,
}

/// All presets: those for data of every kind, those of published programs, those of the bundled
/// models.
pub const PRESETS: [Preset; 10] = [
    Preset { name: "signal", text: include_str!("../../presets/signal.toml") },
    Preset { name: "vibration", text: include_str!("../../presets/vibration.toml") },
    Preset { name: "audio", text: include_str!("../../presets/audio.toml") },
    Preset { name: "ecg", text: include_str!("../../presets/ecg.toml") },
    Preset { name: "seed-keras", text: include_str!("../../presets/seed-keras.toml") },
    Preset { name: "seed-tflearn", text: include_str!("../../presets/seed-tflearn.toml") },
    Preset { name: "paper-1d", text: include_str!("../../presets/paper-1d.toml") },
    Preset { name: "mnist", text: include_str!("../../presets/mnist.toml") },
    Preset { name: "cifar10", text: include_str!("../../presets/cifar10.toml") },
    Preset { name: "bearing", text: include_str!("../../presets/bearing.toml") },
];

/// Parses the recipe of a preset.
///
/// # Errors
/// [`RecipeError`] with the known names if there is no preset of this name.
pub fn preset(name: &str) -> Result<Recipe, RecipeError> {
    let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) else {
        let names = PRESETS.map(|preset| preset.name).join(", ");
        return Err(RecipeError::new(format!("unknown preset \"{name}\": choose one of {names}")));
    };
    Recipe::from_toml(preset.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{DataConfig, Schedule, Split};

    /// Regression: a recipe that an editor on Windows had saved was refused.
    #[test]
    fn the_mark_of_utf_8_before_a_recipe_is_skipped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let recipe = preset(PRESETS[0].name).unwrap();
        let toml = toml::to_string(&recipe).unwrap();
        std::fs::write(file.path(), format!("\u{feff}{toml}")).unwrap();
        assert_eq!(Recipe::open(file.path()), Ok(recipe));
    }

    #[test]
    fn every_preset_is_a_recipe_that_can_be_trained_and_written_back() {
        for Preset { name, .. } in PRESETS {
            let recipe = preset(name).unwrap();
            recipe.check().unwrap();
            assert_eq!(
                Recipe::from_toml(&toml::to_string(&recipe).unwrap()).unwrap(),
                recipe,
                "{name}"
            );
            let json = serde_json::to_string(&recipe).unwrap();
            assert_eq!(serde_json::from_str::<Recipe>(&json).unwrap(), recipe, "{name}");
        }
    }

    /// `drsn-train presets` shows the first line of each; two of them once broke off mid-sentence.
    #[test]
    fn the_first_line_of_a_preset_is_a_sentence() {
        for Preset { name, text } in PRESETS {
            let line = text.lines().next().unwrap();
            assert!(line.starts_with("# ") && line.ends_with('.'), "{name}: {line}");
        }
    }

    /// Regression: `bearing` asks for a variable of its own data set at 48 kHz, and was the only
    /// preset with a network that suited other signals.
    #[test]
    fn general_presets_ask_for_no_variable_and_no_rate_and_use_two_threads() {
        for name in ["signal", "vibration", "audio", "ecg"] {
            let recipe = preset(name).unwrap();
            let DataConfig::Signals(signals) = recipe.data else { panic!("{name}") };
            assert_eq!((signals.variable, signals.sample_rate_hz), (None, None), "{name}");
            assert_eq!(recipe.ghost_batches, 2, "{name}");
        }
    }

    /// Collects the names of a table's fields, recursively.
    fn names(value: &toml::Value, names: &mut Vec<String>) {
        for (name, value) in value.as_table().into_iter().flatten() {
            names.push(name.clone());
            self::names(value, names);
        }
        for value in value.as_array().into_iter().flatten() {
            self::names(value, names);
        }
    }

    #[test]
    fn the_reference_has_every_field_of_a_preset_and_its_examples_are_understood() {
        let reference = include_str!("../../../../docs/recipes.md");
        let mut fields = Vec::new();
        for Preset { text, .. } in PRESETS {
            names(&text.parse::<toml::Table>().unwrap().into(), &mut fields);
        }
        for field in fields {
            let is_there = [" ", "`", ".", "["].iter().any(|before| {
                [" ", "`", "=", ".", "]"]
                    .iter()
                    .any(|after| reference.contains(&format!("{before}{field}{after}")))
            });
            assert!(is_there, "docs/recipes.md does not name {field}");
        }
        let examples = reference.lines().filter_map(|line| {
            let (example, _) = line.strip_prefix("| `{")?.split_once("}`")?;
            format!("value = {{{example}}}").parse::<toml::Table>().unwrap().remove("value")
        });
        let mut count = 0;
        for example in examples {
            count += 1;
            let understood = if example.get("by").is_some() {
                example.clone().try_into::<Split>().map(drop)
            } else {
                example.clone().try_into::<Schedule>().map(drop)
            };
            assert!(understood.is_ok(), "{example}: {understood:?}");
        }
        assert_eq!(count, 9);
    }

    #[test]
    fn a_preset_that_is_not_there_is_answered_with_those_that_are() {
        let refusal = preset("keras").unwrap_err().to_string();
        assert!(refusal.contains("seed-keras, seed-tflearn"), "{refusal}");
    }
}
