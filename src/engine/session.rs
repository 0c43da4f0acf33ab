//! A model in ONNX Runtime: choosing the device, golden self-check, warm-up.
//!
//! On the CPU the graphs are those of [`onnx::for_cpu`].

use std::sync::{Arc, Once};

use drsn_bundle::{
    Baseline, Bundle, BundleError, InputSpec,
    baseline::InputMeasure,
    onnx,
    runtime::{Provider, Runtime, RuntimeError, Session, Stopper, self_check},
};
use ndarray::{Array2, Array3, ArrayD, ArrayViewD, Axis};

use crate::{
    config::Device,
    engine::{
        class_map::MapShape,
        worker::{Compute, Stop},
    },
};

/// Outputs of a batch.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// Class probabilities, `[batch, classes]`.
    pub(crate) probabilities: Array2<f32>,
    /// Inputs of the softmax, `[batch, classes]`.
    pub(crate) logits: Array2<f32>,
    /// One for each residual shrinkage block.
    pub(crate) blocks: Vec<BlockOutputs>,
    /// Features before the last layer, `[batch, F]`; `None` if the model does not give them.
    pub(crate) features: Option<Array2<f32>>,
    /// Statistics of the inputs, and if the model's baseline has one their spectrum, `[batch, S]`; `None`
    /// if it needs neither.
    pub(crate) statistics: Option<Array2<f32>>,
    /// What each position adds to the logits, `[batch, classes, positions]`; `None` unless
    /// requested, and for a model without a map.
    pub(crate) map: Option<Array3<f32>>,
}

/// Outputs of one block for a batch.
#[derive(Debug)]
pub(crate) struct BlockOutputs {
    /// Thresholds τ, `[batch, C]`.
    pub(crate) threshold: Array2<f32>,
    /// Mean magnitudes A before shrinkage, `[batch, C]`.
    pub(crate) mean_abs: Array2<f32>,
    /// What shrinkage left; `None` unless requested.
    pub(crate) remains: Option<Remains>,
}

/// What a block's shrinkage left, for a batch.
#[derive(Debug)]
pub(crate) struct Remains {
    /// Share of features that are exactly zero, `[batch, C]`.
    pub(crate) zeroed: Array2<f32>,
    /// Mean magnitudes, `[batch, C]`.
    pub(crate) mean_abs: Array2<f32>,
}

/// Both graphs of a model, for one worker.
#[derive(Debug)]
pub(crate) struct ModelSession {
    plain: Session,
    /// The graph with all diagnostics; `None` if the network has neither shrinkage nor a map.
    detailed: Option<Session>,
    /// The map that this graph has.
    map: Option<MapShape>,
    stopper: Arc<dyn Stop>,
    names: Vec<BlockNames>,
    /// Name of the output with the features.
    features: Option<String>,
    input: InputSpec,
    /// What the baseline needs of the inputs themselves.
    measure: Option<InputMeasure>,
}

#[derive(Debug)]
struct BlockNames {
    threshold: String,
    mean_abs: String,
    zeroed: String,
    mean_abs_after: String,
}

impl ModelSession {
    /// Loads both graphs and checks each against the bundle's golden outputs.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime rejects a graph or a graph does not reproduce its golden
    /// outputs.
    pub(crate) fn open(
        runtime: &Runtime,
        bundle: &Bundle,
        provider: Provider,
    ) -> Result<Self, RuntimeError> {
        let manifest = &bundle.manifest;
        let plain = open_graph(runtime, bundle, &bundle.model, provider, Certainty::Sure)?;
        let (detailed, map) = open_detailed(runtime, bundle, provider)?;
        let names = manifest.blocks.iter().map(|block| BlockNames {
            threshold: block.threshold_output.clone(),
            mean_abs: block.mean_abs_output.clone(),
            zeroed: onnx::zeroed_output(block.name.as_str()),
            mean_abs_after: onnx::mean_abs_after_output(block.name.as_str()),
        });
        let measure = |baseline: &Baseline| baseline.input_measure(&manifest.input);
        let measure = manifest.baseline.as_ref().map(measure);
        let sessions = [&plain].into_iter().chain(&detailed);
        let stopper = Stoppers(sessions.map(Session::stopper).collect());
        Ok(Self {
            plain,
            detailed,
            map,
            stopper: Arc::new(stopper),
            names: names.collect(),
            features: manifest.features.as_ref().map(|features| features.output.clone()),
            input: manifest.input.clone(),
            measure: measure.flatten(),
        })
    }

