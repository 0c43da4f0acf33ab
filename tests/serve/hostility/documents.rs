//! Bodies that parsers must not follow to their end: JSON that is deep or huge, arrays of many axes,
//! forms whose headers do not end.

use super::{grpc_messages::gzip, random::Random, send::Post};

const FORM: &str = "multipart/form-data; boundary=b";

/// JSON that is deep, wide or long.
pub(crate) fn json(random: &mut Random) -> Post {
    let bytes = random.pick(&[100 << 10, 2 << 20, 15 << 20]);
    let fill = |unit: &str| unit.repeat(bytes / unit.len());
    let value = match random.below(11) {
        0 => fill("["),
        1 => fill("{\"a\":"),
        2 => format!("[{}0]", fill("0,")),
        3 => format!("[{}[]]", fill("[],")),
        4 => format!("[{}[]]", fill("[[[[1]]]],")),
        5 => format!("\"{}\"", fill("\\u00e9\\n")),
        6 => format!("0.{}", fill("1234567890")),
        7 => format!("[{}1]", fill("1.2345678901234567890123456789e-300,")),
        8 => format!("{{{}\"b\":0}}", fill("\"a\":0,")),
        9 => format!("[{}null]", fill("null,")),
        _ => format!("\"{}\"", fill("AAAA")),
    };
    let member = random.pick(&["tensor", "tensors", "signal", "signals", "image", "images", "x"]);
    let path = random.pick(&[
        "/classify",
        "/models/bearing/classify",
        "/v2/models/mnist/infer",
        "/v2/repository/index",
    ]);
    let body = if path.ends_with("infer") {
        format!(
            "{{\"inputs\":[{{\"name\":\"input\",\"shape\":[1,1,28,28],\"datatype\":\"FP32\",\"data\":{value}}}]}}"
        )
    } else {
        format!("{{\"{member}\":{value}}}")
    };
    let mut post = Post::http(path, "application/json", body.into_bytes());
    if path.starts_with("/v2") && random.below(2) == 0 {
        post.body = gzip(&post.body).into();
        post.header = Some(("content-encoding", "gzip"));
    }
    post
}

/// An array file with very many axes, a long header, or sizes whose product overflows.
pub(crate) fn array(random: &mut Random) -> Post {
    let count = random.within(100, 5_000_000 / 3);
    let shape = match random.below(6) {
        0 => format!("({})", "1,".repeat(count)),
        1 => format!("({})", "18446744073709551615,".repeat(random.within(2, 60))),
        2 => format!("(0,{})", "4294967296,".repeat(random.within(2, 60))),
        3 => format!("({})", "(".repeat(count)),
        4 => format!("({}2048,)", " ".repeat(count)),
        _ => "(1000000, 1, 1)".to_owned(),
    };
    let kind = match random.below(4) {
        0 => format!("[{}]", "('x', '<f4'), ".repeat(random.within(1, 50_000))),
        1 => "'|O'".to_owned(),
        _ => "'<f4'".to_owned(),
    };
    let header = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = random.pick(&[header.len() as u32, header.len() as u32, u32::MAX]);
    let mut body = b"\x93NUMPY\x02\x00".to_vec();
    body.extend(length.to_le_bytes());
    body.extend(header.bytes());
    body.resize(body.len() + (4 << 20), 1);
    Post::http("/models/bearing/classify", "application/x-npy", body)
}

/// A form of headers without an end, of empty parts, or of boundaries only.
pub(crate) fn form(random: &mut Random) -> Post {
    let bytes = random.pick(&[1 << 20, 8 << 20, 32 << 20]);
    let fill = |unit: &str| unit.repeat(bytes / unit.len());
    let part = "--b\r\ncontent-disposition: form-data; name=\"file\"\r\n";
    let body = match random.below(9) {
        0 => part.to_owned() + &fill("x"),
        1 => part.to_owned() + &fill("x: y\r\n"),
        2 => part.to_owned() + &fill("\r"),
        3 => part.to_owned() + &fill("x: \r\n "),
        4 => fill("--b\r\n"),
        5 => fill(&format!("{part}\r\n\r\n")),
        6 => fill("--b\r\ncontent-disposition: form-data; name=\"top_k\"\r\n\r\n1\r\n"),
        7 => format!("{part}\r\n{}", fill("\r\n--")),
        _ => format!(
            "--b\r\ncontent-disposition: form-data; name=\"{}\"\r\n\r\n1\r\n",
            fill("model")
        ),
    };
    Post::http(random.pick(&["/classify", "/models/bearing/classify"]), FORM, body.into_bytes())
}
