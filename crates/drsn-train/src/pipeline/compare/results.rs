//! The results of a study as they come, and all together.

use drsn_bundle::{Evaluation, Training as Story};

use super::{
    StudyPlan,
    trained::Training,
    variants::{Variant, unit_name},
};
use crate::{
    recipe::{Metric, RecipeError},
    report::{HeldOutRow, Study, StudyRow},
};

/// Collects the results of a study.
pub(super) struct Results {
    study: Study,
    /// Whether a variant is to be chosen: until then, no test accuracy is shown.
    choosing: bool,
    /// Descriptions of the test data, with their inputs and splits.
    tests: Vec<(String, usize, serde_json::Value)>,
}

impl Results {
    pub(super) fn new(plan: &StudyPlan, variants: &[Variant]) -> Self {
        let empty =
            |variant: &Variant| HeldOutRow { variant: variant.label.clone(), results: Vec::new() };
        let study = Study {
            title: title(plan),
            data: String::new(),
            rows: Vec::new(),
            held_out: variants.iter().map(empty).collect(),
            metric: plan.recipe.metric(),
            chosen: None,
        };
        Self { study, choosing: !plan.variations.is_empty(), tests: Vec::new() }
    }

    /// Adds the results of one training, and returns them in one line.
    pub(super) fn add(
        &mut self,
        variant: &Variant,
        training: &Training,
        story: &Story,
    ) -> Result<String, RecipeError> {
        let metric = self.study.metric;
        let held_out = match metric {
            Metric::Accuracy => story.held_out_accuracy.map(|accuracy| accuracy.exact),
            Metric::MacroRecall => story.held_out_macro_recall,
            Metric::Loss => story.held_out_loss,
        };
        if let Some(result) = held_out
            && let Some(row) = self.study.held_out.iter_mut().find(|r| r.variant == variant.label)
        {
            row.results.push(result);
        }
        for evaluation in &story.evaluations {
            self.add_evaluation(&variant.label, evaluation)?;
        }
        if let Some(Evaluation { data, inputs, .. }) = story.evaluations.first() {
            let split = story.configuration["data"]["split"].clone();
            let test = (data.clone(), *inputs, split);
            if !self.tests.contains(&test) {
                self.tests.push(test);
            }
        }
        let mut parts: Vec<String> = held_out
            .map(|result| format!("held-out {} {}", metric.in_words(), metric.shown(result)))
            .into_iter()
            .collect();
        if !self.choosing {
            parts.extend(story.evaluations.iter().map(|evaluation| {
                let noise = evaluation.noise.as_deref();
                let noise = noise.map_or_else(String::new, |noise| format!(" under {noise}"));
                format!("right on {:.2} % of test inputs{noise}", 100.0 * evaluation.accuracy)
            }));
        }
        Ok(format!("{}: {}", training.label, parts.join(", ")))
    }

    /// Adds the accuracy of one training to its row.
    fn add_evaluation(&mut self, unit: &str, evaluation: &Evaluation) -> Result<(), RecipeError> {
        let noise = evaluation.noise.as_deref().map(str::parse).transpose();
        let noise = noise.map_err(|reason: String| RecipeError::new(reason))?;
        let rows = &mut self.study.rows;
        match rows.iter_mut().find(|row| row.unit == unit && row.noise == noise) {
            Some(row) => row.accuracies.push(evaluation.accuracy),
            None => rows.push(StudyRow {
                unit: unit.to_owned(),
                noise,
                accuracies: vec![evaluation.accuracy],
            }),
        }
        Ok(())
    }

    /// All results; of variants to choose from, only the test accuracy of the best one.
    pub(super) fn study(self) -> Study {
        let Self { mut study, choosing, tests } = self;
        let inputs: usize = tests.iter().map(|(_, inputs, _)| inputs).sum();
        study.data = match &tests[..] {
            [] => "no test inputs".to_owned(),
            [(data, ..)] => format!("{data}, {inputs} inputs"),
            [(data, ..), ..] => format!("{data}, {inputs} inputs in {} test sets", tests.len()),
        };
        if choosing {
            study.chosen = study.best_held_out().map(str::to_owned);
            study.rows.retain(|row| Some(&row.unit) == study.chosen.as_ref());
        }
        study
    }
}

/// What a study varies.
fn title(plan: &StudyPlan) -> String {
    let units: Vec<&str> = plan.units.iter().map(|&unit| unit_name(unit)).collect();
    let mut parts = vec![match &units[..] {
        [one] => format!("Unit {one}"),
        [..] => format!("Units {}", units.join(", ")),
    }];
    let fields = plan
        .variations
        .iter()
        .map(|varied| format!("{} of {}", varied.path, varied.values.join(", ")));
    parts.extend(fields);
    if let Some(folds) = plan.folds {
        parts.push(format!("{folds} folds, each group tested once"));
    }
    parts.push(match plan.seeds {
        1 => "one seed".to_owned(),
        seeds => format!("{seeds} seeds"),
    });
    parts.join("; ")
}
