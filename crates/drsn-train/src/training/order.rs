//! The order in which an epoch takes the training inputs, and how often it takes each.

use rand::seq::SliceRandom as _;

use super::{
    batch::{Draw, draws},
    context::TrainingContext,
};
use crate::{
    random::{Purpose, stream},
    recipe::Sampling,
};

/// The training inputs of an epoch, counted from 0, in their order.
pub(super) fn of_epoch(context: &TrainingContext<'_>, epoch: usize) -> Vec<Draw> {
    let mut order = match context.recipe.sampling {
        Sampling::Equal => draws(&context.data.training.indices, epoch),
        Sampling::Balanced => balanced(context, epoch),
    };
    order.shuffle(&mut stream(context.recipe.seed, Purpose::Order, epoch as u64, 0));
    order
}

/// As many inputs as there are, of each class equally often, give or take one. An input is taken
/// again only after all others of its class, and then as in an epoch after the last one, so that
/// its noise is another.
fn balanced(context: &TrainingContext<'_>, epoch: usize) -> Vec<Draw> {
    let classes = by_class(context);
    let (inputs, count) = (context.data.training.indices.len(), classes.len().max(1));
    let mut order = Vec::with_capacity(inputs);
    for (class, members) in classes.iter().enumerate() {
        // What remains of the division is another class's in the next epoch.
        let more = (class + epoch) % count < inputs % count;
        let share = inputs / count + usize::from(more);
        let mut rng = stream(context.recipe.seed, Purpose::Order, epoch as u64, 1 + class as u64);
        let rounds = share.div_ceil(members.len());
        let drawn = (0..rounds).flat_map(|round| {
            let mut members = members.clone();
            members.shuffle(&mut rng);
            draws(&members, epoch + round * (context.recipe.epochs + 1))
        });
        order.extend(drawn.take(share));
    }
    order
}

/// The training inputs in groups, with the weight of an input in the mix of classes that the
/// training sees. All weights together are the number of inputs.
pub(crate) fn weighted(context: &TrainingContext<'_>) -> Vec<(f64, Vec<usize>)> {
    match context.recipe.sampling {
        Sampling::Equal => vec![(1.0, context.data.training.indices.clone())],
        Sampling::Balanced => {
            let classes = by_class(context);
            let share = context.data.training.indices.len() as f64 / classes.len().max(1) as f64;
            classes.into_iter().map(|members| (share / members.len() as f64, members)).collect()
        }
    }
}

/// Indices of the training inputs of each class that has any.
fn by_class(context: &TrainingContext<'_>) -> Vec<Vec<usize>> {
    let training = &context.data.training;
    let mut classes = vec![Vec::new(); context.data.classes.len()];
    for &index in &training.indices {
        if let Some(members) = classes.get_mut(training.source.label(index)) {
            members.push(index);
        }
    }
    classes.retain(|members| !members.is_empty());
    classes
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use drsn_bundle::{Filter, Geometry, ImageSpec, InputSpec};
    use ndarray::ArrayViewMutD;

    use super::*;
    use crate::{
        dataset::{Data, DatasetError, DatasetSource, Part},
        recipe::preset,
        training::Workers,
    };

    /// Inputs without values.
    #[derive(Debug)]
    struct Labels(Vec<usize>);

    impl DatasetSource for Labels {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn label(&self, index: usize) -> usize {
            self.0[index]
        }

        fn name(&self, _: usize) -> String {
            String::new()
        }

        fn read(&self, _: usize, _: isize, _: ArrayViewMutD<'_, f32>) -> Result<(), DatasetError> {
            Ok(())
        }
    }

    fn data(labels: Vec<usize>) -> Data {
        let indices = (0..labels.len()).collect();
        let source: Arc<dyn DatasetSource> = Arc::new(Labels(labels));
        let part = |indices| Part { source: Arc::clone(&source), indices };
        Data {
            input: InputSpec::Image(ImageSpec {
                channels: 1,
                height: 1,
                width: 1,
                geometry: Geometry::Refuse,
                filter: Filter::Triangle,
                mean: vec![0.0],
                std: vec![1.0],
            }),
            classes: (0..4).map(|class| class.to_string()).collect(),
            description: String::new(),
            training: part(indices),
            held_out: part(Vec::new()),
            test: None,
            test_name: String::new(),
            skipped: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// 89 beats of 100 were of one class.
    #[test]
    fn balanced_sampling_draws_each_class_equally_often_and_no_input_alike_twice() {
        let labels: Vec<usize> =
            (0..100).map(|n| usize::from(n >= 89) + usize::from(n >= 97)).collect();
        let data = data(labels.clone());
        let recipe = preset("mnist").unwrap().set(&["sampling=balanced"]).unwrap();
        let workers = Workers::new(1).unwrap();
        let context =
            TrainingContext { recipe: &recipe, data: &data, digest: "", workers: &workers };
        let mut distinct = HashSet::new();
        for epoch in 0..3 {
            let order = of_epoch(&context, epoch);
            assert_eq!(order, of_epoch(&context, epoch));
            assert_eq!(order.len(), 100);
            for class in 0..3 {
                let count = order.iter().filter(|draw| labels[draw.index] == class).count();
                assert!((33..=34).contains(&count), "{count} of class {class}");
            }
            // Each of the three rarest is drawn eleven or twelve times, no two alike.
            let rarest = order.iter().filter(|draw| draw.index >= 97);
            let mut times = [0; 3];
            rarest.for_each(|draw| times[draw.index - 97] += 1);
            assert!(times.iter().all(|times| (11..=12).contains(times)), "{times:?}");
            distinct.extend(order.iter().map(|draw| (draw.index, draw.epoch)));
        }
        assert_eq!(distinct.len(), 300);
        let weights: f64 =
            weighted(&context).iter().map(|(weight, group)| weight * group.len() as f64).sum();
        assert!((weights - 100.0).abs() < 1e-9);
    }
}
