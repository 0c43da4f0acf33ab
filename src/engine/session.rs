//! A model in ONNX Runtime: the choice of the device, the golden self-check, the warm-up.
//!
//! On a processor the graphs are those of [`onnx::with_fused_shrinkage`].

use std::sync::Once;

use drsn_bundle::{
    Bundle, BundleError, onnx,
    runtime::{Provider, Runtime, RuntimeError, Session, self_check},
};

use ndarray::{Array2, ArrayD, ArrayViewD};

use crate::config::Device;

/// Outputs of a batch, in the order in which [`ModelSession`] names them.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// Class probabilities, `[batch, classes]`.
    pub(crate) probabilities: Array2<f32>,
    /// What the softmax takes, `[batch, classes]`.
    pub(crate) logits: Array2<f32>,
    /// What each block did.
    pub(crate) blocks: Vec<BlockOutputs>,
}

/// What one block did in a batch.
#[derive(Debug)]
pub(crate) struct BlockOutputs {
    /// Thresholds τ, `[batch, C]`.
    pub(crate) threshold: Array2<f32>,
    /// Mean magnitudes A before shrinkage, `[batch, C]`.
    pub(crate) mean_abs: Array2<f32>,
    /// BatchSlice of features that are exactly zero after shrinkage, `[batch, C]`; only where it was asked for.
    pub(crate) zeroed: Option<Array2<f32>>,
}

/// Both graphs of a model, for one worker thread.
#[derive(Debug)]
pub(crate) struct ModelSession {
    plain: Session,
    /// The graph that also counts zeroed features; none where the network does not shrink.
    zeroed: Option<Session>,
    names: Vec<BlockNames>,
    /// Shape of one input.
    input_shape: Vec<usize>,
}

#[derive(Debug)]
struct BlockNames {
    threshold: String,
    mean_abs: String,
    zeroed: String,
}

impl ModelSession {
    /// Loads both graphs, and holds each against the bundle's golden outputs.
    ///
    /// # Errors
    /// [`RuntimeError`] where the runtime refuses a graph, or it does not give its golden outputs here.
    pub(crate) fn open(
        runtime: &Runtime,
        bundle: &Bundle,
        provider: Provider,
    ) -> Result<Self, RuntimeError> {
        let manifest = &bundle.manifest;
        let open = |model: &[u8]| open_graph(runtime, bundle, model, provider);
        let plain = open(&bundle.model)?;
        let zeroed = if manifest.blocks.is_empty() {
            None
        } else {
            let model =
                onnx::with_zeroed_outputs(&bundle.model, &manifest.blocks).map_err(refused)?;
            Some(open(&model)?)
        };
        let names = manifest.blocks.iter().map(|block| BlockNames {
            threshold: block.threshold_output.clone(),
            mean_abs: block.mean_abs_output.clone(),
            zeroed: onnx::zeroed_output(block.name.as_str()),
        });
        Ok(Self { plain, zeroed, names: names.collect(), input_shape: manifest.input.shape() })
    }

    /// Where it computes.
    pub(crate) fn provider(&self) -> Provider {
        self.plain.provider()
    }

    /// A batch of zeros, `[batch, …]`.
    pub(crate) fn zeros(&self, batch: usize) -> ArrayD<f32> {
        let shape: Vec<usize> =
            std::iter::once(batch).chain(self.input_shape.iter().copied()).collect();
        ArrayD::zeros(shape)
    }

    /// Runs zeros through both graphs, so that no request pays for what is done once for batches of up to `max_batch`.
    ///
    /// # Errors
    /// [`RuntimeError`] where the runtime fails.
    pub(crate) fn warm_up(&mut self, max_batch: usize) -> Result<(), RuntimeError> {
        self.plain.warm_up(&self.provider().batch_sizes(max_batch))?;
        // It is asked for now and then: one size is enough.
        self.zeroed.as_mut().map_or(Ok(()), |session| session.warm_up(&[max_batch]))
    }

    /// Gives back what larger batches than the next ones left allocated in the graph that [`Self::run`] takes mostly.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the runtime fails.
    pub(crate) fn give_back_memory(&mut self) -> Result<(), RuntimeError> {
        self.plain.give_back_memory()
    }

    /// Runs prepared inputs, `[batch, …]`, and names what came.
    ///
    /// # Errors
    /// [`RuntimeError`] where the runtime fails or gives no output of a name that the manifest has.
    pub(crate) fn run(
        &mut self,
        inputs: ArrayViewD<'_, f32>,
        zeroed: bool,
    ) -> Result<Outputs, RuntimeError> {
        let session = match &mut self.zeroed {
            Some(session) if zeroed => session,
            _ => &mut self.plain,
        };
        let mut outputs = session.run(inputs)?;
        let probabilities = outputs.take(onnx::PROBABILITIES)?;
        let logits = outputs.take(onnx::LOGITS)?;
        let mut blocks = Vec::with_capacity(self.names.len());
        for names in &self.names {
            blocks.push(BlockOutputs {
                threshold: outputs.take(&names.threshold)?,
                mean_abs: outputs.take(&names.mean_abs)?,
                zeroed: if zeroed { Some(outputs.take(&names.zeroed)?) } else { None },
            });
        }
        Ok(Outputs { probabilities, logits, blocks })
    }
}

/// A session that gives the golden outputs. On a processor it is of the graph with operators of our own, where that gives
/// them too.
fn open_graph(
    runtime: &Runtime,
    bundle: &Bundle,
    model: &[u8],
    provider: Provider,
) -> Result<Session, RuntimeError> {
    let open = |model: &[u8]| {
        let shape = bundle.manifest.input.shape();
        let mut session = Session::open(runtime, model, &shape, provider)?;
        self_check(&mut session, &bundle.golden)?;
        Ok(session)
    };
    if provider == Provider::Cpu {
        let fused = onnx::with_fused_shrinkage(model, &bundle.manifest.blocks).map_err(refused)?;
        if fused != model {
            match open(&fused) {
                Ok(session) => return Ok(session),
                Err(error) => {
                    let model = &bundle.manifest.name;
                    tracing::warn!(%model, %error, "shrinkage by operators of our own fails, trying the model as it is");
                }
            }
        }
    }
    open(model)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn refused(error: BundleError) -> RuntimeError {
    RuntimeError::Load { reason: error.to_string() }
}

/// Said once in a process, however many models there are.
static WARNING: Once = Once::new();

/// Chooses where a model computes. What was asked for by name is used or is an error; `auto` takes the first CUDA
/// device on which the model gives its golden outputs, and says once why it took the CPU instead.
///
/// # Errors
/// [`RuntimeError`] where the device that was asked for cannot be used.
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
                    tracing::warn!(reason, "no CUDA device can be used, computing on the CPU");
                });
                Ok(Provider::Cpu)
            }
        },
    }
}
