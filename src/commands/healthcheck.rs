//! `drsn-serve healthcheck`: checks whether a server is ready, for containers without curl.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::config::Config;

/// Time limit of each step.
const STEP_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest response that is read, in bytes.
const LONGEST_RESPONSE: u64 = 64 << 10;

/// Sends one request; fails unless the status is 200.
pub(super) fn run(url: Option<&str>, config: &Config) -> anyhow::Result<String> {
    let own = own_url(config);
    let url = url.unwrap_or(&own);
    let parts = Parts::of(url)?;
    let answer = ask(&parts).with_context(|| format!("{url} does not answer"))?;
    if !answer.starts_with("HTTP/") {
        bail!("{url} does not speak HTTP; if it is served over TLS, pass --url https://…");
    }
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
        bail!("{url} is not ready: it answered {status} {body}");
    }
    Ok(format!("{url} is ready"))
}

/// The URL of `/readyz` of a server with this configuration, from its own machine.
fn own_url(config: &Config) -> String {
    let scheme = if config.security.tls_cert.is_some() { "https" } else { "http" };
    let mut address = config.network.http;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("{scheme}://{address}/readyz")
}

#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    is_tls: bool,
    /// Host and port as written in the URL.
    authority: &'a str,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> anyhow::Result<Self> {
        let expected = || format!("expected a URL like http://127.0.0.1:8080/readyz, got {url}");
        let (scheme, rest) = url.split_once("://").with_context(expected)?;
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => bail!(expected()),
        };
        let start = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(start);
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if authority.is_empty() || !is_plain(rest) {
            bail!(expected());
        }
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().ok().with_context(expected)?)
            }
            _ => (authority, if is_tls { 443 } else { 80 }),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self { is_tls, authority, host, port, path: if path.is_empty() { "/" } else { path } })
    }
}

fn ask(parts: &Parts<'_>) -> anyhow::Result<String> {
    let address =
        (parts.host, parts.port).to_socket_addrs()?.next().context("the host has no address")?;
    let stream = TcpStream::connect_timeout(&address, STEP_TIMEOUT)?;
    stream.set_read_timeout(Some(STEP_TIMEOUT))?;
    stream.set_write_timeout(Some(STEP_TIMEOUT))?;
    if !parts.is_tls {
        return exchange(stream, parts);
    }
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(parts.host.to_owned())?;
    let connection = ClientConnection::new(Arc::new(client), name)?;
    exchange(StreamOwned::new(connection, stream), parts)
}

fn exchange(mut stream: impl Read + Write, parts: &Parts<'_>) -> anyhow::Result<String> {
    write!(
        stream,
        "GET {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nuser-agent: drsn-serve-healthcheck\r\n\r\n",
        parts.path, parts.authority
    )?;
    stream.flush()?;
    let mut answer = Vec::new();
    let read = stream.take(LONGEST_RESPONSE).read_to_end(&mut answer);
    // The response counts even if the connection ended with an error.
    if answer.is_empty() {
        read?;
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Accepts every certificate, and only verifies that the server has its key. A probe connects to
/// its own machine, by an address that no certificate contains, and sends no secret.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_parsed_or_refused() -> anyhow::Result<()> {
        let parts = Parts::of("http://127.0.0.1:8080/readyz?x=1")?;
        assert_eq!((parts.host, parts.port, parts.path), ("127.0.0.1", 8080, "/readyz?x=1"));
        let parts = Parts::of("https://[::1]:9/")?;
        assert_eq!((parts.is_tls, parts.host, parts.port), (true, "::1", 9));
        let parts = Parts::of("http://[::1]")?;
        assert_eq!((parts.host, parts.port, parts.path), ("::1", 80, "/"));
        for wrong in ["127.0.0.1:8080", "ftp://a/", "http://", "http://a:x/", "http://a/\r\nb: c"] {
            assert!(Parts::of(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }
}
