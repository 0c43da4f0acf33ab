//! Accepting connections, serving each, and ending without losing a request.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, extract::Request, http::Version, response::Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulConnection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tokio_util::either::Either;
use tower::{Service, ServiceExt as _};

use super::{
    stalled::{ExemptFromStallCheck, ResponseTracker},
    write_timeout::WriteTimeout,
};
use crate::transport::Tls;

/// Most bytes of a connection that are read ahead of who wants them; the library's own limit, 408 KiB, times a thousand
/// connections would be more than all bodies may take. It bounds a request's headers, too.
const MOST_BUFFERED: usize = 64 << 10;
/// How long a client may take to send a request's headers, and an idle connection may stay.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system refused a connection, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a client may take for the handshake of TLS.
const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take nothing of its answer, where nothing else is said.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often in that time answers over HTTP/2 are looked at.
const LOOKS_A_LIMIT: u32 = 4;
/// How long handshakes that have begun may take to complete before the listener is closed.
const LAST_HANDSHAKES: Duration = Duration::from_millis(100);

/// Serves a listener's connections.
#[derive(Debug)]
pub struct Connections<S> {
    service: S,
    server: auto::Builder<TokioExecutor>,
    /// Each connection holds a receiver while it lives.
    stage: watch::Sender<Stage>,
    /// One permit a connection.
    places: Arc<Semaphore>,
    tls: Option<Arc<Tls>>,
    write_timeout: Duration,
}

/// What is asked of the connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Requests are served as they come.
    Serving,
    /// HTTP/2 clients are told to go elsewhere. In HTTP/1.1 each answer tells its client.
    Draining,
    /// The request that is being served is the last.
    Closing,
}

/// The version of HTTP that a client speaks, once its first request has come.
#[derive(Debug, Default)]
struct Spoken(AtomicU8);

impl Spoken {
    const NOTHING: u8 = 0;
    const HTTP_1: u8 = 1;
    const HTTP_2: u8 = 2;

    fn note(&self, version: Version) {
        let spoken = if version == Version::HTTP_2 { Self::HTTP_2 } else { Self::HTTP_1 };
        self.0.store(spoken, Ordering::Relaxed);
    }

    fn is(&self, spoken: u8) -> bool {
        self.0.load(Ordering::Relaxed) == spoken
    }
}

/// What answers the requests of a connection.
pub trait HttpService:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