    pub(crate) fn provider(&self) -> Provider {
        self.plain.provider()
    }

    /// The shape of the model's class activation map, if it has one.
    pub(crate) fn map(&self) -> Option<MapShape> {
        self.map
    }

    /// A batch of zeros, `[batch, …]`.
    pub(crate) fn zeros(&self, batch: usize) -> ArrayD<f32> {
        let shape: Vec<usize> = std::iter::once(batch).chain(self.input.shape()).collect();
        ArrayD::zeros(shape)
    }

    /// Runs zeros through both graphs, so that no request pays for the one-time work of batches of
    /// up to `max_batch`.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime fails.
    pub(crate) fn warm_up(&mut self, max_batch: usize) -> Result<(), RuntimeError> {
        self.plain.warm_up(&self.provider().batch_sizes(max_batch))?;
        // Requests rarely use it: one size is enough.
        self.detailed.as_mut().map_or(Ok(()), |session| session.warm_up(&[max_batch]))
    }

    /// Frees the memory that earlier, larger batches left allocated in the first graph.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] if the runtime fails.
    pub(crate) fn give_back_memory(&mut self) -> Result<(), RuntimeError> {
        self.plain.give_back_memory()
    }

    /// Runs prepared inputs, `[batch, …]`.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime fails or lacks an output that the manifest names.
    pub(crate) fn run(
        &mut self,
        inputs: ArrayViewD<'_, f32>,
        detailed: bool,
    ) -> Result<Outputs, RuntimeError> {
        let (session, is_detailed) = match &mut self.detailed {
            Some(session) if detailed => (session, true),
            _ => (&mut self.plain, false),
        };
        let statistics = self.measure.as_mut().map(|measure| statistics(&inputs, measure));
        let mut outputs = session.run(inputs)?;
        let probabilities = outputs.take(onnx::PROBABILITIES)?;
        let logits = outputs.take(onnx::LOGITS)?;
        let mut blocks = Vec::with_capacity(self.names.len());
        for names in &self.names {
            let remains = if is_detailed {
                let zeroed = outputs.take(&names.zeroed)?;
                Some(Remains { zeroed, mean_abs: outputs.take(&names.mean_abs_after)? })
            } else {
                None
            };
            blocks.push(BlockOutputs {
                threshold: outputs.take(&names.threshold)?,
                mean_abs: outputs.take(&names.mean_abs)?,
                remains,
            });
        }
        let map = self.map.filter(|_| is_detailed);
        let map = map.map(|shape| shape.take(&mut outputs)).transpose()?;
        let features = self.features.as_ref().map(|name| outputs.take(name)).transpose()?;
        Ok(Outputs { probabilities, logits, blocks, features, statistics, map })
    }
}

/// The statistics and spectra of prepared inputs, `[batch, S]`.
fn statistics(inputs: &ArrayViewD<'_, f32>, measure: &mut InputMeasure) -> Array2<f32> {
    let (count, width) = (inputs.len_of(Axis(0)), measure.width());
    let mut numbers = Vec::with_capacity(count * width);
    for input in inputs.outer_iter() {
        measure.append(input.to_slice().unwrap_or_default(), &mut numbers);
    }
    Array2::from_shape_vec((count, width), numbers).unwrap_or_default()
}

impl Compute for ModelSession {
    type Outputs = Outputs;

    fn run(
        &mut self,
        inputs: ArrayViewD<'_, f32>,
        detailed: bool,
    ) -> Result<Outputs, RuntimeError> {
        Self::run(self, inputs, detailed)
    }

    fn stopper(&self) -> Arc<dyn Stop> {
        Arc::clone(&self.stopper)
    }

    fn is_on_cpu(&self) -> bool {
        self.provider() == Provider::Cpu
    }
}

/// Stops the runs of both graphs.
#[derive(Debug)]
struct Stoppers(Vec<Stopper>);

