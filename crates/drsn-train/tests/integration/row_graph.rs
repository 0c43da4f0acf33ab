//! The graph with signals as rows gives what the model gives, whatever operators follow each other.

use drsn_bundle::{
    Tolerance,
    onnx::{Attribute, GraphBuilder, INPUT, with_signals_as_rows},
};
use drsn_train::random::{Purpose, stream};
use rand::{RngExt as _, rngs::ChaCha8Rng};

use crate::{
    skip,
    support::{random_inputs, runtime, session, signal},
};

const GRAPHS: u64 = 1000;
const WINDOW: usize = 48;

/// Features in a graph, `[batch, channels, length]`.
#[derive(Debug, Clone)]
struct Features {
    name: String,
    channels: usize,
    length: usize,
}

/// A random graph in the making.
struct Random {
    rng: ChaCha8Rng,
    graph: GraphBuilder,
    features: Vec<Features>,
    count: usize,
}

impl Random {
    fn new(seed: u64) -> Self {
        let mut graph = GraphBuilder::new("random");
        graph.input(INPUT, &[-1, 2, WINDOW as i64]);
        let features = vec![Features { name: INPUT.to_owned(), channels: 2, length: WINDOW }];
        Self { rng: stream(seed, Purpose::Evaluation, 0, 0), graph, features, count: 0 }
    }

    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.rng.random_range(0..of.len())]
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("t{}", self.count)
    }

    fn floats(&mut self, shape: &[usize]) -> String {
        let values: Vec<f32> =
            (0..shape.iter().product()).map(|_| self.rng.random_range(0.1..0.6)).collect();
        let name = self.name();
        self.graph.tensor(&name, shape, &values)
    }

    fn integers(&mut self, values: &[i64]) -> String {
        let name = self.name();
        self.graph.integers(&name, values)
    }

    fn any(&mut self) -> Features {
        // The latest ones more often, so that graphs become deep.
        let from =
            if self.rng.random_bool(0.7) { self.features.len().saturating_sub(2) } else { 0 };
        let at = self.rng.random_range(from..self.features.len());
        self.features[at].clone()
    }

    fn add(
        &mut self,
        operator: &str,
        inputs: &[&str],
        options: &[(&str, Attribute)],
        shape: [usize; 2],
    ) {
        let name = self.name();
        let name = self.graph.node(operator, inputs, &name, options);
        self.features.push(Features { name, channels: shape[0], length: shape[1] });
    }

    fn convolution(&mut self) {
        let Features { name, channels, length } = self.any();
        let (made, kernel) = (self.one_of(&[3, 8, 16]), self.one_of(&[1, 3, 8]));
        let (stride, pads) =
            (self.one_of(&[1, 1, 2, 4]), self.one_of(&[[0, 0], [1, 1], [0, 1], [3, 4]]));
        let Some(rest) = (length + pads[0] + pads[1]).checked_sub(kernel) else { return };
        let weights = self.floats(&[made, channels, kernel]);
        let bias = self.floats(&[made]);
        let mut options = vec![
            ("strides", Attribute::Ints(vec![stride as i64])),
            ("pads", Attribute::Ints(pads.map(|pad| pad as i64).to_vec())),
        ];
        if self.rng.random_bool(0.5) {
            options.push(("kernel_shape", Attribute::Ints(vec![kernel as i64])));
        }
        self.add("Conv", &[&name, &weights, &bias], &options, [made, rest / stride + 1]);
    }

    fn element(&mut self) {
        let Features { name, channels, length } = self.any();
        let operator =
            self.one_of(&["Abs", "Relu", "Sigmoid", "Tanh", "Identity", "LeakyRelu", "Softplus"]);
        self.add(operator, &[&name], &[], [channels, length]);
    }

    fn pair(&mut self) {
        let one = self.any();
        let (channels, length) = (one.channels, one.length);
        let alike: Vec<_> = self
            .features
            .iter()
            .filter(|other| {
                other.channels == channels && (other.length == length || other.length == 1)
            })
            .map(|other| other.name.clone())
            .collect();
        let other = match self.rng.random_range(0..6) {
            0 => self.floats(&[]),
            1 => self.floats(&[1, channels, 1]),
            2 => self.floats(&[1, 1, 1]),
            3 => self.floats(&[channels, 1]),
            4 => self.floats(&[length]),
            _ => alike[self.rng.random_range(0..alike.len())].clone(),
        };
        let operator = self.one_of(&["Add", "Sub", "Mul", "Min", "Max"]);
        let inputs =
            if self.rng.random_bool(0.5) { [&one.name, &other] } else { [&other, &one.name] };
        self.add(operator, &inputs.map(String::as_str), &[], [channels, length]);
    }

    fn slopes(&mut self) {
        let Features { name, channels, length } = self.any();
        let slopes = match self.rng.random_range(0..3) {
            0 => self.floats(&[channels, 1]),
            1 => self.floats(&[1, channels, 1]),
            _ => self.floats(&[1]),
        };
        self.add("PRelu", &[&name, &slopes], &[], [channels, length]);
    }

    fn normalization(&mut self) {
        let Features { name, channels, length } = self.any();
        let [scale, bias, mean, variance] = [(); 4].map(|()| self.floats(&[channels]));
        self.add(
            "BatchNormalization",
            &[&name, &scale, &bias, &mean, &variance],
            &[],
            [channels, length],
        );
    }

    fn part(&mut self) {
        let Features { name, channels, length } = self.any();
        let step = self.one_of(&[1, 2]);
        let axis = self.one_of(&[2, -1, 1]);
        let numbers = [0, i64::MAX, axis, step].map(|number| self.integers(&[number]));
        let shape = if axis == 1 {
            [channels.div_ceil(step as usize), length]
        } else {
            [channels, length.div_ceil(step as usize)]
        };
        let [start, end, axis, step] = &numbers;
        self.add("Slice", &[&name, start, end, axis, step], &[], shape);
    }

    fn padding(&mut self) {
        let Features { name, channels, length } = self.any();
        let pads = self.one_of(&[[0, 2, 0, 0, 1, 0], [0, 0, 3, 0, 0, 1], [0, 1, 1, 0, 1, 1]]);
        let shape =
            [channels + (pads[1] + pads[4]) as usize, length + (pads[2] + pads[5]) as usize];
        let pads = self.integers(&pads);
        self.add("Pad", &[&name, &pads], &[], shape);
    }

    fn mean(&mut self) {
        let Features { name, channels, .. } = self.any();
        if self.rng.random_bool(0.5) {
            return self.add("GlobalAveragePool", &[&name], &[], [channels, 1]);
        }
        let axis = self.one_of(&[2, -1]);
        self.add("ReduceMean", &[&name], &[("axes", Attribute::Ints(vec![axis]))], [channels, 1]);
    }

    /// An operator that tells axes apart by their positions.
    fn by_position(&mut self) {
        let Features { name, channels, length } = self.any();
        match self.rng.random_range(0..3) {
            0 => {
                let order = [("perm", Attribute::Ints(vec![0, 2, 1]))];
                self.add("Transpose", &[&name], &order, [length, channels]);
            }
            1 => {
                let axis = self.one_of(&[1, 2, -1]);
                self.add(
                    "Softmax",
                    &[&name],
                    &[("axis", Attribute::Int(axis))],
                    [channels, length],
                );
            }
            _ => {
                let axis = self.one_of(&[1, 2]);
                let shape = if axis == 1 { [2 * channels, length] } else { [channels, 2 * length] };
                let axis = [("axis", Attribute::Int(axis))];
                self.add("Concat", &[&name, &name], &axis, shape);
            }
        }
    }

    /// The model: some features are outputs, and some without their last axis, or without any.
    fn finish(mut self) -> Vec<u8> {
        for at in 0..self.features.len() {
            let Features { name, channels, length } = self.features[at].clone();
            let is_last = at + 1 == self.features.len();
            if name == INPUT || !(is_last || self.rng.random_bool(0.3)) {
                continue;
            }
            let made = self.name();
            match self.rng.random_range(0..3) {
                0 => self.graph.output(&name, &[-1, channels as i64, length as i64]),
                1 => {
                    let axis = [("axis", Attribute::Int(1))];
                    let flat = self.graph.node("Flatten", &[&name], &made, &axis);
                    self.graph.output(&flat, &[-1, (channels * length) as i64]);
                }
                _ => {
                    let options =
                        [("axes", Attribute::Ints(vec![2])), ("keepdims", Attribute::Int(0))];
                    let mean = self.graph.node("ReduceMean", &[&name], &made, &options);
                    self.graph.output(&mean, &[-1, channels as i64]);
                }
            }
        }
        self.graph.finish("")
    }
}

