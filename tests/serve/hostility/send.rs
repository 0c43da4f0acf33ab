//! Requests, and the ways to send them: whole and again and again, or begun and held.

use std::{io, time::Duration};

use h2::{RecvStream, SendStream, client::ResponseFuture, client::SendRequest};
use hyper::{Request, body::Bytes};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinSet,
    time::sleep,
};

use super::{
    random::Random,
    target::{Listener, OPEN, Target},
};

/// Pause of a client that was refused a connection.
const PAUSE: Duration = Duration::from_millis(5);

/// A request with a body.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) listener: Listener,
    pub(crate) path: String,
    pub(crate) content_type: String,
    /// A further header.
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) body: Bytes,
}

impl Post {
    /// A request to the HTTP listener.
    pub(crate) fn http(path: &str, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self {
            listener: Listener::Http,
            path: path.to_owned(),
            content_type: content_type.to_owned(),
            header: None,
            body: body.into(),
        }
    }

    /// A call of gRPC with one message.
    pub(crate) fn call(path: &str, content: &[u8], is_packed: bool) -> Self {
        Self {
            listener: Listener::Grpc,
            path: path.to_owned(),
            content_type: "application/grpc".to_owned(),
            header: is_packed.then_some(("grpc-encoding", "gzip")),
            body: message(content, is_packed).into(),
        }
    }

    /// Its head over HTTP/2.
    pub(crate) fn request(&self, target: &Target) -> Request<()> {
        let mut request = target.request(self.listener, "POST", &self.path, &self.content_type);
        if let Some((name, value)) = self.header {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        request
    }

    async fn http1(&self, target: &Target) -> io::Result<()> {
        let mut link = target.http1().await?;
        let mut head = target.head("POST", &self.path, &self.content_type);
        if let Some((name, value)) = self.header {
            head.extend([name, ": ", value, "\r\n"]);
        }
        let length = self.body.len().to_string();
        head.extend(["connection: close\r\ncontent-length: ", &length, "\r\n\r\n"]);
        link.write_all(head.as_bytes()).await?;
        link.write_all(&self.body).await?;
        let mut answer = [0; 4096];
        while link.read(&mut answer).await? > 0 {}
        Ok(())
    }

    /// Sends the request on its own stream, and reads the answer.
    async fn http2(&self, target: &Target, sender: &SendRequest<Bytes>) -> Result<(), h2::Error> {
        let (answer, mut body) = begin(sender, self.request(target)).await?;
        write(&mut body, self.body.clone(), true).await?;
        read(answer.await?.into_body()).await.map(drop)
    }
}

/// A message with its prefix.
pub(crate) fn message(content: &[u8], is_packed: bool) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [&[u8::from(is_packed)], &length[..], content].concat()
}

/// Begins a request over HTTP/2.
pub(crate) async fn begin(
    sender: &SendRequest<Bytes>,
    request: Request<()>,
) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
    sender.clone().ready().await?.send_request(request, false)
}

/// Sends bytes as the server has room for them.
pub(crate) async fn write(
    stream: &mut SendStream<Bytes>,
    mut bytes: Bytes,
    is_last: bool,
) -> Result<(), h2::Error> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len().min(1 << 16));
        let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await;
        let Some(room) = room else { return Ok(()) };
        let piece = bytes.split_to(room?.min(bytes.len()));
        stream.send_data(piece, is_last && bytes.is_empty())?;
    }
    Ok(())
}

/// Reads an answer to its end.
pub(crate) async fn read(mut body: RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut answer = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        answer.extend_from_slice(&piece);
        body.flow_control().release_capacity(piece.len())?;
    }
    Ok(answer)
}

/// Sends these requests in turn on each of `clients` connections, again and again.
pub(crate) async fn flood(target: &Target, random: &mut Random, posts: Vec<Post>, clients: usize) {
    let over_http2 = posts[0].listener == Listener::Grpc || random.below(2) == 0;
    repeat(
        clients,
        move |target| {
            let posts = posts.clone();
            async move {
                if over_http2 {
                    let sender = target.http2(posts[0].listener, OPEN).await?;
                    for post in &posts {
                        // Refused and reset streams are what is expected.
                        let _ = post.http2(&target, &sender).await;
                    }
                } else {
                    for post in &posts {
                        let _ = post.http1(&target).await;
                    }
                }
                Ok(())
            }
        },
        target,
    )
    .await;
}

/// Does something on behalf of each of `clients`, again and again, for the target's span.
pub(crate) async fn repeat<F>(
    clients: usize,
    act: impl Fn(Target) -> F + Clone + Send + 'static,
    target: &Target,
) where
    F: Future<Output = io::Result<()>> + Send,
{
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (act, target) = (act.clone(), target.clone());
        tasks.spawn(async move {
            loop {
                if act(target.clone()).await.is_err() {
                    sleep(PAUSE).await;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    sleep(target.span).await;
    tasks.shutdown().await;
}

/// Does something once on behalf of each of `clients`, and holds what it returns for the target's
/// span.
pub(crate) async fn hold<F, T: Send + 'static>(
    clients: usize,
    act: impl Fn(usize, Target) -> F,
    target: &Target,
) where
    F: Future<Output = T> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let acting = act(client, target.clone());
        tasks.spawn(async move {
            let _held = acting.await;
            std::future::pending::<()>().await;
        });
    }
    sleep(target.span).await;
    tasks.shutdown().await;
}
