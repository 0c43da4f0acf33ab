//! The HTTP client for a running server, in clear text or over TLS.

use std::{error::Error, io, path::Path};

use anyhow::{Context as _, bail, ensure};
use axum::body::Body;
use drsn_bundle::files::read_bounded;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// A client that speaks HTTP and HTTPS.
pub(super) type HttpClient = Client<HttpsConnector<HttpConnector>, Body>;

/// Largest file of certificates, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// A client for the server at `url`, which over TLS must have a certificate by one of those in the file
/// `authorities`, or else by one that this system trusts.
///
/// # Errors
/// If there are no such certificates, or the URL is neither `http` nor `https`.
pub(super) fn client(url: &str, authorities: Option<&Path>) -> anyhow::Result<HttpClient> {
    let roots = match url.split_once("://") {
        Some(("https", _)) => trusted(authorities)?,
        Some(("http", _)) if authorities.is_some() => {
            bail!("--ca-cert is for a server with https, and --server is {url}")
        }
        // None is asked for.
        Some(("http", _)) => RootCertStore::empty(),
        _ => bail!(
            "--server is {url}; expected a URL like http://127.0.0.1:8080 or https://example.com"
        ),
    };
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// The certificates of the authorities in a file, or of those that this system trusts.
fn trusted(file: Option<&Path>) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(found.certs);
        ensure!(
            added > 0,
            "this system has no certificates of authorities by which to know the server; install them \
             (on Debian the package ca-certificates), or name a file with --ca-cert"
        );
        return Ok(roots);
    };
    let name = || format!("cannot use {} for --ca-cert", file.display());
    let bytes = read_bounded(file, LARGEST_FILE).with_context(name)?;
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let added = certificate.map_err(anyhow::Error::from).and_then(|it| Ok(roots.add(it)?));
        added.with_context(name)?;
    }
    ensure!(!roots.is_empty(), "{} has no certificate for --ca-cert; expected PEM", file.display());
    Ok(roots)
}

/// Whether a request failed because the server's certificate is not by a trusted authority.
pub(super) fn is_unknown(error: &anyhow::Error) -> bool {
    error.chain().any(is_about_certificate)
}

/// Whether this is what rustls thinks of a certificate, within any number of I/O errors.
fn is_about_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return error.get_ref().is_some_and(|within| is_about_certificate(within));
    }
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str, authorities: Option<&Path>) -> String {
        format!("{:#}", client(url, authorities).unwrap_err())
    }

    #[test]
    fn urls_and_files_that_cannot_be_used_are_refused_with_what_is_expected() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not PEM").unwrap();
        let path = file.path().display();
        assert_eq!(
            refusal("localhost:8080", None),
            "--server is localhost:8080; expected a URL like http://127.0.0.1:8080 or https://example.com"
        );
        assert_eq!(
            refusal("https://localhost", Some(file.path())),
            format!("{path} has no certificate for --ca-cert; expected PEM")
        );
        assert_eq!(
            refusal("http://localhost", Some(file.path())),
            "--ca-cert is for a server with https, and --server is http://localhost"
        );
        let missing = refusal("https://localhost", Some(Path::new("/nowhere.pem")));
        assert!(missing.starts_with("cannot use /nowhere.pem for --ca-cert: "), "{missing}");
    }
}
