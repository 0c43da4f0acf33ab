//! API keys. The server keeps only their digests, and compares them in constant time.

use std::path::{Path, PathBuf};

use arc_swap::ArcSwap;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use drsn_bundle::files::read_bounded;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::Client;
use crate::error::{ApiError, ErrorKind};

/// The header for clients that cannot set `Authorization`.
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// Largest key file, in bytes.
const LARGEST_FILE: u64 = 1 << 20;

type KeyDigest = [u8; 32];

/// The digests of the known keys, and the file that they come from.
#[derive(Debug)]
pub(crate) struct Keys {
    file: PathBuf,
    digests: ArcSwap<Vec<KeyDigest>>,
}

/// A key file that cannot be used. The message never contains a key.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the key file {}: {reason}; expected one key per line, and `#` before comments", path.display())]
pub(crate) struct KeysError {
    path: PathBuf,
    reason: String,
}

impl Keys {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeysError`] if the file cannot be read, has no key, or a line cannot be a key.
    pub(crate) fn open(file: &Path) -> Result<Self, KeysError> {
        let digests = ArcSwap::from_pointee(read(file)?);
        Ok(Self { file: file.to_owned(), digests })
    }

    /// The keys in the text of a key file.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of_text(text: &str) -> Result<Self, String> {
        Ok(Self { file: PathBuf::new(), digests: ArcSwap::from_pointee(parse(text)?) })
    }

    /// The file that the keys come from.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Puts the keys of another reading of the file into force, and returns their number.
    pub(crate) fn replace(&self, new: Self) -> usize {
        let digests = new.digests.into_inner();
        let count = digests.len();
        self.digests.store(digests);
        count
    }

    /// The client whose key a request has: `Authorization: Bearer KEY` or `X-Api-Key: KEY`. For
    /// gRPC, `headers` is the metadata.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] if it has no known key.
    pub(crate) fn client(&self, headers: &HeaderMap) -> Result<Client, ApiError> {
        let bearer = headers
            .get_all(header::AUTHORIZATION)
            .into_iter()
            .filter_map(|value| bearer(value.as_bytes()));
        let given = headers.get_all(&API_KEY).into_iter().map(HeaderValue::as_bytes);
        let (mut is_given, mut client) = (false, None);
        let digests = self.digests.load();
        for key in bearer.chain(given) {
            is_given = true;
            let digest: KeyDigest = Sha256::digest(key).into();
            let mut is_known = Choice::from(0);
            for known in digests.iter() {
                is_known |= known[..].ct_eq(&digest[..]);
            }
            if bool::from(is_known) {
                client = Some(Client::with_key(&digest));
            }
        }
        client.ok_or_else(|| ErrorKind::Unauthenticated.because(if is_given {
            "the API key is unknown; send a valid one as `Authorization: Bearer KEY` or `X-Api-Key: KEY`"
        } else {
            "an API key is required; send it as `Authorization: Bearer KEY` or `X-Api-Key: KEY`"
        }))
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| key.trim_ascii())
}

fn read(file: &Path) -> Result<Vec<KeyDigest>, KeysError> {
    let error = |reason: String| KeysError { path: file.to_owned(), reason };
    let bytes = read_bounded(file, LARGEST_FILE).map_err(|e| error(e.to_string()))?;
    let text = str::from_utf8(&bytes).map_err(|_| error("it is not text in UTF-8".to_owned()))?;
    parse(text).map_err(error)
}

fn parse(text: &str) -> Result<Vec<KeyDigest>, String> {
    let mut digests = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let key = line.trim();
        if key.is_empty() || key.starts_with('#') {
            continue;
        }
        // A key with other characters could not be sent in a header.
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!(
                "line {number} has spaces or other characters that a key cannot have"
            ));
        }
        digests.push(Sha256::digest(key).into());
    }
    if digests.is_empty() {
        return Err("it has no key".to_owned());
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Keys {
        Keys::of_text(text).unwrap()
    }

    fn is_let_in(keys: &Keys, name: &'static str, value: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_static(value));
        keys.client(&headers).is_ok()
    }

    #[test]
    fn a_known_key_is_let_in_by_either_header_and_no_other() {
        let keys = keys("# team a\nalpha\r\n\n  beta-2  \n");
        assert!(is_let_in(&keys, "authorization", "Bearer alpha"));
        assert!(is_let_in(&keys, "authorization", "bearer beta-2"));
        assert!(is_let_in(&keys, "x-api-key", "beta-2"));
        for (name, value) in [
            ("authorization", "Bearer alph"),
            ("authorization", "Bearer alphaa"),
            ("authorization", "Basic alpha"),
            ("authorization", "alpha"),
            ("authorization", "Bearer "),
            ("x-api-key", "# team a"),
            ("x-api-key", ""),
        ] {
            assert!(!is_let_in(&keys, name, value), "{name}: {value}");
        }
        assert!(keys.client(&HeaderMap::new()).is_err());
    }

    #[test]
    fn keys_of_another_reading_replace_those_in_force() {
        let old = keys("alpha");
        assert_eq!(old.replace(keys("beta\ngamma")), 2);
        assert!(is_let_in(&old, "x-api-key", "gamma") && !is_let_in(&old, "x-api-key", "alpha"));
    }

    #[test]
    fn a_file_without_keys_or_with_a_broken_line_is_refused_without_showing_it() {
        assert!(parse("# nothing\n\n").is_err());
        let error = parse("good\nsecret words\n").err().unwrap_or_default();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }
}
