//! A digest of a data set, which detects that the data was exchanged.

use ndarray::ArrayD;
use sha2::{Digest as _, Sha256};

use super::{Data, DatasetError, Part};
use crate::hexadecimal::hexadecimal;

/// Number of inputs of a part whose values are read: enough to detect swapped files, and fast.
const SAMPLED_INPUTS: usize = 64;

impl Data {
    /// SHA-256 in lower-case hexadecimal digits of the classes, the shape of an input, and for each
    /// part the indices and labels of all inputs and the raw values of up to 64 evenly spaced ones.
    ///
    /// # Errors
    /// [`DatasetError`] if an input cannot be read.
    pub fn digest(&self) -> Result<String, DatasetError> {
        let mut sum = Sha256::new();
        add_numbers(&mut sum, [self.classes.len()]);
        for class in &self.classes {
            // With their lengths, so that different lists of classes never give the same bytes.
            add_numbers(&mut sum, [class.len()]);
            sum.update(class);
        }
        let shape = self.input.shape();
        add_numbers(&mut sum, shape.iter().copied().chain([shape.len()]));
        let mut values = ArrayD::zeros(shape);
        for part in [Some(&self.training), Some(&self.held_out), self.test.as_ref()] {
            add_part(&mut sum, part, &mut values)?;
        }
        Ok(hexadecimal(&sum.finalize()))
    }
}

/// Adds a part; `values` is a buffer for one input.
fn add_part(
    sum: &mut Sha256,
    part: Option<&Part>,
    values: &mut ArrayD<f32>,
) -> Result<(), DatasetError> {
    let indices = part.map_or(&[][..], |part| &part.indices[..]);
    add_numbers(sum, [indices.len()]);
    let Some(Part { source, .. }) = part else { return Ok(()) };
    for &index in indices {
        add_numbers(sum, [index, source.label(index)]);
    }
    let read = indices.len().min(SAMPLED_INPUTS);
    for place in 0..read {
        source.read(indices[place * indices.len() / read], 0, values.view_mut())?;
        for value in &*values {
            sum.update(value.to_le_bytes());
        }
    }
    Ok(())
}

fn add_numbers(sum: &mut Sha256, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        sum.update((number as u64).to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drsn_bundle::{InputSpec, Normalization, SignalSpec};
    use ndarray::ArrayViewMutD;

    use super::*;
    use crate::dataset::DatasetSource;

    /// Inputs of two numbers; every second one belongs to the second class.
    #[derive(Debug)]
    struct Numbers(Vec<[f32; 2]>);

    impl DatasetSource for Numbers {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn label(&self, index: usize) -> usize {
            index % 2
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn read(
            &self,
            index: usize,
            _: isize,
            mut values: ArrayViewMutD<'_, f32>,
        ) -> Result<(), DatasetError> {
            values.iter_mut().zip(self.0[index]).for_each(|(value, number)| *value = number);
            Ok(())
        }
    }

    fn data(numbers: Vec<[f32; 2]>) -> Data {
        let count = numbers.len();
        let source: Arc<dyn DatasetSource> = Arc::new(Numbers(numbers));
        let part = |indices| Part { source: Arc::clone(&source), indices };
        Data {
            input: InputSpec::Signal(SignalSpec {
                channels: 1,
                window: 2,
                sample_rate_hz: None,
                normalization: Normalization::None,
                source: None,
                padding: None,
            }),
            classes: vec!["new".to_owned(), "worn".to_owned()],
            description: String::new(),
            training: part((4..count).collect()),
            held_out: part(vec![1, 0]),
            test: Some(part(vec![2, 3])),
            test_name: String::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn numbers(count: usize) -> Vec<[f32; 2]> {
        (0..count).map(|number| [number as f32, -1.0]).collect()
    }

    #[test]
    fn the_same_data_has_the_same_digest_and_any_other_another() {
        let same = data(numbers(200));
        let digest = same.digest().unwrap();
        assert_eq!((digest.len(), &data(numbers(200)).digest().unwrap()), (64, &digest));
        let mut swapped = numbers(200);
        swapped.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        let mut others = vec![data(swapped), data(numbers(201))];
        others.push(Data { classes: vec!["n".to_owned(), "eworn".to_owned()], ..same.clone() });
        others.push(Data { test: None, ..same.clone() });
        others.push(Data { held_out: same.training.clone(), ..same.clone() });
        for other in others {
            assert_ne!(other.digest().unwrap(), digest);
        }
    }
}
