//! Why the server did not start.

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use drsn_bundle::runtime::RuntimeError;

use crate::{
    admission::KeysError, observability::capture::FolderError, readers::ReadError,
    repository::RepositoryError, transport::TlsError,
};

/// Why the server did not start, in a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct StartError(Cause);

#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error("cannot listen on {address}: {source}; choose another address with {flag}")]
    Bind { address: SocketAddr, flag: &'static str, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Unread { path: PathBuf, source: ReadError },
    #[error("reading keys and certificate failed unexpectedly: {0}")]
    Panicked(String),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Capture(#[from] FolderError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl<E: Into<Cause>> From<E> for StartError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl StartError {
    /// 2 if the configuration names something that does not exist or cannot be used, 1 if a model
    /// or an address fails.
    pub fn exit_code(&self) -> ExitCode {
        match self.0 {
            Cause::Keys(_)
            | Cause::Tls(_)
            | Cause::Capture(_)
            | Cause::Runtime(
                RuntimeError::NotFound { .. }
                | RuntimeError::NoSuchLibrary { .. }
                | RuntimeError::Unusable { .. },
            )
            | Cause::Repository(
                RepositoryError::Folder { .. }
                | RepositoryError::Empty { .. }
                | RepositoryError::OneModel { .. }
                | RepositoryError::NoVersion { .. }
                | RepositoryError::NoDefault { .. }
                | RepositoryError::NoBundle { .. },
            ) => ExitCode::from(2),
            Cause::Bind { .. }
            | Cause::Unread { .. }
            | Cause::Panicked(_)
            | Cause::Runtime(_)
            | Cause::Repository(_) => ExitCode::FAILURE,
        }
    }
}
