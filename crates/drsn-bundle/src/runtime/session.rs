//! A model in ONNX Runtime: prepared inputs in, named outputs out.

use std::{fmt, sync::Arc};

use ndarray::{Array2, ArrayD, ArrayViewD, Axis, Dimension as _, IxDyn, Slice};
use ort::{
    session::{RunOptions, Session as OrtSession},
    value::TensorRef,
};

use super::{
    Provider, Runtime, RuntimeError,
    buckets::Buckets,
    load::{load, load_as_written},
    reason::reason,
};

/// One output of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Name of the graph's output.
    pub name: String,
    /// Its values, `[batch, …]`, in row-major order.
    pub values: ArrayD<f32>,
}

/// The outputs of a run, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs(Vec<NamedTensor>);

impl Outputs {
    /// The output of this name, `[batch, …]`, in row-major order.
    ///
    /// # Errors
    /// [`RuntimeError::MissingOutput`] if there is none.
    pub fn get(&self, name: &str) -> Result<ArrayViewD<'_, f32>, RuntimeError> {
        self.0
            .iter()
            .find(|tensor| tensor.name == name)
            .map(|tensor| tensor.values.view())
            .ok_or_else(|| missing(name))
    }

    /// Moves the output of this name out, `[batch, width]`, without a copy.
    ///
    /// # Errors
    /// [`RuntimeError::MissingOutput`] if no output of this name has two axes.
    pub fn take(&mut self, name: &str) -> Result<Array2<f32>, RuntimeError> {
        self.0
            .iter()
            .position(|tensor| tensor.name == name && tensor.values.ndim() == 2)
            .and_then(|at| self.0.swap_remove(at).values.into_dimensionality().ok())
            .ok_or_else(|| missing(name))
    }

    /// Moves the output of this name out, `[batch, …]`, without a copy.
    ///
    /// # Errors
    /// [`RuntimeError::MissingOutput`] if there is none.
    pub fn take_any(&mut self, name: &str) -> Result<ArrayD<f32>, RuntimeError> {
        let at = self.0.iter().position(|tensor| tensor.name == name);
        at.map(|at| self.0.swap_remove(at).values).ok_or_else(|| missing(name))
    }

    /// The outputs, in the graph's order unless one was taken.
    pub fn iter(&self) -> std::slice::Iter<'_, NamedTensor> {
        self.0.iter()
    }
}

impl IntoIterator for Outputs {
    type Item = NamedTensor;
    type IntoIter = std::vec::IntoIter<NamedTensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'o> IntoIterator for &'o Outputs {
    type Item = &'o NamedTensor;
    type IntoIter = std::slice::Iter<'o, NamedTensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn missing(name: &str) -> RuntimeError {
    RuntimeError::MissingOutput { output: name.to_owned() }
}

/// A model loaded into ONNX Runtime. Running it needs `&mut`: it belongs to one thread at a time.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    provider: Provider,
    /// The options of every run, shared with those who may stop one.
    stopper: Stopper,
    /// Shape of one input, without the batch.
    input_shape: Vec<usize>,
}

/// Stops the run of a session from another thread.
#[derive(Clone)]
pub struct Stopper(Arc<RunOptions>);

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").finish_non_exhaustive()
    }
}

impl Stopper {
    /// Ends the current run with an error as soon as it has computed its current node, and every
    /// run after it at once. A node that never ends is not stopped.
    pub fn stop(&self) {
        // If the runtime refuses, the run goes on: the caller has to watch it anyway.
        let _ = self.0.terminate();
    }

    /// Lets the next runs go on.
    pub fn reset(&self) {
        let _ = self.0.unterminate();
    }
}

#[derive(Debug)]
enum Engine {
    /// One session for batches of any size.
    Single(OrtSession),
    /// A session for each batch size.
    Buckets(Buckets),
}

impl Session {
    /// Loads a model's bytes for one provider; `input_shape` is that of one input, without the
    /// batch.
    ///
    /// It computes on the calling thread: for networks of this size, one session per core, each
    /// with its own thread, is faster than one session with many threads.
    ///
    /// # Errors
    /// [`RuntimeError::Device`] if the provider cannot be used (it never falls back to another),
    /// and [`RuntimeError::Load`] if the runtime rejects the model.
    pub fn open(
        runtime: &Runtime,
        model: &[u8],
        input_shape: &[usize],
        provider: Provider,
    ) -> Result<Self, RuntimeError> {
        let engine = match provider {
            Provider::Cpu => Engine::Single(load(runtime, model, provider)?),
            Provider::Cuda(_) => Engine::Buckets(Buckets::open(runtime, model, provider)?),
        };
        Self::new(engine, input_shape, provider)
    }

