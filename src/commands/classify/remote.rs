//! Sends files to a running server.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use axum::body::Body;
use form_urlencoded::Serializer;
use http_body_util::{BodyExt as _, Limited};
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::{sleep, timeout};

use super::{
    answers::Answered,
    client::{HttpClient, client, is_unknown},
    content::Content,
    files::File,
    model::Facts,
};

/// Time limit of a request; the server has a shorter one of its own.
const PATIENCE: Duration = Duration::from_mins(5);
/// Pause before a busy server is asked again, and how often it is.
const PAUSE: Duration = Duration::from_secs(1);
const ATTEMPTS: u32 = 60;
/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 256 << 20;

/// A model of a running server.
#[derive(Debug)]
pub(super) struct Remote {
    client: HttpClient,
    /// Where the files are posted to.
    url: String,
    key: Option<String>,
    with_predictions: bool,
}

/// Where a server is, and how it and its client know each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    pub(super) url: &'a str,
    /// A file of certificates by which its own is known.
    pub(super) authorities: Option<&'a Path>,
    pub(super) key: Option<&'a str>,
}

/// `GET /models`.
#[derive(Debug, Deserialize)]
struct Models {
    default: Option<String>,
    models: Vec<Served>,
}

/// A version of a model; without classes if it is not served.
#[derive(Debug, Deserialize)]
struct Served {
    name: String,
    version: String,
    #[serde(default)]
    classes: Vec<String>,
    input: Option<Input>,
}

#[derive(Debug, Deserialize)]
struct Input {
    kind: String,
}

/// Problem details.
#[derive(Debug, Deserialize)]
struct Problem {
    detail: String,
}

impl Remote {
    /// Asks a server for its models, and chooses the one that is named NAME or
    /// NAME/VERSION, or the default one.
    ///
    /// # Errors
    /// If the server does not answer or does not serve it.
    pub(super) async fn open(
        Server { url, authorities, key }: Server<'_>,
        model: Option<&Path>,
        options: &[(&'static str, &str)],
        with_predictions: bool,
    ) -> anyhow::Result<(Self, Facts)> {
        let base = url.trim_end_matches('/');
        let client = client(base, authorities)?;
        let key = key.map(str::to_owned);
        let mut remote = Self { client, url: format!("{base}/models"), key, with_predictions };
        let models: Models = remote.models().await?;
        let served = choose(models, model)?;
        let query = Serializer::new(String::new()).extend_pairs(options).finish();
        let Served { name, version, .. } = &served;
        remote.url = format!("{base}/models/{name}/versions/{version}/classify?{query}");
        let takes_images = served.input.is_some_and(|input| input.kind == "image");
        Ok((remote, Facts { classes: served.classes, takes_images }))
    }

    async fn models<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        let request = self.request(Method::GET, None, Body::empty())?;
        let (status, body) = self.exchange(request).await.map_err(|error| {
            let url = &self.url;
            let sentence = if is_unknown(&error) {
                format!(
                    "the certificate of {url} is not by an authority that is trusted; name a file with \
                     that authority's certificate by --ca-cert"
                )
            } else {
                format!("{url} does not answer")
            };
            error.context(sentence)
        })?;
        if status != StatusCode::OK {
            bail!("{} answered {status}: {}", self.url, detail(&body));
        }
        serde_json::from_slice(&body)
            .with_context(|| format!("{} is not the list of models of a drsn-serve", self.url))
    }

    /// Classifies a file. A server that is busy is asked again.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(super) async fn classify(&self, file: &File) -> Result<Answered, String> {
        let mut attempt = 1;
        loop {
            let content = Content::open(&file.path, None)?;
            let (status, body) = self.post(content).await?;
            if status == StatusCode::OK {
                return Answered::of_json(&body, self.with_predictions).map_err(|error| {
                    format!("the answer is not that of a drsn-serve ({error}); check the address given with --server")
                });
            }
            let is_busy =
                matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if !(is_busy && file.is_regular && attempt < ATTEMPTS) {
                return Err(detail(&body));
            }
            attempt += 1;
            sleep(PAUSE).await;
        }
    }

    async fn post(&self, mut content: Content) -> Result<(StatusCode, Vec<u8>), String> {
        let body = std::mem::take(&mut content.body);
        let media_type = Some(content.kind.media_type());
        let request =
            self.request(Method::POST, media_type, body).map_err(|error| format!("{error:#}"))?;
        self.exchange(request).await.map_err(|error| match content.failure() {
            Some(failure) => failure.to_owned(),
            None => format!("the server does not answer: {error:#}"),
        })
    }

    fn request(
        &self,
        method: Method,
        media_type: Option<&str>,
        body: Body,
    ) -> anyhow::Result<Request<Body>> {
        let mut request = Request::builder().method(method).uri(&self.url);
        if let Some(media_type) = media_type {
            request = request.header(header::CONTENT_TYPE, media_type);
        }
        if let Some(key) = &self.key {
            request = request.header("x-api-key", key);
        }
        request.body(body).with_context(|| format!("{} is not a URL", self.url))
    }

    async fn exchange(&self, request: Request<Body>) -> anyhow::Result<(StatusCode, Vec<u8>)> {
        let answered = async {
            let response: Response<Incoming> = self.client.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            let body = body.map_err(anyhow::Error::from_boxed)?;
            anyhow::Ok((status, body.to_bytes().to_vec()))
        };
        timeout(PATIENCE, answered).await.context("it took too long")?
    }
}

/// The sentence of a refusal.
fn detail(body: &[u8]) -> String {
    let problem = serde_json::from_slice(body).map(|problem: Problem| problem.detail);
    problem.unwrap_or_else(|_| String::from_utf8_lossy(body).trim().to_owned())
}

/// The model that is named NAME or NAME/VERSION, or the default one; without a version the highest.
fn choose(models: Models, model: Option<&Path>) -> anyhow::Result<Served> {
    let wanted = match model {
        Some(path) => path.to_string_lossy().into_owned(),
        None => models.default.context("the server has no default model; name one with --model")?,
    };
    let (name, version) = match wanted.split_once('/') {
        Some((name, version)) => (name, Some(version)),
        None => (wanted.as_str(), None),
    };
    let mut served = models.models.into_iter().filter(|found| !found.classes.is_empty());
    let is_wanted =
        |found: &Served| found.name == name && version.is_none_or(|v| v == found.version);
    // The versions of a model are listed from the lowest to the highest.
    let found = served.by_ref().filter(is_wanted).last();
    found.with_context(|| {
        format!("the server does not serve {wanted}; GET /models lists what it does")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models() -> Models {
        let served = |name: &str, version: &str, classes: &[&str]| Served {
            name: name.to_owned(),
            version: version.to_owned(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
            input: None,
        };
        Models {
            default: Some("a".to_owned()),
            models: vec![
                served("a", "1", &["x", "y"]),
                served("a", "2", &["x", "y"]),
                served("a", "3", &[]),
                served("b", "1", &["x", "y"]),
            ],
        }
    }

    #[test]
    fn a_model_is_chosen_by_name_and_version_among_those_that_are_served() {
        let chosen = |model: Option<&str>| {
            choose(models(), model.map(Path::new)).map(|s| format!("{}/{}", s.name, s.version)).ok()
        };
        assert_eq!(chosen(None).as_deref(), Some("a/2"));
        assert_eq!(chosen(Some("a/1")).as_deref(), Some("a/1"));
        assert_eq!(chosen(Some("b")).as_deref(), Some("b/1"));
        assert_eq!(chosen(Some("a/3")), None);
        assert_eq!(chosen(Some("c")), None);
    }
}
