//! The answers to each input as a table, `predictions.csv`.

use std::{fs, path::Path};

use super::{
    curve::noise_name,
    error::ReportError,
    evaluation::EvaluationReport,
    text::plain,
    write::{replace, unwritable},
};
use crate::{
    dataset::{Origin, Part},
    evaluation::Answers,
    recipe::Noise,
};

/// A bundle's evaluation, with its answers to each input.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// The scores.
    pub report: EvaluationReport,
    /// The test inputs.
    pub test: Part,
    /// The answers under each noise, in the order of the scores.
    pub answers: Vec<(Option<Noise>, Answers)>,
}

/// Writes a row for each bundle, noise and input, as values separated by commas. The file is
/// replaced in one step; its folder is created if necessary.
///
/// # Errors
/// [`ReportError::Unwritable`] with the path.
pub fn write_predictions(path: &Path, evaluations: &[Evaluated]) -> Result<(), ReportError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
    }
    replace(path, table(evaluations).as_bytes())
}

/// The table. Each class has a column for its probability, `p(CLASS)`; all bundles of an evaluation
/// have the same classes.
fn table(evaluations: &[Evaluated]) -> String {
    let classes = evaluations.first().map_or(&[][..], |first| &first.report.model.classes);
    let known = ["model", "noise", "file", "start", "group", "truth", "prediction"];
    let ends = ["shift_score", "shift_p_value", "shift_alarm", "level_alarm"];
    let mut text = String::new();
    line(
        &mut text,
        known
            .map(str::to_owned)
            .into_iter()
            .chain(classes.iter().map(|class| format!("p({class})")))
            .chain(ends.map(str::to_owned)),
    );
    for evaluated in evaluations {
        for (noise, answers) in &evaluated.answers {
            rows(&mut text, evaluated, &noise_name(noise.as_ref()), answers);
        }
    }
    text
}

/// Adds the rows of one bundle under one noise.
fn rows(text: &mut String, evaluated: &Evaluated, noise: &str, answers: &Answers) {
    let (model, part) = (evaluated.report.name(), &evaluated.test);
    let class = |class: usize| evaluated.report.model.classes.get(class).cloned();
    let inputs = part.indices.iter().zip(answers.predictions.decisions());
    let probabilities = answers.predictions.probabilities();
    for (place, ((&index, (truth, prediction, _)), row)) in
        inputs.zip(probabilities.rows()).enumerate()
    {
        let Origin { file, start, group, .. } = part.source.origin(index);
        let shift = answers.shifts.get(place);
        let known = [
            model.clone(),
            noise.to_owned(),
            // Of what is in one file with others, the name says the place.
            file.map_or_else(|| part.source.name(index), str::to_owned),
            start.map_or_else(String::new, |start| start.to_string()),
            group.unwrap_or_default().to_owned(),
            class(truth).unwrap_or_default(),
            class(prediction).unwrap_or_default(),
        ];
        let ends = [
            shift.map(|shift| shift.score.to_string()),
            shift.map(|shift| shift.p_value.to_string()),
            shift.map(|shift| shift.alarm.to_string()),
            answers.level_alarms.get(place).map(bool::to_string),
        ];
        line(
            text,
            known
                .into_iter()
                .chain(row.iter().map(f32::to_string))
                .chain(ends.map(Option::unwrap_or_default)),
        );
    }
}

/// Adds a line; cells with commas or quotation marks are quoted as in RFC 4180.
fn line(text: &mut String, cells: impl Iterator<Item = String>) {
    for (place, cell) in cells.enumerate() {
        let cell = plain(&cell);
        if place > 0 {
            text.push(',');
        }
        if cell.contains([',', '"']) {
            text.extend(["\"", &cell.replace('"', "\"\""), "\""]);
        } else {
            text.push_str(&cell);
        }
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drsn_bundle::baseline::InputShift;
    use ndarray::{Array2, ArrayViewMutD};

    use super::{super::fixtures, *};
    use crate::{
        dataset::{DatasetError, DatasetSource},
        evaluation::Predictions,
    };

    /// Windows of one file.
    #[derive(Debug)]
    struct Windows;

    impl DatasetSource for Windows {
        fn len(&self) -> usize {
            2
        }

        fn label(&self, index: usize) -> usize {
            index
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn origin(&self, index: usize) -> Origin<'_> {
            let (file, start) = (Some("pump \"A\", left.wav"), Some(2048 * index));
            Origin { file, start, ..Origin::default() }
        }

        fn read(&self, _: usize, _: isize, _: ArrayViewMutD<'_, f32>) -> Result<(), DatasetError> {
            Ok(())
        }
    }

    #[test]
    fn every_input_has_a_row_with_its_file_start_answer_and_alarms() {
        let report = fixtures::report("digits", 0.9);
        let mut probabilities = Array2::zeros((2, 10));
        probabilities[[0, 0]] = 1.0;
        probabilities[[1, 3]] = 0.75;
        let answers = Answers {
            predictions: Predictions::new(vec![0, 1], probabilities).unwrap(),
            shifts: [false, true]
                .map(|alarm| InputShift { score: 12.5, p_value: 0.25, alarm, reason: None })
                .to_vec(),
            level_alarms: Vec::new(),
        };
        let noise = "gaussian@0dB".parse().ok();
        let part = Part { source: Arc::new(Windows), indices: vec![0, 1] };
        let evaluated = Evaluated { report, test: part, answers: vec![(noise, answers)] };
        let text = table(&[evaluated]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("model,noise,file,start,group,truth,prediction,p(0),p(1),"));
        assert!(lines[0].ends_with(",p(9),shift_score,shift_p_value,shift_alarm,level_alarm"));
        assert_eq!(
            lines[2],
            "digits 1,gaussian@0dB,\"pump \"\"A\"\", left.wav\",2048,,1,3,0,0,0,0.75,0,0,0,0,0,0,\
             12.5,0.25,true,"
        );
        assert_eq!(lines.len(), 3);
    }
}
