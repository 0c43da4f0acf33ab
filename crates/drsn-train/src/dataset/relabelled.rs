//! Data with its classes in the order of a model's.

use std::sync::Arc;

use ndarray::ArrayViewMutD;

use super::{Data, DatasetError, DatasetSource, Origin, Part};

/// A source whose classes have other positions.
#[derive(Debug)]
struct Relabelled {
    source: Arc<dyn DatasetSource>,
    /// The new position of each class.
    positions: Arc<[usize]>,
}

impl DatasetSource for Relabelled {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn label(&self, index: usize) -> usize {
        self.positions[self.source.label(index)]
    }

    fn name(&self, index: usize) -> String {
        self.source.name(index)
    }

    fn origin(&self, index: usize) -> Origin<'_> {
        self.source.origin(index)
    }

    fn read(
        &self,
        index: usize,
        shift: isize,
        values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        self.source.read(index, shift, values)
    }
}

impl Data {
    /// The same data with its classes in this order. Unchanged if they are not these classes.
    ///
    /// Classes of folders are sorted by name; those of a model from elsewhere are in the order of
    /// its outputs.
    pub(crate) fn in_order_of(&self, classes: &[String]) -> Self {
        let position = |class: &String| classes.iter().position(|other| other == class);
        let positions: Option<Arc<[usize]>> = self.classes.iter().map(position).collect();
        let Some(positions) = positions.filter(|_| classes.len() == self.classes.len()) else {
            return self.clone();
        };
        if self.classes == classes {
            return self.clone();
        }
        let part = |part: &Part| Part {
            source: Arc::new(Relabelled {
                source: Arc::clone(&part.source),
                positions: Arc::clone(&positions),
            }),
            indices: part.indices.clone(),
        };
        Self {
            classes: classes.to_vec(),
            training: part(&self.training),
            held_out: part(&self.held_out),
            test: self.test.as_ref().map(part),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use drsn_bundle::{InputSpec, Normalization, SignalSpec};

    use super::*;

    /// Inputs whose label is their index.
    #[derive(Debug)]
    struct Three;

    impl DatasetSource for Three {
        fn len(&self) -> usize {
            3
        }

        fn label(&self, index: usize) -> usize {
            index
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn read(&self, _: usize, _: isize, _: ArrayViewMutD<'_, f32>) -> Result<(), DatasetError> {
            Ok(())
        }
    }

    fn names(names: [&str; 3]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }

    #[test]
    fn classes_of_folders_come_in_the_order_of_the_models() {
        let part = || Part { source: Arc::new(Three), indices: vec![0, 1, 2] };
        let data = Data {
            input: InputSpec::Signal(SignalSpec {
                channels: 1,
                window: 4,
                sample_rate_hz: None,
                normalization: Normalization::None,
                source: None,
                padding: None,
            }),
            classes: names(["inner", "normal", "outer"]),
            description: String::new(),
            training: part(),
            held_out: part(),
            test: Some(part()),
            test_name: String::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
        };
        let classes = names(["normal", "inner", "outer"]);
        let ordered = data.in_order_of(&classes);
        assert_eq!(ordered.classes, classes);
        let test = ordered.test.unwrap();
        for part in [ordered.training, ordered.held_out, test] {
            let labels: Vec<_> = part.indices.iter().map(|&at| part.source.label(at)).collect();
            assert_eq!(labels, [1, 0, 2]);
        }
        let other = data.in_order_of(&names(["normal", "inner", "ball"]));
        assert_eq!(other.classes, data.classes);
    }
}
