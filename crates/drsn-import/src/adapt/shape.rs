//! The shape of a model's input: signal or image, channels first or last.

use drsn_bundle::onnx::proto::{
    GraphProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto,
};

use crate::{
    ImportError, InputKind, Layout, Options,
    error::refuse,
    graph::{element_type, is_float, type_name},
};

/// Most numbers of one input.
const MOST_NUMBERS: usize = 1 << 25;

/// A model's input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    /// Name of the tensor.
    pub(super) name: String,
    /// Type of its elements.
    pub(super) element_type: i32,
    /// The batch, if it is fixed.
    pub(super) batch: Option<usize>,
    /// Sizes after the batch, as the model has them.
    pub(super) model: Vec<usize>,
    pub(super) layout: Layout,
    /// Channels and then samples, or rows and columns.
    pub(super) bundle: Vec<usize>,
}

/// Reads the shape of the only input, with what the user says of it.
///
/// # Errors
/// [`ImportError::Refused`] if there are several inputs, or a size is open.
pub(super) fn read(graph: &GraphProto, options: &Options) -> Result<Shape, ImportError> {
    let [input] = &graph.input[..] else {
        let names: Vec<&str> = graph.input.iter().map(ValueInfoProto::name).collect();
        return refuse(format!(
            "the model has {} inputs ({}), and a model with one input is expected: export it with the \
             others fixed, or without them",
            names.len(),
            names.join(", ")
        ));
    };
    let element_type = element_type(input);
    if !is_float(element_type) {
        return refuse(format!(
            "the model's input holds numbers of type {}, and floats are expected: export it with the \
             conversion to floats left out",
            type_name(element_type)
        ));
    }
    let Some((batch, sizes)) =
        sizes(input).split_first().map(|(batch, rest)| (*batch, rest.to_vec()))
    else {
        return refuse("the model's input has no shape: export it with an example input");
    };
    let kind = options.kind.map_or_else(|| kind(&sizes), Ok)?;
    let (layout, bundle, model) = match kind {
        InputKind::Signal => signal(&sizes, options)?,
        InputKind::Image => image(&sizes, options)?,
    };
    let numbers = bundle.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    if numbers.is_none_or(|numbers| numbers > MOST_NUMBERS) {
        return refuse(format!(
            "the model's input has the sizes {bundle:?}, more than the {MOST_NUMBERS} numbers that an input \
             can have: export it with an example of the usual size"
        ));
    }
    let name = input.name().to_owned();
    Ok(Shape { name, element_type, batch, model, layout, bundle })
}

/// The sizes of an input; `None` for those that are variable.
fn sizes(input: &ValueInfoProto) -> Vec<Option<usize>> {
    let shape = match input.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => tensor.shape.as_ref(),
        None => None,
    };
    let size = |value: &dimension::Value| match value {
        dimension::Value::DimValue(size) => usize::try_from(*size).ok().filter(|&size| size > 0),
        dimension::Value::DimParam(_) => None,
    };
    shape.map_or_else(Vec::new, |shape| {
        shape.dim.iter().map(|dim| dim.value.as_ref().and_then(size)).collect()
    })
}

fn kind(sizes: &[Option<usize>]) -> Result<InputKind, ImportError> {
    match sizes {
        [_] | [_, _] => Ok(InputKind::Signal),
        // A signal with an axis of one for operators of images.
        [_, Some(1), _] | [Some(1), _, Some(2..)] | [Some(2..), _, Some(1)]
            if sizes.iter().flatten().filter(|&&size| size == 1).count() > 1
                || sizes[1] == Some(1) =>
        {
            Ok(InputKind::Signal)
        }
        [_, _, _] => Ok(InputKind::Image),
        _ => refuse(format!(
            "the model's input has {} axes after the batch, and signals have 2 and images 3",
            sizes.len()
        )),
    }
}

type Read = (Layout, Vec<usize>, Vec<usize>);

