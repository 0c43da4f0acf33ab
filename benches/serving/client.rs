//! Cheap keep-alive clients: all on one thread, because they share the server's processors.

use std::{cell::Cell, net::SocketAddr};

use drsn_bundle::InputSpec;
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The bytes of a request.
pub(crate) struct Request(Vec<u8>);

impl Request {
    /// One input as nested numbers.
    pub(crate) fn json(input: &InputSpec) -> Self {
        let body = format!("{{\"tensor\":{}}}", nested(&values(input), &input.shape()));
        Self::with("application/json", body.as_bytes())
    }

    /// One input as 32-bit floats.
    pub(crate) fn binary(input: &InputSpec) -> Self {
        let bytes: Vec<u8> = values(input).iter().flat_map(|x| x.to_le_bytes()).collect();
        Self::with("application/octet-stream", &bytes)
    }

    fn with(content_type: &str, body: &[u8]) -> Self {
        let head = format!(
            "POST /classify HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self([head.as_bytes(), body].concat())
    }
}

fn values(input: &InputSpec) -> Vec<f32> {
    (0..input.elements()).map(|n| (n as f32 * 0.37).sin() * 0.5 + 0.5).collect()
}

/// Nested lists with the shortest digits of each number.
fn nested(values: &[f32], shape: &[usize]) -> String {
    let parts: Vec<String> = match shape {
        [] | [_] => values.iter().map(f32::to_string).collect(),
        [_, rest @ ..] => {
            let size = rest.iter().product::<usize>().max(1);
            values.chunks(size).map(|part| nested(part, rest)).collect()
        }
    };
    format!("[{}]", parts.join(","))
}

/// Sends `requests` requests over `clients` connections, each the next one once the last is
/// answered. Returns by how much the clock advanced from the moment when every connection had its
/// first answer.
pub(crate) fn send(
    address: SocketAddr,
    request: &Request,
    clients: usize,
    requests: usize,
    clock: impl Fn() -> f64,
) -> f64 {
    let left = Cell::new(requests);
    let connect = async || {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        assert_eq!(exchange(&mut stream, &request.0).await, Some(200));
        stream
    };
    let converse = async |mut stream: TcpStream| {
        while left.get() > 0 {
            left.set(left.get() - 1);
            assert_eq!(exchange(&mut stream, &request.0).await, Some(200));
        }
    };
    on_this_thread(async {
        let streams = join_all((0..clients).map(|_| connect())).await;
        let before = clock();
        join_all(streams.into_iter().map(converse)).await;
        clock() - before
    })
}

/// The status of the answer to a request without a body; `None` without an answer.
pub(crate) fn get(address: SocketAddr, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    on_this_thread(async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        exchange(&mut stream, request.as_bytes()).await
    })
}

fn on_this_thread<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    runtime.expect("a runtime").block_on(work)
}

/// Sends a request, reads the whole answer and returns its status.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Option<u16> {
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::with_capacity(16 << 10);
    loop {
        stream.read_buf(&mut answer).await.ok().filter(|&count| count > 0)?;
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&answer[..end]).ok()?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        if answer.len() - end - 4 >= length.unwrap_or(0) {
            return head.split_whitespace().nth(1)?.parse().ok();
        }
    }
}
