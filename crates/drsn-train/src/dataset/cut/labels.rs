//! From labels, which are numbers, truth values or texts, to classes.

use std::{cmp::Ordering, collections::HashMap, path::Path};

use drsn_recording::Value;

use super::{
    collector::{Collected, Window},
    unusable,
};
use crate::{
    dataset::{DatasetError, files::natural},
    recipe::WindowConfig,
};

/// Most classes: far above every real data set.
const MAX_CLASSES: usize = 10_000;

/// The classes of a data set.
pub(super) struct Classes {
    pub(super) names: Vec<String>,
    /// Class of each label, by its place.
    of_label: HashMap<u32, usize>,
}

impl Classes {
    /// The class of a window.
    pub(super) fn of(&self, window: &Window) -> usize {
        self.of_label.get(&window.label).copied().unwrap_or(0)
    }
}

/// Finds the classes of all windows: in the order of their numbers, or in the natural order of their
/// texts. Cells of a table that are all numbers count as such: `0`, `0.0` and `0.0e0` are one class.
pub(super) fn classes(
    path: &Path,
    config: &WindowConfig,
    set: &mut Collected,
    are_cells: bool,
    skip_bad: bool,
) -> Result<Classes, DatasetError> {
    let mut labels: Vec<(u32, Value)> = Vec::new();
    let mut is_known = vec![false; set.values.all().len()];
    for window in &set.windows {
        if let Some(known @ false) = is_known.get_mut(window.label as usize) {
            *known = true;
            let value = set.values.get(window.label).cloned().unwrap_or(Value::Truth(false));
            labels.push((window.label, value));
        }
    }
    if are_cells && let Some(numbers) = numbers(&labels) {
        leave_fractions_out(set, &numbers, skip_bad)?;
        labels = numbers
            .into_iter()
            .filter(|(_, number)| is_class(*number))
            .map(|(label, number)| (label, Value::Number(number)))
            .collect();
    }
    labels.sort_by(|(_, a), (_, b)| order(a, b));
    let mut known: Vec<Value> = Vec::new();
    let mut of_label = HashMap::new();
    for (label, value) in labels {
        if known.last() != Some(&value) {
            known.push(value);
        }
        of_label.insert(label, known.len() - 1);
    }
    check(&known).map_err(|reason| unusable(path, reason))?;
    let own: Vec<String> = known.iter().map(name).collect();
    let are_texts = known.iter().all(|value| matches!(value, Value::Text(_)));
    if config.classes.is_empty() {
        return Ok(Classes { names: own, of_label });
    }
    let names = config.classes.clone();
    let order = given(&names, &own, are_texts).map_err(|reason| unusable(path, reason))?;
    for class in of_label.values_mut() {
        *class = order[*class];
    }
    Ok(Classes { names, of_label })
}

/// The labels as numbers, if all of them are.
fn numbers(labels: &[(u32, Value)]) -> Option<Vec<(u32, f64)>> {
    let number = |(label, value): &(u32, Value)| match value {
        // A zero with a sign is a zero.
        Value::Text(text) => text.parse::<f64>().ok().map(|number| (*label, number + 0.0)),
        Value::Number(number) => Some((*label, *number)),
        Value::Truth(_) => None,
    };
    labels.iter().map(number).collect()
}

/// Whether a number can be a class.
fn is_class(number: f64) -> bool {
    number.fract() == 0.0
}

/// Refuses windows whose label in a table is no whole number, or leaves them out.
fn leave_fractions_out(
    set: &mut Collected,
    numbers: &[(u32, f64)],
    skip_bad: bool,
) -> Result<(), DatasetError> {
    let wrong: HashMap<u32, f64> =
        numbers.iter().copied().filter(|(_, number)| !is_class(*number)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let windows = std::mem::take(&mut set.windows);
    for window in windows {
        let Some(number) = wrong.get(&window.label) else {
            set.windows.push(window);
            continue;
        };
        let reason = format!("its label is {number}, and a class is a whole number or a text");
        set.leave_out(window.origin, window.place, &reason, skip_bad)?;
    }
    Ok(())
}

fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Number(_) => 0,
        Value::Truth(_) => 1,
        Value::Text(_) => 2,
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.total_cmp(b),
        (Value::Truth(a), Value::Truth(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => natural(a, b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// Rejects labels of several kinds, a single one, and too many.
fn check(known: &[Value]) -> Result<(), String> {
    let kind = |value: &Value| std::mem::discriminant(value);
    if known.windows(2).any(|pair| kind(&pair[0]) != kind(&pair[1])) {
        let [first, last] = [known.first(), known.last()].map(|v| v.map_or(String::new(), name));
        return Err(format!(
            "some labels are numbers and others texts, such as {first} and \"{last}\": write all of \
             them in one way"
        ));
    }
    match known {
        [] => Err("it has no window that can be used".to_owned()),
        [one] => {
            Err(format!("every label is {}, but at least two classes are required", name(one)))
        }
        _ if known.len() > MAX_CLASSES => Err(format!(
            "it has {} different labels, above the limit of {MAX_CLASSES} classes: is the label a \
             measurement?",
            known.len()
        )),
        _ => Ok(()),
    }
}

fn name(value: &Value) -> String {
    match value {
        Value::Number(number) => format!("{number:.0}"),
        Value::Truth(truth) => truth.to_string(),
        Value::Text(text) => text.clone(),
    }
}

/// The place in the recipe's names of each class: in the order of numbers, or by the texts
/// themselves.
fn given(names: &[String], own: &[String], are_texts: bool) -> Result<Vec<usize>, String> {
    const SHOWN: usize = 20;
    let shown: Vec<&str> = own.iter().map(String::as_str).take(SHOWN).collect();
    if names.len() != own.len() {
        return Err(format!(
            "data.classes has {} names, but there are {} different labels: {}",
            names.len(),
            own.len(),
            shown.join(", ")
        ));
    }
    if !are_texts {
        return Ok((0..own.len()).collect());
    }
    let place = |text: &String| {
        names.iter().position(|name| name == text).ok_or_else(|| {
            format!("the label \"{text}\" is not among data.classes: {}", names.join(", "))
        })
    };
    own.iter().map(place).collect()
}
