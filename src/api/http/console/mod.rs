//! The console: a page at `/` on which people try the models and see what they did with an input.
//!
//! The page is static and uses the API like any client. Besides its files there are two routes that
//! only it needs: what the server read of a recording ([`recording`]), and an input to begin with
//! ([`sample`]). They ask for a key as the API does; the files do not.

mod files;
mod recording;
mod sample;

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};

use super::{encoding::Encoding, routes::Routes};
use crate::{
    app::App,
    config::Switch,
    error::{ApiError, ErrorKind},
};
use files::{Asset, SITE};

/// Paths of the page's files begin with it; a hash of all of them and a name follow.
pub(super) const FILES: &str = "/console/files/";

/// Content security policy of the page: scripts, styles and pictures of this server only, none of
/// them inline, and no text becomes markup or code. Pictures may also be files that the user chose.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
    trusted-types 'none'";
/// What the page may ask of the browser: the microphone.
const PERMISSIONS: &str = "microphone=(self), camera=(), geolocation=(), usb=(), payment=()";

/// The console's routes besides `/`; none if it is off.
pub(super) fn routes(console: Switch) -> Routes {
    match console {
        Switch::Off => Routes::new(),
        Switch::On => Routes::new()
            .route("/console/files/{hash}/{name}", get(file))
            .route("/console/recordings/{index}", post(recording::read))
            .route("/console/samples/{model}", get(sample::first)),
    }
}

/// `GET /`.
pub(super) async fn home(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    if app.config.network.console == Switch::Off {
        return Redirect::temporary("/docs").into_response();
    }
    let tag = SITE.tag.clone();
    let mut response = if headers.get(header::IF_NONE_MATCH) == Some(&tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        served(&SITE.page, &headers)
    };
    let answer = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        answer.insert(name, HeaderValue::from_static(value));
    }
    answer.insert("permissions-policy", HeaderValue::from_static(PERMISSIONS));
    answer.insert(header::ETAG, tag);
    response
}

/// `GET /console/files/{hash}/{name}`. A browser keeps it for good: another version of the program
/// has another hash.
async fn file(path: Result<Path<(String, String)>, PathRejection>, headers: HeaderMap) -> Response {
    let found = path.ok().and_then(|Path((hash, name))| SITE.file(&hash, &name));
    let Some(asset) = found else {
        return ErrorKind::NotFound
            .because("the console has no such file; open / again, which names its files")
            .into_response();
    };
    let mut response = served(asset, &headers);
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    response
}

/// A file as the client takes it: compressed with gzip, or as it is.
fn served(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let packed = Encoding::preferred(headers).is_some_and(|encoding| encoding == Encoding::Gzip);
    let body = if packed { asset.packed.clone() } else { asset.plain.clone() };
    let mut response = ([(header::CONTENT_TYPE, asset.content_type)], body).into_response();
    let answer = response.headers_mut();
    answer.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    answer.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if packed {
        answer.insert(header::CONTENT_ENCODING, Encoding::Gzip.name());
    }
    response
}

/// Refuses a path that is not valid UTF-8, or a position that is no number.
fn bad_path() -> ApiError {
    ErrorKind::NotFound.because("there is no such route; the console itself is at /")
}
