//! Accepts connections, and shuts down without losing a request.

use std::{net::IpAddr, sync::Arc, time::Duration};

use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::unconstrained,
    time::{sleep, timeout},
};
use tokio_util::either::Either;

use super::{
    Tls,
    connection::{
        Allowance, HEADER_TIMEOUT, HttpService, LAST_FIRST_REQUEST, Stage, must_end_unused,
        serve_connection,
    },
    crowd::Crowd,
    write_timeout::WriteTimeout,
};

/// Read-buffer limit per connection, in bytes; it also bounds a request's headers. hyper's default
/// of 408 KiB, times a thousand connections, would exceed the memory budget of all bodies.
const READ_BUFFER: usize = 64 << 10;
/// Requests that an HTTP/2 client may have on one connection; it waits with further ones.
const STREAMS: u32 = 128;
/// Bytes of a response that are buffered for an HTTP/2 client that does not read.
const SEND_BUFFER: usize = 64 << 10;
/// Connections above the limit, on which only health probes are answered.
const SURPLUS: usize = 32;
/// How long a new connection waits for the place of one that is closed in favour of it.
const SUCCESSION: Duration = Duration::from_millis(250);
/// Pause after a failed accept, as when the system is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Time limit of a TLS handshake.
const TLS_HANDSHAKE: Duration = Duration::from_secs(10);
/// Default time limit for a client that reads nothing of its response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long handshakes that have begun may take before the listener is closed.
const LAST_HANDSHAKES: Duration = Duration::from_millis(100);

/// Serves a listener's connections.
#[derive(Debug)]
pub struct Connections<S> {
    service: S,
    server: auto::Builder<TokioExecutor>,
    /// Each open connection holds a receiver.
    stage: watch::Sender<Stage>,
    /// One permit for each connection.
    permits: Arc<Semaphore>,
    /// One permit for each connection above the limit.
    surplus: Arc<Semaphore>,
    crowd: Arc<Crowd>,
    tls: Option<Arc<Tls>>,
    write_timeout: Duration,
}

impl<S: HttpService> Connections<S> {
    /// Serves `service` on at most `limit` connections at once.
    pub fn new(service: S, limit: usize) -> Self {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_buf_size(READ_BUFFER)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(Some(HEADER_TIMEOUT));
        Self {
            service,
            server,
            stage: watch::Sender::new(Stage::Serving),
            permits: Arc::new(Semaphore::new(limit)),
            surplus: Arc::new(Semaphore::new(SURPLUS)),
            crowd: Crowd::new(limit),
            tls: None,
            write_timeout: WRITE_TIMEOUT,
        }
    }

    /// Uses TLS if there is a certificate.
    #[must_use]
    pub(crate) fn with_tls(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Closes the connection of a client that reads nothing of its response for `write_timeout`.
    #[must_use]
    pub(crate) fn with_write_timeout(self, write_timeout: Duration) -> Self {
        Self { write_timeout, ..self }
    }

    /// Accepts connections until `stop` is ready, then those whose handshake has begun: such a
    /// client may already have sent its request, and closing the listener would reset its
    /// connection.
    pub async fn accept_until(&self, listener: TcpListener, stop: impl Future<Output = ()>) {
        tokio::select! {
            biased;
            () = stop => (),
            () = self.accept_all(&listener) => (),
        }
        if let Err(error) = refuse_handshakes(&listener) {
            tracing::debug!(%error, "cannot hold off new connections while the last ones are accepted");
        }
        // Ends by the timeout, since `accept_all` never returns, and not between two connections that
        // are there.
        let _ = timeout(LAST_HANDSHAKES, unconstrained(self.accept_all(&listener))).await;
    }

    /// Tells HTTP/2 clients that the server is shutting down.
    pub fn drain(&self) {
        self.stage.send_replace(Stage::Draining);
    }

    /// Lets every connection finish its current request, and closes it. `limit` is how long all of
    /// that may take.
    pub async fn finish(self, limit: Duration) {
        let first_request = LAST_FIRST_REQUEST.min(limit / 2);
        self.stage.send_replace(Stage::Closing { first_request });
        self.stage.closed().await;
    }

    async fn accept_all(&self, listener: &TcpListener) {
        loop {
            let room = self.room().await;
            match listener.accept().await {
                Ok((stream, peer)) => self.serve(stream, peer.ip(), room),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Room for the next connection: within the limit, or above it, or else when there is some
    /// again.
    async fn room(&self) -> Room {
        // The semaphores are never closed, so both always give a permit.
        tokio::select! {
            biased;
            Ok(permit) = Arc::clone(&self.permits).acquire_owned() => Room::Regular(permit),
            Ok(permit) = Arc::clone(&self.surplus).acquire_owned() => Room::Surplus(permit),
            else => std::future::pending().await,
        }
    }

    fn serve(&self, stream: TcpStream, address: IpAddr, room: Room) {
        // Responses are written whole: waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let stream = WriteTimeout::new(stream, self.write_timeout);
        let (service, server) = (self.service.clone(), self.server.clone());
        let (mut stage, write_timeout) = (self.stage.subscribe(), self.write_timeout);
        let tls = self.tls.as_ref().map(|tls| tls.acceptor());
        let (crowd, permits) = (Arc::clone(&self.crowd), Arc::clone(&self.permits));
        tokio::spawn(async move {
            let allowance = room.allowance(&crowd, permits, write_timeout).await;
            // One type for both kinds of streams, so that the code that serves them, which is
            // large, is compiled once.
            let stream = match tls {
                None => Some(Either::Left(stream)),
                Some(tls) => {
                    let accepted = tokio::select! {
                        accepted = timeout(TLS_HANDSHAKE, tls.accept(stream)) => accepted,
                        () = must_end_unused(&mut stage) => return,
                    };
                    // A failed handshake is the client's fault, and not logged.
                    accepted.ok().and_then(Result::ok).map(|stream| Either::Right(Box::new(stream)))
                }
            };
            if let Some(stream) = stream {
                serve_connection(stream, address, service, server, stage, allowance).await;
            }
        });
    }
}

/// Room for one connection.
enum Room {
    /// Within the limit.
    Regular(OwnedSemaphorePermit),
    /// Above the limit.
    Surplus(OwnedSemaphorePermit),
}

impl Room {
    /// What the connection is allowed. One above the limit takes the place of the connection that
    /// has been idle for the longest time, if there is one.
    async fn allowance(
        self,
        crowd: &Arc<Crowd>,
        permits: Arc<Semaphore>,
        write_timeout: Duration,
    ) -> Allowance {
        let (permit, is_member) = match self {
            Self::Regular(permit) => (permit, true),
            Self::Surplus(permit) => {
                let inherited = async {
                    if crowd.close_longest_idle() {
                        timeout(SUCCESSION, permits.acquire_owned()).await.ok()?.ok()
                    } else {
                        None
                    }
                };
                inherited.await.map_or((permit, false), |inherited| (inherited, true))
            }
        };
        let membership = is_member.then(|| crowd.join());
        Allowance { membership, write_timeout, permit }
    }
}

/// Makes a listening socket ignore the first packet (SYN) of a handshake, and nothing else. The
/// client's system retries after a second; by then the listener is closed, and the client is
/// refused immediately.
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

/// Other systems have no such filter: a connection made at the last moment may be reset.
#[cfg(not(target_os = "linux"))]
fn refuse_handshakes(_listener: &TcpListener) -> std::io::Result<()> {
    Ok(())
}
