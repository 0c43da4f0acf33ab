//! Which axis of an array counts the inputs, the channels and the samples.

use drsn_recording::{ArrayInfo, MAX_CHANNELS};

use crate::recipe::{Axis, WindowConfig};

/// Where the windows are in an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) inputs: usize,
    pub(super) channels: usize,
    /// Places in a window `[C, L]` of the numbers that are stored together. Those of the next window
    /// follow them.
    pub(super) inner: Vec<usize>,
    /// For each such run of a window: its offset in the array, and what is added to the places.
    pub(super) outer: Vec<(usize, usize)>,
}

/// Finds the axes of an array with `inputs` labels.
pub(super) fn find(
    info: &ArrayInfo,
    inputs: usize,
    config: &WindowConfig,
) -> Result<Layout, String> {
    let (shape, axes) = match &config.axes {
        Some(text) => given(info, inputs, config, text)?,
        None => (info.shape.clone(), unique(info, inputs, config)?),
    };
    Ok(layout(&shape, &axes, info.is_column_major, config.window))
}

/// The axes that the recipe gives. MATLAB leaves out axes of size one at the end.
fn given(
    info: &ArrayInfo,
    inputs: usize,
    config: &WindowConfig,
    text: &str,
) -> Result<(Vec<usize>, Vec<Axis>), String> {
    let axes = Axis::parse(text)?;
    let mut shape = info.shape.clone();
    if shape.len() < axes.len() {
        shape.resize(axes.len(), 1);
    }
    let fits = |(size, axis): (&usize, &Axis)| match axis {
        Axis::Inputs => *size == inputs,
        Axis::Samples => *size == config.window,
        Axis::Channels => config.channels.is_none_or(|channels| channels == *size),
        Axis::One => *size == 1,
    };
    if shape.len() == axes.len() && shape.iter().zip(&axes).all(fits) {
        return Ok((shape, axes));
    }
    Err(format!(
        "its shape is {:?}, which is not {text} with {inputs} inputs as there are labels and windows \
         of {} samples{}: correct data.axes or data.window",
        info.shape,
        config.window,
        in_channels(config)
    ))
}

fn in_channels(config: &WindowConfig) -> String {
    config.channels.map_or_else(String::new, |channels| format!(" in {channels} channels"))
}

/// The only order of the axes that gives the right sizes. Orders that differ only in axes of size
/// one are the same.
fn unique(info: &ArrayInfo, inputs: usize, config: &WindowConfig) -> Result<Vec<Axis>, String> {
    let shape = &info.shape;
    if !shape.contains(&inputs) && inputs != 1 {
        return Err(format!(
            "its shape is {shape:?}, and there are {inputs} labels: none of its axes is that long"
        ));
    }
    let mut found: Vec<Vec<Axis>> = Vec::new();
    for axes in orders(shape.len()) {
        let fits = |(size, axis): (&usize, &Axis)| match axis {
            Axis::Inputs => *size == inputs,
            Axis::Samples => *size == config.window,
            // One channel needs no axis.
            Axis::Channels => {
                (2..=MAX_CHANNELS).contains(size)
                    && config.channels.is_none_or(|channels| channels == *size)
            }
            Axis::One => *size == 1,
        };
        let channels = axes.contains(&Axis::Channels) || config.channels.is_none_or(|c| c == 1);
        if !channels || !shape.iter().zip(&axes).all(fits) {
            continue;
        }
        let is_same = |other: &Vec<Axis>| {
            let pairs = shape.iter().zip(other.iter().zip(&axes));
            pairs.into_iter().all(|(size, (a, b))| *size == 1 || a == b)
        };
        if !found.iter().any(is_same) {
            found.push(axes);
        }
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(format!(
            "its shape is {shape:?}, in which no order of the axes gives {inputs} inputs as there \
             are labels and windows of {} samples{}: set data.window and data.channels to what it \
             has",
            config.window,
            in_channels(config)
        )),
        _ => Err(ambiguous(shape, &found)),
    }
}

/// Why an array is refused whose axes have several orders, with those to choose from.
fn ambiguous(shape: &[usize], found: &[Vec<Axis>]) -> String {
    let letters = |axes: &Vec<Axis>| axes.iter().map(|axis| axis.letter()).collect();
    let orders: Vec<String> = found.iter().map(letters).collect();
    format!(
        "its shape is {shape:?}, which can be read in several ways: set data.axes to {} (n: inputs, \
         c: channels, l: samples)",
        orders.join(" or ")
    )
}

/// All orders of the axes, the usual one first.
fn orders(axes: usize) -> Vec<Vec<Axis>> {
    let none = axes;
    let mut orders = Vec::new();
    for inputs in 0..axes {
        for samples in (0..axes).rev().filter(|&samples| samples != inputs) {
            for channels in (0..=none).rev().filter(|&c| c != inputs && c != samples) {
                let role = |place| match place {
                    place if place == inputs => Axis::Inputs,
                    place if place == samples => Axis::Samples,
                    place if place == channels => Axis::Channels,
                    _ => Axis::One,
                };
                orders.push((0..axes).map(role).collect());
            }
        }
    }
    orders
}

