//! The operators of [`onnx::with_fused_shrinkage`], for the CPU.

mod kernels;

use ort::{
    Error, Result,
    environment::Environment,
    operator::{
        ComputeContext, Kernel, KernelContext, Operator, OperatorDomain, OperatorInput,
        OperatorOutput, ShapeInferenceContext,
    },
    session::Session,
    value::{IntoShape, Shape, TensorElementType, ValueRef, ValueRefMut, ValueType},
};

use self::kernels::{Affine, Rows};
use crate::onnx::{self, GraphBuilder, fused};

const FLOATS: TensorElementType = TensorElementType::Float32;

/// Registers the domain in this process, by a session of a trivial model. ONNX Runtime registers it
/// with the first session, and rejects one of two that are opened at the same time.
///
/// # Errors
/// Those of ONNX Runtime.
pub(super) fn register(environment: &Environment) -> Result<()> {
    let mut nothing = GraphBuilder::new("nothing");
    nothing.input(onnx::INPUT, &[-1]);
    nothing.node("Identity", &[onnx::INPUT], "output", &[]);
    nothing.output("output", &[-1]);
    let builder = Session::builder(environment)?.with_intra_threads(1)?;
    builder.with_operators(domain()?)?.commit_from_memory(&nothing.finish(""))?;
    Ok(())
}

/// The domain of all operators, for one session.
pub(super) fn domain() -> Result<OperatorDomain> {
    OperatorDomain::new(fused::DOMAIN)?.add(MeanMagnitude)?.add(ShrinkAndAdd)
}

struct MeanMagnitude;

impl Operator for MeanMagnitude {
    type Kernel<'attr> = Mean;

    fn name(&self) -> &str {
        fused::MEAN_MAGNITUDE
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(FLOATS)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(FLOATS)]
    }

    fn create_kernel(&self, context: &KernelContext<'_>) -> Result<Mean> {
        Ok(Mean { space: number(context, fused::SPACE)? })
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> Result<()> {
        let Some(ValueType::Tensor { ty, shape, dimension_symbols }) = features(context) else {
            return Ok(());
        };
        let output = ValueType::Tensor {
            ty,
            shape: Shape::new(shape.iter().copied().take(2)),
            dimension_symbols: dimension_symbols.iter().take(2).cloned().collect(),
        };
        context.set_output(0, &output)
    }
}

/// The mean over the spatial axes.
struct Mean {
    /// Number of spatial axes.
    space: usize,
}

impl Kernel for Mean {
    fn compute(&mut self, context: &ComputeContext) -> Result<()> {
        let features = input(context, 0)?;
        let (shape, features) = features.try_extract_tensor::<f32>()?;
        let [batch, channels] = rows(shape, self.space)?;
        let mut means = output(context, 0, [batch, channels])?;
        let (_, means) = means.try_extract_tensor_mut::<f32>()?;
        kernels::mean_magnitudes(features, means);
        Ok(())
    }
}

struct ShrinkAndAdd;

impl Operator for ShrinkAndAdd {
    type Kernel<'attr> = Normalization;

    fn name(&self) -> &str {
        fused::SHRINK_AND_ADD
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [const { OperatorInput::required(FLOATS) }; 3]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        let required = || OperatorOutput::required(FLOATS);
        let optional = || OperatorOutput::optional(FLOATS);
        [required(), required(), optional(), optional()]
    }

    fn create_kernel(&self, context: &KernelContext<'_>) -> Result<Normalization> {
        let floats = |name| context.get::<Vec<f32>>(name).ok_or_else(unexpected);
        let pads = context.get::<Vec<i64>>(fused::PADS).ok_or_else(unexpected)?;
        let [before, after] = pads[..] else { return Err(unexpected()) };
        Ok(Normalization {
            space: number(context, fused::SPACE)?,
            stride: number(context, fused::STRIDE)?.max(1),
            before: size(before)?,
            after: size(after)?,
            scale: floats(fused::SCALE)?,
            bias: floats(fused::BIAS)?,
            scratch: Vec::new(),
        })
    }

    fn infer_shape(&self, context: &mut ShapeInferenceContext) -> Result<()> {
        let Some(features) = features(context) else { return Ok(()) };
        context.set_output(0, &features)?;
        context.set_output(1, &features)
    }
}

/// The form of the shortcut, and the normalization after the sum.
struct Normalization {
    /// Number of spatial axes.
    space: usize,
    /// Stride along the last axis.
    stride: usize,
    /// Channels of zeros before and after the shortcut's.
    before: usize,
    after: usize,
    scale: Vec<f32>,
    bias: Vec<f32>,
    scratch: Vec<f32>,
}

