//! Checks that a model is allowed in a bundle, and that it is the one that the manifest describes.

use prost::Message as _;

use super::{
    INPUT, METADATA_BLOCKS, METADATA_CLASSES, METADATA_FORMAT,
    proto::{
        AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto,
        ValueInfoProto,
        tensor_proto::{DataLocation, DataType},
        tensor_shape_proto::dimension,
        type_proto,
    },
    temperature::temperature,
};
use crate::{BundleError, Manifest, wire};

/// Checks a model's bytes: only standard operators, weights inside the file, and input, outputs and
/// metadata as in the manifest.
///
/// # Errors
/// [`BundleError::Model`] with what is wrong.
pub fn check_model(model: &[u8], manifest: &Manifest) -> Result<(), BundleError> {
    check(model, manifest).map_err(|reason| BundleError::Model { reason })
}

fn check(bytes: &[u8], manifest: &Manifest) -> Result<(), String> {
    let model = decode(bytes)?;
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    check_operators(&model, graph)?;
    check_weights(graph)?;
    check_input(graph, manifest)?;
    check_outputs(graph, manifest)?;
    check_shrunk_tensors(graph, manifest)?;
    check_temperature(graph, manifest)?;
    check_metadata(&model, manifest)
}

/// Decodes a model whose structure is not much larger in memory than in its file.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(bytes: &[u8]) -> Result<ModelProto, String> {
    /// Far above the structure of every real model: a million nodes or so.
    const MOST: u64 = 1 << 30;
    let not_a_model = || "it is not an ONNX model".to_owned();
    // The numbers of a weight are bytes: in the graph, or in an attribute of a node.
    let is_weight = |path: &[u32]| matches!(path, [7, 5, 4 | 9] | [7, 1, 5, 5, 4 | 9]);
    let fields = wire::count_fields(bytes, is_weight).ok_or_else(not_a_model)?;
    let element = size_of::<NodeProto>()
        .max(size_of::<AttributeProto>())
        .max(size_of::<TensorProto>())
        .max(size_of::<FunctionProto>())
        .max(size_of::<ValueInfoProto>());
    let structure = fields.memory(element as u64) - fields.opaque_bytes;
    if structure > MOST {
        return Err(format!(
            "its structure needs up to {structure} bytes of memory, above the limit of {MOST}"
        ));
    }
    ModelProto::decode(bytes).map_err(|_| not_a_model())
}

fn check_operators(model: &ModelProto, graph: &GraphProto) -> Result<(), String> {
    if let Some(function) = model.functions.first() {
        return Err(format!(
            "it defines the function \"{}\": only standard operators are allowed",
            function.name()
        ));
    }
    if !model.training_info.is_empty() {
        return Err("it has training graphs: only the network itself is allowed".to_owned());
    }
    for node in &graph.node {
        if !matches!(node.domain(), "" | "ai.onnx") {
            return Err(format!(
                "it uses the operator {}.{}: only standard operators are allowed",
                node.domain(),
                node.op_type()
            ));
        }
        if node.attribute.iter().any(|a| a.g.is_some() || !a.graphs.is_empty()) {
            return Err(format!(
                "its operator {} contains a graph: control flow is not allowed",
                node.op_type()
            ));
        }
        let holds_others = |a: &AttributeProto| {
            a.sparse_tensor.is_some() || !a.sparse_tensors.is_empty() || !a.tensors.is_empty()
        };
        if node.attribute.iter().any(holds_others) {
            return Err(format!(
                "its operator {} contains sparse tensors or a list of tensors: only single, dense \
                 tensors are allowed",
                node.op_type()
            ));
        }
    }
    Ok(())
}

fn check_weights(graph: &GraphProto) -> Result<(), String> {
    if !graph.sparse_initializer.is_empty() {
        return Err("it has sparse weights: only dense weights are allowed".to_owned());
    }
    let in_nodes = graph
        .node
        .iter()
        .flat_map(|node| &node.attribute)
        .filter_map(|attribute| attribute.t.as_ref());
    let is_external = |tensor: &&TensorProto| {
        tensor.data_location() == DataLocation::External || !tensor.external_data.is_empty()
    };
    match graph.initializer.iter().chain(in_nodes).find(is_external) {
        None => Ok(()),
        Some(tensor) => Err(format!(
            "its tensor \"{}\" is in another file: weights must be inside model.onnx",
            tensor.name()
        )),
    }
}

