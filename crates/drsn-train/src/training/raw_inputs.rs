//! Raw inputs as training takes them: from a start nearby, spliced, with augmentation and noise.

use drsn_bundle::InputSpec;
use ndarray::{ArrayD, ArrayViewMutD, ShapeError};
use rand::{RngExt as _, rngs::ChaCha8Rng};

use super::{
    batch::{Batches, Draw},
    disturbance::Disturbance,
    error::InputError,
    splice::{Parts, Splice},
};
use crate::{
    dataset::augmentation,
    noise,
    random::{Purpose, stream},
};

impl Batches<'_> {
    /// Reads one raw input as in `epoch`, with augmentation and noise.
    ///
    /// # Errors
    /// [`InputError`] if it cannot be read, or does not have its shape.
    pub(crate) fn raw(
        &self,
        index: usize,
        epoch: usize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), InputError> {
        let Disturbance { purpose, seed, augmentation, .. } = &self.disturbance;
        let mut rng = stream(*seed, *purpose, epoch as u64, index as u64);
        self.shifted(index, &mut rng, values.view_mut())?;
        if let Some((splice, mut rng)) = self.splice(Draw { index, epoch }) {
            let mut other = ArrayD::zeros(values.shape());
            self.shifted(self.part.indices[splice.other], &mut rng, other.view_mut())?;
            splice.apply(values.view_mut(), &other.view_mut());
        }
        match self.input {
            InputSpec::Image(image) => {
                // Preparation turns the mean into zero.
                let outside = &image.mean;
                let values = values.view_mut().into_dimensionality();
                let values = values.map_err(|error| self.wrong_shape(index, &error))?;
                augmentation::image(augmentation, values, outside, &mut rng);
            }
            InputSpec::Signal(_) => {
                augmentation::signal(augmentation, values.view_mut(), &mut rng);
            }
        }
        if !self.disturbance.drawn_once() {
            self.add_noise(index, &mut rng, values)?;
        }
        Ok(())
    }

    /// Reads one raw input from a random start nearby, with the noise that is part of the data.
    fn shifted(
        &self,
        index: usize,
        rng: &mut ChaCha8Rng,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), InputError> {
        let Disturbance { purpose, seed, augmentation, .. } = &self.disturbance;
        let reach = augmentation.shift as i64;
        let shift = if reach > 0 { rng.random_range(-reach..=reach) } else { 0 };
        self.part.source.read(index, shift as isize, values.view_mut())?;
        if self.disturbance.drawn_once() {
            self.add_noise(index, &mut stream(*seed, *purpose, 0, index as u64), values)?;
        }
        Ok(())
    }

    fn add_noise(
        &self,
        index: usize,
        rng: &mut ChaCha8Rng,
        values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), InputError> {
        let parts = noise::parts(self.input, values);
        self.disturbance.add_noise(parts.map_err(|e| self.wrong_shape(index, &e))?, rng);
        Ok(())
    }

    fn wrong_shape(&self, index: usize, error: &ShapeError) -> InputError {
        InputError::Preparation { input: self.part.source.name(index), reason: error.to_string() }
    }

    /// How an input is spliced with another one, and random numbers for that one.
    fn splice(&self, draw: Draw) -> Option<(Splice, ChaCha8Rng)> {
        let Disturbance { seed, augmentation, .. } = &self.disturbance;
        if augmentation.splice <= 0.0 {
            return None;
        }
        let mut rng = stream(*seed, Purpose::Splicing, draw.epoch as u64, draw.index as u64);
        let splice = Splice::draw(augmentation.splice, self.part.indices.len(), &mut rng)?;
        Some((splice, rng))
    }

    /// The classes of an input's parts.
    pub(super) fn parts(&self, draw: Draw) -> Parts {
        let class = self.part.source.label(draw.index);
        let Some((splice, _)) = self.splice(draw) else { return Parts::whole(class) };
        splice.parts(class, self.part.source.label(self.part.indices[splice.other]))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use burn::tensor::Device;
    use drsn_bundle::{Normalization, SignalSpec};

    use super::*;
    use crate::{
        dataset::{DatasetError, DatasetSource, Part},
        recipe::preset,
        training::draws,
    };

    /// Recordings of four classes: each sample of a window is the number of its class.
    #[derive(Debug)]
    struct Constant;

    impl DatasetSource for Constant {
        fn len(&self) -> usize {
            400
        }

        fn label(&self, index: usize) -> usize {
            index % 4
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
            values.fill(self.label(index) as f32);
            Ok(())
        }
    }

    #[test]
    fn the_parts_of_a_batch_are_what_its_windows_have() {
        let signal = SignalSpec {
            channels: 1,
            window: 50,
            sample_rate_hz: None,
            normalization: Normalization::None,
            source: None,
            padding: None,
        };
        let input = InputSpec::Signal(signal);
        let recipe = preset("signal").unwrap();
        let (recipe, whole) = (
            recipe.set(&["augmentation.splice=0.5", "noise.clean=1"]).unwrap(),
            recipe.set(&["noise.clean=1"]).unwrap(),
        );
        let part = Part { source: Arc::new(Constant), indices: (0..400).collect() };
        for (recipe, expected) in [(&recipe, 120..180), (&whole, 0..1)] {
            let disturbance = Disturbance::training(recipe);
            let batches = Batches { part: &part, input: &input, disturbance };
            let draws = draws(&part.indices, 3);
            let batch = batches.batch(&draws, &Device::flex()).unwrap();
            let values = batches.values(&part.indices, 3).unwrap();
            let mut of_two_classes = 0;
            for ((window, parts), label) in values.outer_iter().zip(&batch.parts).zip(&batch.labels)
            {
                let last = window.len() - 1;
                assert_eq!(window[[0, 0]], parts.at(0.0) as f32);
                assert_eq!(window[[0, last]], parts.at(0.999) as f32);
                assert_eq!(window[[0, last / 2]], *label as f32);
                of_two_classes += usize::from(window[[0, 0]] != window[[0, last]]);
            }
            // A quarter of the spliced ones have two parts of one class.
            assert!(expected.contains(&of_two_classes), "{of_two_classes}");
        }
    }
}
