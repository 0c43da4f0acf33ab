//! Changing single fields of a recipe by their path: `optimizer.learning_rate=0.01`.

use super::{Recipe, RecipeError, one_line};

/// The setting that changes the kind of the data.
const KIND_OF_DATA: &str = "data.kind";
/// Fields of the data that mean the same for recordings and for windows that were cut beforehand.
const OF_ALL_SIGNALS: [&str; 6] =
    ["kind", "window", "sample_rate_hz", "normalization", "limit", "split"];

impl Recipe {
    /// Returns the recipe with some fields changed, each given as `path=value` with the value in
    /// TOML: `optimizer.learning_rate=0.01`. A value that is not valid TOML is taken as text:
    /// `network.unit=cs`. Another `data.kind` keeps the fields that both kinds have.
    ///
    /// # Errors
    /// [`RecipeError`] with the setting that is not understood.
    pub fn set<S: AsRef<str>>(&self, settings: &[S]) -> Result<Self, RecipeError> {
        let table = toml::Table::try_from(self).map_err(|e| RecipeError::new(e.to_string()))?;
        let settings: Vec<&str> = settings.iter().map(AsRef::as_ref).collect();
        changed(&table, &settings).map_err(|reason| {
            // Fields can depend on one another: only a setting that fails alone can be named.
            let alone = settings.iter().find_map(|setting| {
                let reason = changed(&table, &[setting]).err()?;
                Some(format!("\"{setting}\": {reason}"))
            });
            RecipeError::new(alone.unwrap_or(reason))
        })
    }
}

/// Applies settings to a recipe's table and parses the result.
fn changed(table: &toml::Table, settings: &[&str]) -> Result<Recipe, String> {
    let mut table = table.clone();
    let mut parsed = Vec::with_capacity(settings.len());
    for setting in settings {
        let (path, value) =
            setting.split_once('=').ok_or("expected path=value, such as epochs=10".to_owned())?;
        parsed.push((path.trim(), value));
    }
    if let Some((_, kind)) = parsed.iter().rfind(|(path, _)| *path == KIND_OF_DATA) {
        keep_common_fields(&mut table, kind.trim().trim_matches('"'));
    }
    for (path, value) in parsed {
        let value = format!("value = {value}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("value"))
            .unwrap_or_else(|| toml::Value::String(value.to_owned()));
        insert(&mut table, path, value).ok_or_else(|| format!("{path} is not inside a table"))?;
    }
    table.try_into().map_err(|e: toml::de::Error| one_line(&e.to_string()))
}

/// Drops the fields of the data that data of another kind do not have: the recipe's own are those of a
/// preset.
fn keep_common_fields(table: &mut toml::Table, kind: &str) {
    let Some(data) = table.get_mut("data").and_then(toml::Value::as_table_mut) else { return };
    let before = data.get("kind").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let are_signals = [&before[..], kind].iter().all(|k| matches!(*k, "signals" | "windows"));
    if before != kind {
        data.retain(|field, _| are_signals && OF_ALL_SIGNALS.contains(&field));
    }
}

/// Puts a value at a path of keys; `None` if a key on the way does not hold a table.
fn insert(table: &mut toml::Table, path: &str, value: toml::Value) -> Option<()> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let Some(rest) = rest else {
        table.insert(first.to_owned(), value);
        return Some(());
    };
    let inner = table
        .entry(first.to_owned())
        .or_insert_with(|| toml::Value::Table(toml::Table::new()))
        .as_table_mut()?;
    insert(inner, rest, value)
}

#[cfg(test)]
mod tests {
    use crate::recipe::{DataConfig, EarlyStopping, Metric, preset};

    #[test]
    fn fields_are_set_by_their_path_as_numbers_words_and_tables() {
        let recipe = preset("mnist")
            .unwrap()
            .set(&["network.unit=cs", "optimizer.learning_rate=1", "early_stopping.patience=3"])
            .unwrap();
        assert_eq!(recipe.network.unit, drsn_bundle::Unit::Cs);
        assert!((recipe.optimizer.learning_rate - 1.0).abs() < 1e-12);
        assert_eq!(
            recipe.early_stopping,
            Some(EarlyStopping { patience: 3, metric: Metric::Accuracy })
        );
    }

    /// It was refused with `invalid type: sequence, expected a whole number`: the preset's channels are
    /// names, and those of arrays a number.
    #[test]
    fn another_kind_of_data_keeps_what_both_kinds_have() {
        let settings = [
            "data.channels=2",
            "data.kind=windows",
            "data.split={by=\"random\",held_out=0.1,test=0.2}",
        ];
        let recipe = preset("bearing").unwrap().set(&settings).unwrap();
        let DataConfig::Windows(windows) = &recipe.data else { panic!("{:?}", recipe.data) };
        assert_eq!((windows.window, windows.channels), (2048, Some(2)));
        let back = recipe.set(&["data.kind=signals", "data.hop=9"]).unwrap();
        let DataConfig::Signals(signals) = &back.data else { panic!("{:?}", back.data) };
        assert_eq!((signals.window, signals.hop, signals.channels.len()), (2048, 9, 0));
        let refusal = recipe.set(&["data.kind=images"]).unwrap_err().to_string();
        assert!(refusal.contains("missing field `channels`"), "{refusal}");
    }

    #[test]
    fn settings_that_are_not_understood_are_refused_by_what_they_say() {
        for (setting, said) in [
            ("epochs", "expected path=value"),
            ("epoch=3", "epoch"),
            ("epochs=many", "invalid type"),
            ("epochs.more=1", "is not inside a table"),
            ("network.unit=cx", "cx"),
            (
                "data.held_out=abc",
                "\"data.held_out=abc\": invalid type: string \"abc\", expected a whole number",
            ),
            ("schedule=cosine", "expected a table with its kind"),
        ] {
            let refusal = preset("mnist").unwrap().set(&[setting]).unwrap_err().to_string();
            assert!(refusal.contains(said) && refusal.lines().count() == 1, "{setting}: {refusal}");
        }
    }
}