impl Normalization {
    /// The shortcut, if it fits features of this shape.
    fn shortcut<'s>(
        &self,
        shape: &[i64],
        (of_shortcut, features): (&[i64], &'s [f32]),
    ) -> Result<kernels::Shortcut<'s>> {
        let [batch, channels] = rows(of_shortcut, self.space)?;
        let channels = size(channels)?;
        let all = self.before.saturating_add(channels).saturating_add(self.after);
        let mut expected = of_shortcut.to_vec();
        expected[1] = all as i64;
        if let Some(last) = expected.last_mut() {
            *last = size(*last)?.div_ceil(self.stride) as i64;
        }
        if expected != shape {
            return Err(unexpected());
        }
        let length = features.len() / (size(batch)? * channels).max(1);
        let Self { before, stride, .. } = *self;
        Ok(kernels::Shortcut { features, length, channels, before, stride })
    }
}

impl Kernel for Normalization {
    fn compute(&mut self, context: &ComputeContext) -> Result<()> {
        let (features, thresholds, shortcut) =
            (input(context, 0)?, input(context, 1)?, input(context, 2)?);
        let (shape, features) = features.try_extract_tensor::<f32>()?;
        let (of_rows, thresholds) = thresholds.try_extract_tensor::<f32>()?;
        let (of_shortcut, shortcut) = shortcut.try_extract_tensor::<f32>()?;
        let shortcut = self.shortcut(shape, (of_shortcut, shortcut))?;
        let [batch, channels] = rows(shape, self.space)?;
        let affine = Affine { scale: &self.scale, bias: &self.bias };
        let fits = of_rows[..] == [batch, channels]
            && [affine.scale, affine.bias].iter().all(|of| of.len() as i64 == channels);
        if !fits {
            return Err(unexpected());
        }
        let rows = Rows { features, thresholds };
        self.scratch.resize(features.len() / thresholds.len().max(1), 0.0);
        let mut sum = output(context, 0, shape.clone())?;
        let mut activated = output(context, 1, shape.clone())?;
        let (_, sum) = sum.try_extract_tensor_mut::<f32>()?;
        let (_, activated) = activated.try_extract_tensor_mut::<f32>()?;
        kernels::shrink_and_add(rows, shortcut, affine, &mut self.scratch, sum, activated);
        if context.num_outputs()? > 2 {
            let mut zeroed = output(context, 2, [batch, channels])?;
            let mut after = output(context, 3, [batch, channels])?;
            let (_, zeroed) = zeroed.try_extract_tensor_mut::<f32>()?;
            let (_, after) = after.try_extract_tensor_mut::<f32>()?;
            kernels::remains(rows, zeroed, after);
        }
        Ok(())
    }
}

/// A node's attribute.
fn number(context: &KernelContext<'_>, name: &str) -> Result<usize> {
    size(context.get::<i64>(name).ok_or_else(unexpected)?)
}

fn size(number: i64) -> Result<usize> {
    usize::try_from(number).map_err(|_| unexpected())
}

/// Batch size and channels of features with this number of spatial axes.
fn rows(shape: &[i64], space: usize) -> Result<[i64; 2]> {
    match shape {
        &[batch, channels, ref rest @ ..] if rest.len() == space => Ok([batch, channels]),
        _ => Err(unexpected()),
    }
}

fn input(context: &ComputeContext, index: usize) -> Result<ValueRef<'_>> {
    context.input(index)?.ok_or_else(unexpected)
}

fn output(
    context: &ComputeContext,
    index: usize,
    shape: impl IntoShape,
) -> Result<ValueRefMut<'_>> {
    context.output(index, shape)?.ok_or_else(unexpected)
}

/// The type of both operators' first input, `[batch, C, …]`; `None` if a size is neither known nor
/// named in advance.
fn features(context: &ShapeInferenceContext) -> Option<ValueType> {
    let is_known = |input: &ValueType| {
        let ValueType::Tensor { shape, dimension_symbols, .. } = input else { return false };
        let mut sizes = shape.iter().zip(dimension_symbols.iter());
        shape.len() > 2 && sizes.all(|(&size, name)| size >= 0 || !name.is_empty())
    };
    context.inputs().into_iter().next().filter(is_known)
}

fn unexpected() -> Error {
    Error::new("features, thresholds and shortcut of a block do not fit together")
}