    /// Loads a model's bytes for the CPU and computes every node as it is written: a graph whose
    /// inner tensors are outputs then gives what the model computes.
    ///
    /// # Errors
    /// [`RuntimeError::Load`] if the runtime rejects the model.
    pub fn open_as_written(
        runtime: &Runtime,
        model: &[u8],
        input_shape: &[usize],
    ) -> Result<Self, RuntimeError> {
        let engine = Engine::Single(load_as_written(runtime, model)?);
        Self::new(engine, input_shape, Provider::Cpu)
    }

    fn new(
        engine: Engine,
        input_shape: &[usize],
        provider: Provider,
    ) -> Result<Self, RuntimeError> {
        let stopper = Stopper(Arc::new(RunOptions::new().map_err(failed)?));
        Ok(Self { engine, provider, stopper, input_shape: input_shape.to_vec() })
    }

    /// Stops runs of this session from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// The device on which it computes.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// A batch of this size over inputs that lie one after the other in row-major order, without a
    /// copy, as [`Self::run`] expects it.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] if the number of values is not that of the batch.
    pub fn batch<'i>(
        &self,
        inputs: &'i [f32],
        batch: usize,
    ) -> Result<ArrayViewD<'i, f32>, RuntimeError> {
        ArrayViewD::from_shape(self.shape(batch), inputs)
            .map_err(|error| RuntimeError::Run { reason: error.to_string() })
    }

    /// Runs prepared inputs, `[batch, …]` in row-major order, and returns every output. The inputs
    /// are not copied, except to pad them to a bucket on a GPU.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] if the runtime fails or an output does not have 32-bit floats.
    pub fn run(&mut self, inputs: ArrayViewD<'_, f32>) -> Result<Outputs, RuntimeError> {
        let batch = inputs.shape().first().copied().unwrap_or(0);
        let (session, inputs, is_padded) = match &mut self.engine {
            Engine::Single(session) => (session, inputs, false),
            Engine::Buckets(buckets) => {
                let (session, inputs) = buckets.session_for(inputs)?;
                (session, inputs, true)
            }
        };
        let inputs = TensorRef::from_array_view(inputs).map_err(failed)?;
        let outputs = session.run_with_options(ort::inputs![inputs], &*self.stopper.0);
        let outputs = outputs.map_err(failed)?;
        let mut tensors = Vec::with_capacity(outputs.len());
        for (name, value) in &outputs {
            let mut values = value.try_extract_array::<f32>().map_err(failed)?;
            // Rows beyond the batch belong to its padding.
            if is_padded && values.shape().first().is_some_and(|&rows| rows > batch) {
                values.slice_axis_inplace(Axis(0), Slice::from(..batch));
            }
            tensors.push(NamedTensor { name: name.to_owned(), values: values.to_owned() });
        }
        Ok(Outputs(tensors))
    }

    /// Runs zeros in batches of these sizes, ascending, so that no request pays for one-time work.
    /// On a GPU, they become the buckets that batches are padded to.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime fails.
    pub fn warm_up(&mut self, sizes: &[usize]) -> Result<(), RuntimeError> {
        if let Engine::Buckets(buckets) = &mut self.engine {
            buckets.set_sizes(sizes);
        }
        for &batch in sizes {
            self.run(ArrayD::zeros(self.shape(batch)).view())?;
        }
        Ok(())
    }

    /// Runs one input of zeros on the CPU, and frees the memory that larger batches left allocated.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] if the runtime fails.
    pub fn give_back_memory(&mut self) -> Result<(), RuntimeError> {
        let shape = self.shape(1);
        let Engine::Single(session) = &mut self.engine else { return Ok(()) };
        let zeros = ArrayD::<f32>::zeros(shape);
        let mut options = RunOptions::new().map_err(failed)?;
        options.set("memory.enable_memory_arena_shrinkage", "cpu:0").map_err(failed)?;
        let inputs = TensorRef::from_array_view(zeros.view()).map_err(failed)?;
        session.run_with_options(ort::inputs![inputs], &options).map_err(failed)?;
        Ok(())
    }

    /// Shape of a batch of this size.
    fn shape(&self, batch: usize) -> IxDyn {
        let mut shape = IxDyn::zeros(1 + self.input_shape.len());
        shape[0] = batch;
        shape.slice_mut()[1..].copy_from_slice(&self.input_shape);
        shape
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn failed(error: ort::Error) -> RuntimeError {
    RuntimeError::Run { reason: reason(&error) }
}