impl<S: HttpService> Connections<S> {
    /// Serves `service` on at most `most` connections at once.
    pub fn new(service: S, most: usize) -> Self {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(MOST_BUFFERED)
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(HEADER_TIMEOUT));
        Self {
            service,
            server,
            stage: watch::Sender::new(Stage::Serving),
            places: Arc::new(Semaphore::new(most)),
            tls: None,
            write_timeout: WRITE_TIMEOUT,
        }
    }

    /// Speaks TLS, where there is a certificate.
    #[must_use]
    pub(crate) fn with_tls(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Closes the connection of a client that takes nothing of its answer for so long.
    #[must_use]
    pub(crate) fn with_write_timeout(self, write_timeout: Duration) -> Self {
        Self { write_timeout, ..self }
    }

    /// Accepts connections until `stop` is ready, and then those whose handshake has begun: a client whose
    /// connection stands may have sent its request already, and closing the listener would reset it.
    pub async fn accept_until(&self, listener: TcpListener, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => (),
            () = self.accept_all(&listener) => (),
        }
        if let Err(error) = refuse_handshakes(&listener) {
            tracing::debug!(%error, "cannot hold off new connections while the last ones are accepted");
        }
        // It always ends by the time: accepting never does.
        let _ = timeout(LAST_HANDSHAKES, self.accept_all(&listener)).await;
    }

    /// Tells HTTP/2 clients that this server is about to end.
    pub fn drain(&self) {
        self.stage.send_replace(Stage::Draining);
    }

    /// Lets every connection finish the request it is in, and closes it then.
    pub async fn finish(self) {
        self.stage.send_replace(Stage::Closing);
        self.stage.closed().await;
    }

    async fn accept_all(&self, listener: &TcpListener) {
        loop {
            // The semaphore is never closed, so there always is a place in the end.
            let place = Arc::clone(&self.places).acquire_owned().await.ok();
            match listener.accept().await {
                Ok((stream, _)) => self.serve(stream, place),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream, place: Option<OwnedSemaphorePermit>) {
        // Responses are written whole: waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let stream = WriteTimeout::new(stream, self.write_timeout);
        let (service, server) = (self.service.clone(), self.server.clone());
        let (stage, limit) = (self.stage.subscribe(), self.write_timeout);
        let tls = self.tls.as_ref().map(|tls| tls.acceptor());
        tokio::spawn(async move {
            // One type for both kinds of streams: the code that serves them is large, and is compiled once.
            let stream = match tls {
                None => Some(Either::Left(stream)),
                Some(tls) => match timeout(TLS_HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => Some(Either::Right(Box::new(stream))),
                    // A client that fails the handshake is no fault of ours.
                    Ok(Err(_)) | Err(_) => None,
                },
            };
            if let Some(stream) = stream {
                serve_connection(stream, service, server, stage, limit).await;
            }
            drop(place);
        });
    }
}

/// Serves the requests of one connection.
async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: impl HttpService,
    server: auto::Builder<TokioExecutor>,
    stage: watch::Receiver<Stage>,
    write_timeout: Duration,
) {
    let spoken = Arc::new(Spoken::default());
    let responses = Arc::new(ResponseTracker::default());
    let (noting, watching) = (Arc::clone(&spoken), Arc::clone(&responses));
    let service = service_fn(move |request: Request<Incoming>| {
        noting.note(request.version());
        // In HTTP/1.1 an answer that is not taken holds up its connection, which the stream itself notices.
        let watching = noting.is(Spoken::HTTP_2).then(|| Arc::clone(&watching));
        let answer = service.clone().oneshot(request.map(Body::new));
        async move {
            let answer = answer.await.unwrap_or_else(|never| match never {});
            Ok::<_, Infallible>(match watching {
                Some(responses) if answer.extensions().get::<ExemptFromStallCheck>().is_none() => {
                    answer.map(|body| responses.watched(body))
                }
                _ => answer,
            })
        }
    });
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        () = drive(connection.as_mut(), stage, &spoken) => {}
        () = stalled(&responses, &spoken, write_timeout) => {
            tracing::debug!("closed a connection whose client stopped reading a response");
        }
    }
}

/// Ready when a client over HTTP/2 has taken nothing of an answer for so long.
async fn stalled(responses: &ResponseTracker, spoken: &Spoken, limit: Duration) {
    loop {
        sleep(limit / LOOKS_A_LIMIT).await;
        if spoken.is(Spoken::HTTP_1) {
            std::future::pending::<()>().await;
        }
        if responses.is_stalled(limit) {
            return;
        }
    }
}

/// A connection's life.
async fn drive<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    mut stage: watch::Receiver<Stage>,
    spoken: &Spoken,
) {
    let mut first_request = pin!(sleep(HEADER_TIMEOUT));
    let (mut is_new, mut is_told) = (true, false);
    loop {
        let told = stage.wait_for(|&stage| {
            stage == Stage::Closing || stage == Stage::Draining && spoken.is(Spoken::HTTP_2)
        });
        tokio::select! {
            ended = connection.as_mut() => {
                // A client that breaks off is no fault of ours.
                if ended.is_err() {
                    tracing::debug!("a connection ended before its last response");
                }
                return;
            }
            // The library's own limit begins with the first bytes of a version that it knows.
            () = first_request.as_mut(), if is_new => {
                if spoken.is(Spoken::NOTHING) {
                    return;
                }
                is_new = false;
            }
            _ = told, if !is_told => {
                connection.as_mut().graceful_shutdown();
                is_told = true;
            }
        }
    }
}

/// Lets a listening socket ignore the first packet of a handshake, and only that. The client's system sends it again
/// after a second; by then nobody listens, which it is told at once.
#[cfg(target_os = "linux")]
fn refuse_handshakes(listener: &TcpListener) -> std::io::Result<()> {
    use socket2::{SockFilter, SockRef};

    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_SET: u16 = 0x45;
    const RETURN: u16 = 0x06;
    const TCP_FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, TCP_FLAGS),
        SockFilter::new(JUMP_IF_SET, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ])
}

/// Elsewhere there is no such filter: a connection that is made in the last moment can be reset.
#[cfg(not(target_os = "linux"))]
fn refuse_handshakes(_listener: &TcpListener) -> std::io::Result<()> {
    Ok(())
}