fn check_input(graph: &GraphProto, manifest: &Manifest) -> Result<(), String> {
    let weights: Vec<&str> = graph.initializer.iter().map(TensorProto::name).collect();
    let inputs: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !weights.contains(&input.name())).collect();
    let [input] = inputs[..] else {
        return Err(format!("it has {} inputs, and only \"{INPUT}\" is expected", inputs.len()));
    };
    if input.name() != INPUT {
        return Err(format!(
            "its input is named \"{}\", and \"{INPUT}\" is expected",
            input.name()
        ));
    }
    check_shape(input, &manifest.input.shape())
}

fn check_outputs(graph: &GraphProto, manifest: &Manifest) -> Result<(), String> {
    let expected = manifest.outputs();
    for (name, width) in &expected {
        let output = graph
            .output
            .iter()
            .find(|output| output.name() == name)
            .ok_or_else(|| format!("it has no output \"{name}\", which the manifest names"))?;
        check_shape(output, &[*width])?;
    }
    let unknown =
        graph.output.iter().find(|output| !expected.iter().any(|(name, _)| name == output.name()));
    match unknown {
        None => Ok(()),
        Some(output) => {
            Err(format!("it has an output \"{}\" that the manifest does not name", output.name()))
        }
    }
}

/// The second graph counts zeros in these tensors; see [`super::with_shrinkage_outputs`].
fn check_shrunk_tensors(graph: &GraphProto, manifest: &Manifest) -> Result<(), String> {
    let made = |name: &String| graph.node.iter().any(|node| node.output.contains(name));
    match manifest.blocks.iter().find(|b| !made(&b.shrunk_tensor)) {
        None => Ok(()),
        Some(block) => Err(format!(
            "the block \"{}\" shrinks into the tensor \"{}\" according to the manifest, and it has no \
             such tensor",
            block.name, block.shrunk_tensor
        )),
    }
}

/// Requires 32-bit floats of shape `[batch, inner…]`, with a variable batch size.
fn check_shape(value: &ValueInfoProto, inner: &[usize]) -> Result<(), String> {
    let Some(type_proto::Value::TensorType(tensor)) =
        value.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return Err(format!("\"{}\" is not a tensor", value.name()));
    };
    if tensor.elem_type() != DataType::Float as i32 {
        return Err(format!("\"{}\" does not have 32-bit floats", value.name()));
    }
    let sizes: Vec<Option<i64>> = tensor
        .shape
        .iter()
        .flat_map(|shape| &shape.dim)
        .map(|dim| match dim.value {
            Some(dimension::Value::DimValue(size)) => Some(size),
            Some(dimension::Value::DimParam(_)) | None => None,
        })
        .collect();
    let expected: Vec<Option<i64>> =
        std::iter::once(None).chain(inner.iter().map(|&size| Some(size as i64))).collect();
    if sizes != expected {
        return Err(format!(
            "\"{}\" has shape {}, and the manifest requires {}",
            value.name(),
            shape_in_words(&sizes),
            shape_in_words(&expected)
        ));
    }
    Ok(())
}

fn shape_in_words(sizes: &[Option<i64>]) -> String {
    let sizes: Vec<String> = sizes
        .iter()
        .map(|size| size.map_or_else(|| "batch".to_owned(), |size| size.to_string()))
        .collect();
    format!("[{}]", sizes.join(", "))
}

fn check_temperature(graph: &GraphProto, manifest: &Manifest) -> Result<(), String> {
    let expected = manifest.calibration.as_ref().map_or(1.0, |calibration| calibration.temperature);
    let found = temperature(graph);
    if found.total_cmp(&expected).is_eq() {
        return Ok(());
    }
    Err(format!("its temperature is {found}, and {expected} according to the manifest"))
}