fn signal(sizes: &[Option<usize>], options: &Options) -> Result<Read, ImportError> {
    let (window, channels) = (options.signal.window, options.signal.channels);
    // The two sizes that are not an axis of one for operators of images.
    let places: Vec<usize> = match sizes.len() {
        1 | 2 => (0..sizes.len()).collect(),
        3 => {
            let one = [1, 2, 0].into_iter().find(|&at| sizes[at] == Some(1));
            (0..3).filter(|&at| Some(at) != one).collect()
        }
        _ => Vec::new(),
    };
    let (first, last) = match places[..] {
        [only] => (Some(1), sizes[only]),
        [first, last] => (sizes[first], sizes[last]),
        _ => return refuse("the model's input has no axes of channels and samples"),
    };
    let layout = match options.layout {
        Some(layout) => layout,
        None if places.len() == 1 => Layout::First,
        None => signal_layout(first, last, options)?,
    };
    let (of_channels, of_window) = match layout {
        Layout::First => (first, last),
        Layout::Last => (last, first),
    };
    let channels = agreed("channels", "--channels", of_channels, channels)?;
    let window = agreed("samples", "--window", of_window, window)?;
    let mut model: Vec<usize> = vec![1; sizes.len()];
    let (first, last) = match layout {
        Layout::First => (channels, window),
        Layout::Last => (window, channels),
    };
    match places[..] {
        [only] => model[only] = window,
        [a, b] => (model[a], model[b]) = (first, last),
        _ => (),
    }
    Ok((layout, vec![channels, window], model))
}

fn signal_layout(
    first: Option<usize>,
    last: Option<usize>,
    options: &Options,
) -> Result<Layout, ImportError> {
    let (window, channels) = (options.signal.window, options.signal.channels);
    let is = |size: Option<usize>, given: Option<usize>| given.is_some() && size == given;
    let are_different = first != last;
    Ok(match (first, last) {
        _ if are_different && (is(first, channels) || is(last, window)) => Layout::First,
        _ if are_different && (is(last, channels) || is(first, window)) => Layout::Last,
        // There are fewer channels than samples.
        (Some(first), Some(last)) if first < last => Layout::First,
        (Some(first), Some(last)) if first > last => Layout::Last,
        (Some(_), None) => Layout::First,
        (None, Some(_)) => Layout::Last,
        _ => {
            return refuse(
                "channels and samples cannot be told apart by their sizes: say which are \
                            first with --layout channels-first or channels-last",
            );
        }
    })
}

/// A size by the graph and the user, who must agree if both tell it.
fn agreed(
    what: &str,
    flag: &str,
    by_graph: Option<usize>,
    by_user: Option<usize>,
) -> Result<usize, ImportError> {
    match (by_graph, by_user) {
        (Some(graph), Some(user)) if graph != user => refuse(format!(
            "the model takes {graph} {what}, and {flag} says {user}: leave {flag} out"
        )),
        (Some(size), _) | (None, Some(size)) if size > 0 => Ok(size),
        _ => refuse(format!(
            "the model takes any number of {what}, and the server needs one: say which with {flag}"
        )),
    }
}

fn image(sizes: &[Option<usize>], options: &Options) -> Result<Read, ImportError> {
    let &[a, b, c] = sizes else {
        return refuse("the model's input has no axes of channels, rows and columns");
    };
    let is_channels = |size: Option<usize>| matches!(size, Some(1 | 3));
    let layout = match options.layout {
        Some(layout) => layout,
        None if is_channels(a) && !is_channels(c) => Layout::First,
        None if is_channels(c) && !is_channels(a) => Layout::Last,
        None => {
            return refuse(format!(
                "it cannot be told which axis of the input {sizes:?} has the channels (images have 1 \
                 or 3): say so with --layout channels-first or channels-last, or --kind signal"
            ));
        }
    };
    let (channels, rows, columns) = match layout {
        Layout::First => (a, b, c),
        Layout::Last => (c, a, b),
    };
    let (by_user, flag) = (options.image.size, "--image-size");
    let channels = agreed("channels", "--channels", channels, None)?;
    let rows = agreed("rows", flag, rows, by_user.map(|(rows, _)| rows))?;
    let columns = agreed("columns", flag, columns, by_user.map(|(_, columns)| columns))?;
    let model = match layout {
        Layout::First => vec![channels, rows, columns],
        Layout::Last => vec![rows, columns, channels],
    };
    Ok((layout, vec![channels, rows, columns], model))
}
