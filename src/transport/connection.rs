//! Serves the requests of one connection.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::IpAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use axum::{body::Body, extract::Request, http::Version, response::Response};
use http_body_util::BodyExt as _;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulConnection},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{OwnedSemaphorePermit, watch},
    time::{sleep, timeout},
};
use tower::{Service, ServiceExt as _};

use super::{
    crowd::{Membership, Place, Refusal},
    peer::Peer,
    stalled::{ExemptFromStallCheck, ResponseTracker},
    turns::{TurnStart, Turns},
};

/// Time limit for receiving a request's headers, which also bounds an idle connection.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection above the limit may last.
const SURPLUS_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection that must close may finish a request that has just arrived.
const LAST_REQUEST: Duration = Duration::from_millis(100);
/// How long a connection without a request may still send its first one when the server stops:
/// its client may have sent it already, and closing the connection would reset it.
pub(super) const LAST_FIRST_REQUEST: Duration = Duration::from_millis(500);
/// How long other connections are still read: the system is asked for arrivals before a timer ends.
const LAST_ARRIVALS: Duration = Duration::from_millis(5);
/// How many times per write timeout HTTP/2 responses are checked for a stall.
const CHECKS_PER_TIMEOUT: u32 = 4;

/// A service that answers HTTP requests and never fails.
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

/// What connections are told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Serve requests.
    Serving,
    /// Tell HTTP/2 clients to connect elsewhere; over HTTP/1.1 each response does.
    Draining,
    /// Finish the current request, then close; if there was none yet, wait for so long for one.
    Closing { first_request: Duration },
}

/// The version of HTTP that a client speaks, known from its first request on.
#[derive(Debug, Default)]
struct HttpVersion(AtomicU8);

impl HttpVersion {
    const UNKNOWN: u8 = 0;
    const HTTP_1: u8 = 1;
    const HTTP_2: u8 = 2;

    fn record(&self, version: Version) {
        let version = if version == Version::HTTP_2 { Self::HTTP_2 } else { Self::HTTP_1 };
        self.0.store(version, Ordering::Relaxed);
    }

    fn is(&self, version: u8) -> bool {
        self.0.load(Ordering::Relaxed) == version
    }
}

/// What a connection is allowed.
#[derive(Debug)]
pub(super) struct Allowance {
    /// Its place among the others; `None` if there are too many connections: then only health
    /// probes are answered, and the connection is closed soon.
    pub(super) membership: Option<Membership>,
    /// How long a client may read nothing of its response.
    pub(super) write_timeout: Duration,
    /// Held until the connection ends.
    pub(super) permit: OwnedSemaphorePermit,
}

/// Serves the requests of one connection.
pub(super) async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: IpAddr,
    service: impl HttpService,
    server: auto::Builder<TokioExecutor>,
    stage: watch::Receiver<Stage>,
    allowance: Allowance,
) {
    let version = Arc::new(HttpVersion::default());
    let responses = Arc::new(ResponseTracker::default());
    let (recorded, tracker) = (Arc::clone(&version), Arc::clone(&responses));
    let member = allowance.membership.as_ref().map(|membership| Arc::clone(&membership.0));
    let begin = move || match &member {
        Some(member) => member.begin().ok_or(Refusal::TooManyRequests),
        None => Err(Refusal::TooManyConnections),
    };
    let peer = Peer::new(address);
    let start = TurnStart::default();
    let turn = start.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        turn.count_request();
        recorded.record(request.version());
        request.extensions_mut().insert(peer.clone());
        let place = begin();
        if let Err(refusal) = place {
            request.extensions_mut().insert(refusal);
        }
        // Over HTTP/1.1 an unread response blocks its connection, which `WriteTimeout` detects.
        let tracker = recorded.is(HttpVersion::HTTP_2).then(|| Arc::clone(&tracker));
        let answer = service.clone().oneshot(request.map(Body::new));
        async move {
            let answer = answer.await.unwrap_or_else(|never| match never {});
            let place = place.ok();
            let is_exempt = answer.extensions().get::<ExemptFromStallCheck>().is_some();
            Ok::<_, Infallible>(match tracker {
                Some(tracker) if !is_exempt => answer.map(|body| tracker.tracked(body, place)),
                Some(_) => answer.map(|body| holding(body, place)),
                None => answer,
            })
        }
    });
    let stream = TokioIo::new(Turns::new(stream, start.clone()));
    let mut connection = pin!(server.serve_connection(stream, service));
    let membership = allowance.membership.as_ref();
    tokio::select! {
        () = drive(connection.as_mut(), &start, stage, &version, membership) => {}
        () = stalled(&responses, &version, allowance.write_timeout) => {
            tracing::debug!("closed a connection whose client stopped reading a response");
        }
    }
    drop(allowance.permit);
}

