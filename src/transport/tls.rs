//! TLS: one certificate for all listeners, which can be reloaded.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use drsn_bundle::files::read_bounded;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio_rustls::TlsAcceptor;

/// Protocols offered by ALPN, preferred first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Largest certificate chain, and largest key, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

/// A certificate and its key.
#[derive(Debug)]
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    server: ArcSwap<ServerConfig>,
}

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// The certificate chain cannot be read.
    #[error(
        "cannot use the certificate {}: {reason}; --tls-cert expects a PEM certificate chain",
        path.display()
    )]
    Certificate { path: PathBuf, reason: String },
    /// The private key cannot be read.
    #[error(
        "cannot use the private key {}: {reason}; --tls-key expects a PEM private key",
        path.display()
    )]
    Key { path: PathBuf, reason: String },
    /// The key does not match the certificate.
    #[error(
        "cannot use the certificate {} with the private key {}: {reason}",
        certificate.display(),
        key.display()
    )]
    Pair { certificate: PathBuf, key: PathBuf, reason: String },
}

impl Tls {
    /// Reads the certificate and the key.
    ///
    /// # Errors
    /// [`TlsError`] if one of them cannot be used, or they do not match.
    pub(crate) fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let server = ArcSwap::new(read(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), server })
    }

    /// The files of the certificate and the key.
    pub(crate) fn files(&self) -> (&Path, &Path) {
        (&self.certificate, &self.key)
    }

    /// Puts the certificate of another reading of the files into force, for new connections.
    pub(crate) fn replace(&self, new: Self) {
        self.server.store(new.server.into_inner());
    }

    /// An acceptor with the current certificate.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.server.load_full())
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let wrong_certificate =
        |reason: String| TlsError::Certificate { path: certificate.to_owned(), reason };
    let text =
        read_bounded(certificate, LARGEST_FILE).map_err(|e| wrong_certificate(e.to_string()))?;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|e| wrong_certificate(e.to_string()))?;
    if chain.is_empty() {
        return Err(wrong_certificate("it contains no certificate".to_owned()));
    }
    let wrong_key = |reason: String| TlsError::Key { path: key.to_owned(), reason };
    let text = read_bounded(key, LARGEST_FILE).map_err(|e| wrong_key(e.to_string()))?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|e| wrong_key(e.to_string()))?;
    let mismatch = |e: rustls::Error| TlsError::Pair {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        reason: e.to_string(),
    };
    let mut server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(mismatch)?;
    server.alpn_protocols = PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(Arc::new(server))
}
