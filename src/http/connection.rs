//! Accepting connections, serving each, and ending without losing a request.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request};
use futures_util::FutureExt as _;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceExt as _;

/// How long a client may take to send a request's headers, and an idle connection may stay.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after the system refused a connection, as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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

    /// Accepts connections until `stop` is ready, and then those that the system has completed already: a client
    /// whose connection stands may have sent its request.
    pub async fn accept_until(&self, listener: &TcpListener, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.accept(listener) => accepted,
            };
            match accepted {
                Ok((stream, place)) => self.serve(stream, place),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        while let Some(Ok((stream, place))) = self.accept(listener).now_or_never() {
            self.serve(stream, place);
        }
    }

    /// Lets every connection finish the request it is in, and closes it then.
    pub async fn finish(self) {
        self.graceful.shutdown().await;
    }

    async fn accept(
        &self,
        listener: &TcpListener,
    ) -> std::io::Result<(TcpStream, Option<OwnedSemaphorePermit>)> {
        // The semaphore is never closed, so there always is a place in the end.
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        let (stream, _) = listener.accept().await?;
        Ok((stream, place))
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