impl Stop for Stoppers {
    fn stop(&self) {
        self.0.iter().for_each(Stopper::stop);
    }

    fn reset(&self) {
        self.0.iter().for_each(Stopper::reset);
    }
}

/// Opens the graph with all diagnostics, with the map if the network has one; `None` if it would
/// have nothing more than the first graph.
fn open_detailed(
    runtime: &Runtime,
    bundle: &Bundle,
    provider: Provider,
) -> Result<(Option<Session>, Option<MapShape>), RuntimeError> {
    let blocks = &bundle.manifest.blocks;
    let detailed = onnx::with_shrinkage_outputs(&bundle.model, blocks).map_err(load_error)?;
    // Features may have other spatial axes than the input, as those of a spectrogram have.
    let axes = bundle.manifest.input.shape().len() - 1;
    for space in [axes, 3 - axes] {
        let model = onnx::with_class_map(&detailed, space).map_err(load_error)?;
        let Some(model) = model else { break };
        // A network that only seems to have a map is served without.
        match open_graph(runtime, bundle, &model, provider, Certainty::Guess)
            .and_then(|mut session| Ok((MapShape::prove(&mut session, bundle)?, session)))
        {
            Ok((Some(map), session)) => return Ok((Some(session), Some(map))),
            Ok((None, _)) => {}
            Err(error) => {
                tracing::debug!(%error, space, "a graph with a class activation map fails");
            }
        }
    }
    if blocks.is_empty() {
        return Ok((None, None));
    }
    Ok((Some(open_graph(runtime, bundle, &detailed, provider, Certainty::Sure)?), None))
}

/// Whether a graph is known to be one that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Certainty {
    Sure,
    Guess,
}

/// Opens a session that reproduces the golden outputs. On the CPU it uses the graph made for it if that
/// reproduces them too.
fn open_graph(
    runtime: &Runtime,
    bundle: &Bundle,
    model: &[u8],
    provider: Provider,
    certainty: Certainty,
) -> Result<Session, RuntimeError> {
    let open = |model: &[u8]| {
        let shape = bundle.manifest.input.shape();
        let mut session = Session::open(runtime, model, &shape, provider)?;
        self_check(&mut session, &bundle.golden)?;
        Ok(session)
    };
    if provider == Provider::Cpu {
        let faster = onnx::for_cpu(model, &bundle.manifest.blocks).map_err(load_error)?;
        if faster != model {
            match open(&faster) {
                Ok(session) => return Ok(session),
                Err(_) if certainty == Certainty::Guess => {}
                Err(error) => {
                    let model = &bundle.manifest.name;
                    tracing::warn!(%model, %error, "the graph made for the processor fails; trying the original graph");
                }
            }
        }
    }
    open(model)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn load_error(error: BundleError) -> RuntimeError {
    RuntimeError::Load { reason: error.to_string() }
}

/// The warning is logged once per process, however many models there are.
static WARNING: Once = Once::new();

/// Chooses the device of a model. A device that is named is used or is an error; `auto` uses the
/// first CUDA device if the model reproduces its golden outputs there; otherwise it uses the CPU
/// and logs the reason once.
///
/// # Errors
/// [`RuntimeError`] if the named device cannot be used.
pub(crate) fn choose_provider(
    runtime: &Runtime,
    bundle: &Bundle,
    device: Device,
) -> Result<Provider, RuntimeError> {
    match device {
        Device::Cpu => Ok(Provider::Cpu),
        Device::Cuda(number) => {
            let provider = Provider::Cuda(number);
            ModelSession::open(runtime, bundle, provider)?;
            Ok(provider)
        }
        Device::Auto => match ModelSession::open(runtime, bundle, Provider::Cuda(0)) {
            Ok(_) => Ok(Provider::Cuda(0)),
            Err(error) => {
                let reason = if let RuntimeError::Device { reason, .. } = error {
                    reason
                } else {
                    error.to_string()
                };
                WARNING.call_once(|| {
                    tracing::warn!(reason, "no CUDA device can be used; computing on the CPU");
                });
                Ok(Provider::Cpu)
            }
        },
    }
}
