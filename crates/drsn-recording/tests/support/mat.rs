//! Writes the parts of a MAT file of version 5, without compression: as MATLAB does, or as no
//! program would.
//!
//! Include it with `#[path = "…/tests/support/mat.rs"] mod mat;`. Numbers of kinds and classes are
//! those of the document "MAT-File Format" by `MathWorks`.

/// An element, in the long form.
pub(crate) fn element(kind: u32, contents: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (contents.len() as u32).to_le_bytes()].concat();
    bytes.extend(contents);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// A matrix of this class and shape.
pub(crate) fn matrix(class: u32, shape: [u32; 2], name: &str, contents: &[u8]) -> Vec<u8> {
    let flags = [class.to_le_bytes(), [0; 4]].concat();
    let shape = shape.map(u32::to_le_bytes).concat();
    let parts =
        [element(6, &flags), element(5, &shape), element(1, name.as_bytes()), contents.to_vec()];
    element(14, &parts.concat())
}

/// A structure; `values` are the unnamed matrices of its fields, element by element.
pub(crate) fn structure(shape: [u32; 2], name: &str, fields: &[&str], values: &[u8]) -> Vec<u8> {
    let mut names = Vec::new();
    for field in fields {
        names.extend(field.as_bytes());
        names.resize(names.len().next_multiple_of(32), 0);
    }
    let contents = [element(5, &32_u32.to_le_bytes()), element(1, &names), values.to_vec()];
    matrix(2, shape, name, &contents.concat())
}

/// A file with these variables.
pub(crate) fn file(variables: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![b' '; 124];
    file.extend(b"\x00\x01IM");
    file.extend(variables.concat());
    file
}