fn check_metadata(model: &ModelProto, manifest: &Manifest) -> Result<(), String> {
    let entry = |key: &str| {
        model
            .metadata_props
            .iter()
            .find(|property| property.key() == key)
            .map(|property| property.value().to_owned())
            .ok_or_else(|| format!("its metadata has no \"{key}\""))
    };
    let format = entry(METADATA_FORMAT)?;
    if format != manifest.format.to_string() {
        return Err(format!(
            "its format is {format} according to its metadata, and {} according to the manifest",
            manifest.format
        ));
    }
    let list = |key: &str| {
        serde_json::from_str::<Vec<String>>(&entry(key)?)
            .map_err(|_| format!("its metadata \"{key}\" is not a list of names"))
    };
    let classes = list(METADATA_CLASSES)?;
    if classes != manifest.classes {
        return Err(format!(
            "its classes are {classes:?}, and the manifest's are {:?}",
            manifest.classes
        ));
    }
    let blocks = list(METADATA_BLOCKS)?;
    let expected: Vec<&str> = manifest.blocks.iter().map(|b| b.name.as_str()).collect();
    if blocks != expected {
        return Err(format!("its blocks are {blocks:?}, and the manifest's are {expected:?}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Bundle, onnx::proto::StringStringEntryProto};

    /// The result for a real model after `change`.
    fn checked(change: impl FnOnce(&mut ModelProto, &mut GraphProto)) -> Result<(), String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/bearing/1");
        let bundle = Bundle::open(&folder).unwrap();
        let mut model = ModelProto::decode(&bundle.model[..]).unwrap();
        let mut graph = model.graph.take().unwrap();
        change(&mut model, &mut graph);
        model.graph = Some(graph);
        check(&model.encode_to_vec(), &bundle.manifest)
    }

    fn attribute(change: impl FnOnce(&mut AttributeProto)) -> Result<(), String> {
        checked(|_, graph| {
            let mut attribute = AttributeProto::default();
            change(&mut attribute);
            graph.node[0].attribute.push(attribute);
        })
    }

    #[test]
    fn a_model_that_agrees_with_the_manifest_is_accepted() {
        assert_eq!(checked(|_, _| ()), Ok(()));
    }

    /// ONNX Runtime opens the files that sparse tensors name, relative to the server's working
    /// directory.
    #[test]
    fn weights_in_other_files_are_rejected_wherever_they_are_named() {
        let elsewhere = StringStringEntryProto {
            key: Some("location".to_owned()),
            value: Some("secret.bin".to_owned()),
        };
        for rejected in [
            checked(|_, graph| graph.initializer[0].external_data.push(elsewhere.clone())),
            checked(|_, graph| graph.sparse_initializer.push(Vec::new())),
            attribute(|attribute| {
                attribute.t = Some(TensorProto {
                    external_data: vec![elsewhere.clone()],
                    ..TensorProto::default()
                });
            }),
            attribute(|attribute| attribute.tensors.push(Vec::new())),
            attribute(|attribute| attribute.sparse_tensor = Some(Vec::new())),
            attribute(|attribute| attribute.sparse_tensors.push(Vec::new())),
        ] {
            assert!(rejected.is_err());
        }
    }

    /// Two bytes become a node of hundreds.
    #[test]
    fn a_model_of_empty_messages_is_rejected_before_it_is_decoded() {
        for (field, inner) in [(0x0a, 0x0a), (0x0a, 0x2a), (0x2a, 0x42), (0x5a, 0x12)] {
            let node = [field, 2, inner, 0].repeat(1 << 20);
            let length = node.len() as u32;
            let varint = [0, 7, 14, 21]
                .map(|shift| (length >> shift & 0x7f) as u8 | if shift < 21 { 0x80 } else { 0 });
            let model = [&[0x3a][..], &varint, &node].concat();
            let error = decode(&model).unwrap_err();
            assert!(error.contains("above the limit"), "{error}");
        }
    }

    #[test]
    fn anything_but_a_plain_network_is_rejected() {
        for rejected in [
            attribute(|attribute| attribute.g = Some(GraphProto::default())),
            attribute(|attribute| attribute.graphs.push(Vec::new())),
            checked(|model, _| model.training_info.push(Vec::new())),
            checked(|_, graph| graph.node[0].domain = Some("com.microsoft".to_owned())),
        ] {
            assert!(rejected.is_err());
        }
    }
}