/// A body that keeps its request's place until it ends.
fn holding(body: Body, place: Option<Place>) -> Body {
    Body::new(body.map_frame(move |frame| {
        let _place = &place;
        frame
    }))
}

/// Ready when an HTTP/2 client has read nothing of a response for longer than `limit`.
async fn stalled(responses: &ResponseTracker, version: &HttpVersion, limit: Duration) {
    loop {
        sleep(limit / CHECKS_PER_TIMEOUT).await;
        if version.is(HttpVersion::HTTP_1) {
            std::future::pending::<()>().await;
        }
        if responses.is_stalled(limit) {
            return;
        }
    }
}

/// Polls a connection until it ends, and closes it when `stage` says so, or when others need its
/// place.
async fn drive<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    start: &TurnStart,
    mut stage: watch::Receiver<Stage>,
    version: &HttpVersion,
    membership: Option<&Membership>,
) {
    let first_request = if membership.is_some() { HEADER_TIMEOUT } else { SURPLUS_TIMEOUT };
    let mut first_request = pin!(sleep(first_request));
    let mut displaced = pin!(must_close(membership));
    let (mut is_new, mut is_told) = (true, false);
    loop {
        let told = must_end(&mut stage, version);
        tokio::select! {
            // What has arrived is read before the connection is closed.
            biased;
            ended = in_turns(connection.as_mut(), start) => {
                // A client may close its connection at any time.
                if ended.is_err() {
                    tracing::debug!("a connection ended before its last response");
                }
                return;
            }
            // hyper's own header timeout starts only when the first bytes show the version.
            () = first_request.as_mut(), if is_new => {
                if membership.is_none() || version.is(HttpVersion::UNKNOWN) {
                    return;
                }
                is_new = false;
            }
            () = told, if !is_told => {
                connection.as_mut().graceful_shutdown();
                is_told = true;
            }
            () = displaced.as_mut() => break,
        }
    }
    connection.as_mut().graceful_shutdown();
    // Whether it ended in time or not, it is closed now.
    let _ = timeout(LAST_REQUEST, in_turns(connection, start)).await;
}

/// Polls a connection, which has a turn each time.
async fn in_turns<C: GracefulConnection>(
    mut connection: Pin<&mut C>,
    start: &TurnStart,
) -> C::Output {
    poll_fn(|context| {
        start.begin();
        connection.as_mut().poll(context)
    })
    .await
}

/// Ready when the server stops, and what has arrived by then was read.
async fn must_end(stage: &mut watch::Receiver<Stage>, version: &HttpVersion) {
    let is_reached = |stage: &Stage| match stage {
        Stage::Serving => false,
        Stage::Draining => version.is(HttpVersion::HTTP_2),
        Stage::Closing { .. } => true,
    };
    // It fails only if the sender is gone, and with it the server.
    let Ok(stage) = stage.wait_for(is_reached).await.map(|stage| *stage) else { return };
    if let Stage::Closing { first_request } = stage {
        let is_unused = version.is(HttpVersion::UNKNOWN);
        sleep(if is_unused { first_request } else { LAST_ARRIVALS }).await;
    }
}

/// Ready when a connection without a request must end.
pub(super) async fn must_end_unused(stage: &mut watch::Receiver<Stage>) {
    must_end(stage, &HttpVersion::default()).await;
}

/// Ready when others need the connection's place.
async fn must_close(membership: Option<&Membership>) {
    match membership {
        Some(Membership(member)) => poll_fn(|context| member.poll_must_close(context)).await,
        None => std::future::pending().await,
    }
}