fn random_model(seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    random.convolution();
    for _ in 0..random.rng.random_range(2..14) {
        match random.rng.random_range(0..10) {
            0..2 => random.convolution(),
            2 => random.element(),
            3 => random.pair(),
            4 => random.normalization(),
            5 => random.part(),
            6 => random.padding(),
            7 => random.mean(),
            8 => random.slopes(),
            _ => random.by_position(),
        }
    }
    random.finish()
}

#[test]
fn a_random_graph_with_signals_as_rows_gives_what_it_gave() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let input = signal(WINDOW);
    let inputs = random_inputs(3, &input);
    let mut changed = 0;
    for seed in 0..GRAPHS {
        let model = random_model(seed);
        let rows = with_signals_as_rows(&model).unwrap();
        changed += u64::from(rows != model);
        let run = |model: &[u8]| session(&runtime, model, &input).run(inputs.view()).unwrap();
        for (expected, found) in run(&model).iter().zip(run(&rows)) {
            assert_eq!(expected.name, found.name, "{seed}");
            assert_eq!(expected.values.shape(), found.values.shape(), "{seed} {}", found.name);
            if let Err(error) = Tolerance::CPU.check(&expected.values, &found.values) {
                panic!("{seed} {}: {error}", found.name);
            }
        }
    }
    assert_eq!(changed, GRAPHS, "each has a convolution");
}
