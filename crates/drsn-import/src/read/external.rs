//! Takes in the weights that lie in files beside the model, from its own folder only.

use std::{
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::{Component, Path, PathBuf},
};

use drsn_bundle::onnx::proto::{
    FunctionProto, GraphProto, NodeProto, StringStringEntryProto, TensorProto,
    tensor_proto::DataLocation,
};

use super::{MAX_FILE_BYTES, tensors};
use crate::{ImportError, error::refuse};

/// Reads every tensor that lies in another file into the graph.
///
/// # Errors
/// [`ImportError::Refused`] if a file is outside of the folder or has other bytes than the tensor.
pub(super) fn take_in(
    graph: &mut GraphProto,
    functions: &mut [FunctionProto],
    folder: &Path,
) -> Result<(), ImportError> {
    let mut left = MAX_FILE_BYTES;
    let of_functions = functions.iter_mut().flat_map(|function| &mut function.node);
    let in_nodes = graph.node.iter_mut().chain(of_functions).flat_map(tensors_of);
    for tensor in graph.initializer.iter_mut().chain(in_nodes) {
        let is_external =
            tensor.data_location() == DataLocation::External || !tensor.external_data.is_empty();
        if is_external {
            let bytes = read(tensor, folder, &mut left)?;
            tensor.raw_data = Some(bytes);
            tensor.external_data.clear();
            tensor.data_location = None;
        }
    }
    Ok(())
}

fn tensors_of(node: &mut NodeProto) -> impl Iterator<Item = &mut TensorProto> {
    node.attribute.iter_mut().filter_map(|attribute| attribute.t.as_mut())
}

fn read(tensor: &TensorProto, folder: &Path, left: &mut u64) -> Result<Vec<u8>, ImportError> {
    let name = tensor.name();
    let entry = |key: &str| {
        tensor.external_data.iter().find(|e| e.key() == key).map(StringStringEntryProto::value)
    };
    let number = |key: &str| match entry(key).map(str::parse::<u64>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => refuse(format!("the weight \"{name}\" has no valid {key} in its file")),
    };
    let Some(location) = entry("location") else {
        return refuse(format!("the weight \"{name}\" names no file in which it lies"));
    };
    let length = tensors::bytes(tensor)?;
    if number("length")?.is_some_and(|claimed| claimed != length) {
        return refuse(format!(
            "the weight \"{name}\" has {length} bytes by its shape, and another number by its file"
        ));
    }
    let Some(rest) = left.checked_sub(length) else {
        return refuse(format!("the weights have more than {MAX_FILE_BYTES} bytes"));
    };
    *left = rest;
    let path = inside(folder, location)?;
    slice(&path, number("offset")?.unwrap_or(0), length).map_err(|error| {
        ImportError::Refused(format!(
            "cannot read the weight \"{name}\" from {}: {error}; copy the file of weights beside the \
             model",
            path.display()
        ))
    })
}

/// The path of a file in the model's folder. Links that lead out of it are refused, too.
fn inside(folder: &Path, location: &str) -> Result<PathBuf, ImportError> {
    let outside = || {
        ImportError::Refused(format!(
            "weights lie outside of the model's folder, in {location:?}: copy them beside the model \
             and export it again"
        ))
    };
    let location = Path::new(location);
    if !location.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(outside());
    }
    let path = folder.join(location);
    let (Ok(folder), Ok(real)) = (folder.canonicalize(), path.canonicalize()) else {
        return refuse(format!(
            "the weights are in {}, which does not exist: copy it beside the model",
            path.display()
        ));
    };
    if real.starts_with(folder) && real.is_file() { Ok(real) } else { Err(outside()) }
}

fn slice(path: &Path, offset: u64, length: u64) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(std::io::Error::other(format!(
            "it ends before {length} bytes from {offset} on"
        )));
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
