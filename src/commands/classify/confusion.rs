//! The confusion matrix of files whose folders say their class.

use std::fmt::Write as _;

/// Counts of inputs, by their true and their predicted class.
#[derive(Debug)]
pub(super) struct Confusion {
    classes: Vec<String>,
    /// `[true class][predicted class]`.
    counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// An empty matrix of these classes.
    pub(super) fn new(classes: Vec<String>) -> Self {
        let counts = vec![vec![0; classes.len()]; classes.len()];
        Self { classes, counts }
    }

    /// Counts an input.
    pub(super) fn add(&mut self, truth: usize, label: &str) {
        let predicted = self.classes.iter().position(|class| class == label);
        let row = self.counts.get_mut(truth);
        if let Some(count) = row.zip(predicted).and_then(|(row, predicted)| row.get_mut(predicted))
        {
            *count += 1;
        }
    }

    /// The matrix with a row for each true class and a column for each predicted one, without those
    /// that do not occur, then the accuracy. Recall is the share of a class that was recognised.
    pub(super) fn text(&self) -> String {
        let occurs = |&class: &usize| {
            self.counts[class].iter().any(|&count| count > 0)
                || self.counts.iter().any(|row| row[class] > 0)
        };
        let classes: Vec<usize> = (0..self.classes.len()).filter(occurs).collect();
        let heads: Vec<String> =
            classes.iter().map(|&class| format!("{class} {}", self.classes[class])).collect();
        let title = "class of the folder \\ predicted";
        let lengths = heads.iter().map(|head| head.chars().count());
        let first = lengths.max().unwrap_or_default().max(title.len());
        let largest = self.counts.iter().flatten().max().copied().unwrap_or_default();
        let width = largest.to_string().len().max(self.classes.len().to_string().len()).max(3);

        let mut text = format!("{title:first$}");
        for class in &classes {
            let _ = write!(text, "  {class:>width$}");
        }
        text.push_str("   recall\n");
        for (&class, head) in classes.iter().zip(&heads) {
            let _ = write!(text, "{head:first$}");
            for &predicted in &classes {
                let _ = write!(text, "  {:>width$}", self.counts[class][predicted]);
            }
            let _ =
                writeln!(text, "  {:>7}", percent(self.counts[class][class], self.total(class)));
        }
        let right: u64 = (0..self.classes.len()).map(|class| self.counts[class][class]).sum();
        let all: u64 = (0..self.classes.len()).map(|class| self.total(class)).sum();
        let _ = writeln!(text, "accuracy {} ({right} of {all})", percent(right, all));
        text
    }

    /// Number of inputs of a class.
    fn total(&self, class: usize) -> u64 {
        self.counts[class].iter().sum()
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_has_the_classes_that_occur_with_recall_and_accuracy() {
        let mut confusion = Confusion::new(["normal", "ball", "race"].map(str::to_owned).to_vec());
        for label in ["normal", "normal", "normal", "race"] {
            confusion.add(0, label);
        }
        confusion.add(2, "race");
        insta::assert_snapshot!(confusion.text(), @r"
        class of the folder \ predicted    0    2   recall
        0 normal                           3    1   75.0 %
        2 race                             0    1  100.0 %
        accuracy 80.0 % (4 of 5)
        ");
    }
}
