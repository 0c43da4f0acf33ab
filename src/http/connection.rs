//! Accepting connections, serving each, and ending without losing a request.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower::ServiceExt as _;

/// How long a client may take to send a request's headers, and an idle connection may stay.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system refused a connection, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long handshakes that have begun may take to complete before the listener is closed.
const LAST_HANDSHAKES: Duration = Duration::from_millis(100);

/// Serves a listener's connections.
#[derive(Debug)]
pub struct Connections {
    router: Router,
    server: auto::Builder<TokioExecutor>,
    graceful: GracefulShutdown,
    /// One permit a connection.
    places: Arc<Semaphore>,
}

impl Connections {
    /// Serves `router` on at most `most` connections at once.
    pub fn new(router: Router, most: usize) -> Self {
        let mut server = auto::Builder::new(TokioExecutor::new());
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(HEADER_TIMEOUT));
        Self {
            router,
            server,
            graceful: GracefulShutdown::new(),
            places: Arc::new(Semaphore::new(most)),
        }
    }

    /// Accepts connections until `stop` is ready, and then those whose handshake has begun: a client whose
    /// connection stands may have sent its request already, and closing the listener would reset it.
    pub async fn accept_until(&self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let accept_all = async {
            loop {
                self.accept_one(&listener).await;
            }
        };
        tokio::select! {
            biased;
            () = stop => (),
            () = accept_all => (),
        }
        if let Err(error) = refuse_handshakes(&listener) {
            tracing::debug!(%error, "new connections cannot be held off while the last ones are accepted");
        }
        let last = async {
            loop {
                self.accept_one(&listener).await;
            }
        };
        // It always ends by the time: nothing else ends the loop.
        let _ = timeout(LAST_HANDSHAKES, last).await;
    }

    /// Lets every connection finish the request it is in, and closes it then.
    pub async fn finish(self) {
        self.graceful.shutdown().await;
    }

    async fn accept_one(&self, listener: &TcpListener) {
        // The semaphore is never closed, so there always is a place in the end.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        match listener.accept().await {
            Ok((stream, _)) => self.serve(stream, place),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }

    fn serve(&self, stream: TcpStream, place: Option<OwnedSemaphorePermit>) {
        // Answers are written whole: waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let router = self.router.clone();
        let service = tower::service_fn(move |request: Request<Incoming>| {
            let router = router.clone();
            async move {
                Ok::<_, Infallible>(
                    router
                        .oneshot(request.map(Body::new))
                        .await
                        .unwrap_or_else(|never| match never {}),
                )
            }
        });
        let connection = self
            .server
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
            .into_owned();
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            // A client that breaks off is no fault of ours.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
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
