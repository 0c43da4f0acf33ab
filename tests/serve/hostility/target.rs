//! The server as an attacker reaches it: its addresses, what is spoken there, and a key or none.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use h2::client::SendRequest;
use hyper::{Request, body::Bytes};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpSocket,
};
use tokio_rustls::TlsConnector;

/// Where a request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    Http,
    Grpc,
}

/// A server.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) http: SocketAddr,
    pub(crate) grpc: SocketAddr,
    /// Speaks TLS; without it, connections are in clear text.
    pub(crate) tls: Option<TlsConnector>,
    /// The key that requests carry; without it, they come from a stranger.
    pub(crate) key: Option<String>,
    /// How long a variant lasts; the time to make its bodies comes on top.
    pub(crate) span: Duration,
}

/// A connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}
pub(crate) type Link = Box<dyn Stream>;

/// How a client of HTTP/2 lets the server send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) stream: u32,
    pub(crate) connection: u32,
}

/// Those of a client that reads.
pub(crate) const OPEN: Windows = Windows { stream: 1 << 20, connection: 1 << 24 };

/// A connector that trusts this certificate only.
pub(crate) fn connector(certificate: &rcgen::Certificate) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots);
    TlsConnector::from(Arc::new(config.with_no_client_auth()))
}

impl Target {
    /// Connects, with the smallest buffer for what is received if `reads_little`.
    pub(crate) async fn connect(
        &self,
        listener: Listener,
        protocol: &'static [u8],
        reads_little: bool,
    ) -> io::Result<Link> {
        let address = match listener {
            Listener::Http => self.http,
            Listener::Grpc => self.grpc,
        };
        let socket = TcpSocket::new_v4()?;
        if reads_little {
            socket.set_recv_buffer_size(4096)?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let tls = tls.with_alpn(vec![protocol.to_vec()]);
        Ok(Box::new(tls.connect(name, stream).await?))
    }

    /// A connection that speaks HTTP/1.1.
    pub(crate) async fn http1(&self) -> io::Result<Link> {
        self.connect(Listener::Http, b"http/1.1", false).await
    }

    /// A connection that speaks HTTP/2, served by a task until the caller drops it.
    pub(crate) async fn http2(
        &self,
        listener: Listener,
        windows: Windows,
    ) -> io::Result<SendRequest<Bytes>> {
        let link = self.connect(listener, b"h2", false).await?;
        let shaken = h2::client::Builder::new()
            .initial_window_size(windows.stream)
            .initial_connection_window_size(windows.connection)
            .max_concurrent_reset_streams(1000)
            .handshake(link)
            .await;
        let (sender, connection) = shaken.map_err(io::Error::other)?;
        // Ends with the last stream and sender.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// The head of a request over HTTP/1.1, up to its framing.
    pub(crate) fn head(&self, method: &str, path: &str, content_type: &str) -> String {
        let key = self.key.as_ref().map(|key| format!("x-api-key: {key}\r\n"));
        let key = key.unwrap_or_default();
        format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{key}content-type: {content_type}\r\n"
        )
    }

    /// A request over HTTP/2.
    pub(crate) fn request(
        &self,
        listener: Listener,
        method: &str,
        path: &str,
        content_type: &str,
    ) -> Request<()> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{scheme}://localhost{path}"))
            .header("content-type", content_type);
        if listener == Listener::Grpc {
            request = request.header("te", "trailers");
        }
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        request.body(()).unwrap()
    }
}
