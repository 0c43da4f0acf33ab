//! Writes what `src/api/grpc/message_shapes.rs` needs to know of the messages: which fields of each
//! are messages, and how much memory one message has, not counting what it points to.

use std::{collections::HashMap, fmt::Write as _};

use prost_types::{
    DescriptorProto, FileDescriptorSet, MessageOptions,
    field_descriptor_proto::{Label, Type},
};

/// Sizes in memory of what fields become, in bytes, rounded up.
const SCALAR: usize = 8;
const COLLECTION: usize = 24;
const BYTES: usize = 32;
const MAP: usize = 48;

type Messages<'a> = HashMap<String, &'a DescriptorProto>;

/// The source of two tables: the messages' shapes, and the request message of each method.
pub(crate) fn source(descriptors: &FileDescriptorSet) -> String {
    let mut messages = Messages::new();
    for file in &descriptors.file {
        collect(&format!(".{}", file.package()), &file.message_type, &mut messages);
    }
    let mut names: Vec<&String> = messages.keys().collect();
    names.sort();
    let mut source = format!("static SHAPES: [Shape; {}] = [\n", names.len());
    for name in &names {
        let fields: Vec<String> = messages[*name]
            .field
            .iter()
            .map(|field| {
                let kind = match field.r#type() {
                    Type::Message => {
                        let index = names.iter().position(|name| *name == field.type_name());
                        format!("Kind::Message({})", index.unwrap_or_default())
                    }
                    Type::String => "Kind::Text".to_owned(),
                    Type::Bytes => "Kind::Bytes".to_owned(),
                    Type::Fixed32
                    | Type::Float
                    | Type::Sfixed32
                    | Type::Fixed64
                    | Type::Double
                    | Type::Sfixed64 => "Kind::Fixed".to_owned(),
                    Type::Int64
                    | Type::Uint64
                    | Type::Int32
                    | Type::Bool
                    | Type::Group
                    | Type::Uint32
                    | Type::Enum
                    | Type::Sint32
                    | Type::Sint64 => "Kind::Varint".to_owned(),
                };
                format!("({}, {kind})", field.number())
            })
            .collect();
        let (size, fields) = (size(messages[*name], &messages), fields.join(", "));
        // Writing to a string does not fail.
        let _ = writeln!(source, "    Shape {{ size: {size}, fields: &[{fields}] }},");
    }
    let methods: Vec<String> = descriptors
        .file
        .iter()
        .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
        .flat_map(|(package, service)| {
            service.method.iter().map(move |method| (package, service, method))
        })
        .map(|(package, service, method)| {
            let index = names.iter().position(|name| *name == method.input_type());
            let path = format!("/{package}.{}/{}", service.name(), method.name());
            format!("    ({path:?}, {}),\n", index.unwrap_or_default())
        })
        .collect();
    let _ = writeln!(source, "];\nstatic METHODS: [(&str, usize); {}] = [", methods.len());
    source + &methods.concat() + "];\n"
}

fn collect<'a>(scope: &str, of: &'a [DescriptorProto], messages: &mut Messages<'a>) {
    for message in of {
        let name = format!("{scope}.{}", message.name());
        collect(&name, &message.nested_type, messages);
        messages.insert(name, message);
    }
}

/// Size of a message's struct: of its fields, where each of a `oneof` counts, as if they were side
/// by side.
fn size(message: &DescriptorProto, messages: &Messages<'_>) -> usize {
    let sizes = message.field.iter().map(|field| {
        let target = messages.get(field.type_name());
        let is_map =
            target.is_some_and(|t| t.options.as_ref().is_some_and(MessageOptions::map_entry));
        match (field.label(), field.r#type()) {
            _ if is_map => MAP,
            (Label::Repeated, _) | (_, Type::String) => COLLECTION,
            (_, Type::Bytes) => BYTES,
            (_, Type::Message) => SCALAR + target.map_or(0, |target| size(target, messages)),
            _ => 2 * SCALAR,
        }
    });
    sizes.sum::<usize>() + SCALAR
}