/// The places of the numbers in windows `[C, L]`, from the axes of an array.
fn layout(shape: &[usize], axes: &[Axis], is_column_major: bool, window: usize) -> Layout {
    let mut fastest_first: Vec<(usize, Axis)> =
        shape.iter().copied().zip(axes.iter().copied()).collect();
    if !is_column_major {
        fastest_first.reverse();
    }
    let place = |axis| match axis {
        Axis::Channels => window,
        Axis::Inputs | Axis::Samples | Axis::One => 1,
    };
    let (mut inputs, mut channels, mut is_inner) = (1, 1, true);
    let mut inner = vec![0];
    let mut outer = vec![(0, 0)];
    let mut step = 1;
    for (size, axis) in fastest_first {
        if axis == Axis::Channels {
            channels = size;
        }
        if axis == Axis::Inputs {
            inputs = size;
            is_inner = false;
        } else if is_inner {
            let of = |index: usize| inner.iter().map(move |known| known + index * place(axis));
            inner = (0..size).flat_map(of).collect();
        } else {
            let of = |index: usize| {
                outer.iter().map(move |(at, to)| (at + index * step, to + index * place(axis)))
            };
            outer = (0..size).flat_map(of).collect();
        }
        step *= size;
    }
    Layout { inputs, channels, inner, outer }
}

#[cfg(test)]
mod tests {
    use drsn_recording::ArrayKind;
    use proptest::prelude::*;

    use super::*;
    use crate::dataset::cut::tests::config;

    fn find(
        shape: &[usize],
        is_column_major: bool,
        inputs: usize,
        config: &WindowConfig,
    ) -> Result<Layout, String> {
        let info = ArrayInfo {
            name: "X".to_owned(),
            shape: shape.to_vec(),
            is_column_major,
            kind: ArrayKind::Numbers,
        };
        super::find(&info, inputs, config)
    }

    #[test]
    fn axes_are_known_by_the_labels_the_window_and_the_channels() {
        // The window of the recipe is 10.
        let two = WindowConfig { channels: Some(2), ..config() };
        for (shape, inputs, config, channels) in [
            (&[7, 10][..], 7, config(), 1),
            (&[10, 7], 7, config(), 1),
            (&[7, 3, 10], 7, config(), 3),
            (&[7, 10, 3], 7, config(), 3),
            (&[10, 3, 7], 7, config(), 3),
            (&[1, 10, 1, 7], 7, config(), 1),
            (&[7, 1, 10], 7, config(), 1),
            (&[2, 2, 10], 2, two.clone(), 2),
            (&[10, 2, 10], 10, two.clone(), 2),
        ] {
            match find(shape, false, inputs, &config) {
                Ok(layout) => {
                    assert_eq!((layout.inputs, layout.channels), (inputs, channels), "{shape:?}");
                }
                Err(error) => assert!(error.contains("several ways"), "{shape:?}: {error}"),
            }
        }
        assert!(find(&[7, 10, 3], false, 7, &config()).is_ok());
    }

    #[test]
    fn what_can_be_read_in_two_ways_or_in_none_is_refused_with_what_to_set() {
        for (shape, inputs, expected) in [
            (&[10, 10][..], 10, "set data.axes to nl or ln (n: inputs"),
            (&[7, 10, 10], 7, "set data.axes to ncl or nlc"),
            (&[2, 2, 10], 2, "set data.axes to ncl or cnl"),
            (&[7, 10], 8, "there are 8 labels: none of its axes is that long"),
            (&[7, 12], 7, "no order of the axes gives 7 inputs"),
            (&[7, 3, 2, 10], 7, "no order of the axes"),
            (&[7, 2000, 10], 7, "no order of the axes"),
        ] {
            let error = find(shape, false, inputs, &config()).unwrap_err();
            assert!(error.contains(expected), "{shape:?}: {error}");
        }
        let axes = |axes: &str| WindowConfig { axes: Some(axes.to_owned()), ..config() };
        assert_eq!(find(&[7, 10, 10], false, 7, &axes("nlc")).unwrap().channels, 10);
        // MATLAB leaves out the last axis of size one.
        assert_eq!(find(&[7, 10], true, 7, &axes("nlc")).unwrap().channels, 1);
        for (axes_text, expected) in [
            ("ncl", "is not ncl with 7 inputs"),
            ("nl", "is not nl"),
            ("lc", "data.axes must have the letters n"),
            ("nlx", "got \"nlx\""),
        ] {
            let error = find(&[7, 10, 3], false, 7, &axes(axes_text)).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        /// Every order of the axes, in either order of the numbers, gives the same windows.
        #[test]
        fn all_orientations_give_the_same_windows(
            order in Just(vec![0_usize, 1, 2]).prop_shuffle(),
            inputs in 2_usize..6,
            channels in 2_usize..4,
            is_column_major in any::<bool>(),
        ) {
            let sizes = [inputs, channels, 10];
            let shape: Vec<usize> = order.iter().map(|&axis| sizes[axis]).collect();
            let letters: String = order.iter().map(|&axis| ['n', 'c', 'l'][axis]).collect();
            let config = WindowConfig { axes: Some(letters), ..config() };
            let layout = find(&shape, is_column_major, inputs, &config).unwrap();
            // The numbers of the file, each with its place in `[N, C, L]`.
            let count = sizes.iter().product();
            let mut file = vec![0; count];
            for (at, number) in file.iter_mut().enumerate() {
                let mut rest = at;
                let mut index = [0; 3];
                let axes: Vec<usize> = if is_column_major { vec![0, 1, 2] } else { vec![2, 1, 0] };
                for axis in axes {
                    index[order[axis]] = rest % shape[axis];
                    rest /= shape[axis];
                }
                *number = (index[0] * channels + index[1]) * 10 + index[2];
            }
            let size = channels * 10;
            for input in 0..inputs {
                let mut window = vec![usize::MAX; size];
                for &(offset, to) in &layout.outer {
                    for (place, inner) in layout.inner.iter().enumerate() {
                        window[to + inner] = file[offset + input * layout.inner.len() + place];
                    }
                }
                let expected: Vec<usize> = (input * size..(input + 1) * size).collect();
                prop_assert_eq!(window, expected);
            }
        }
    }
}
