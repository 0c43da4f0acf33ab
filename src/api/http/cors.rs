//! Cross-origin requests: which pages' scripts may call this server from a browser.
//!
//! It is off by default. A page of an allowed origin gets headers that tell its browser so; its
//! requests need a key like any other if the server has keys. The preflight, by which a browser
//! asks before such a request, cannot carry a key and needs none.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use crate::config::CorsOrigin;

/// The methods of all routes.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
/// The headers of answers that a script may read besides the common ones.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "server-timing, x-request-id, retry-after, traceparent, inference-header-content-length",
);
/// How long a browser may keep the answer to a preflight, in seconds: as long as any does.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
const VARY: HeaderValue = HeaderValue::from_static("origin");
const VARY_OF_PREFLIGHT: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-headers");

/// A request's origin as `Access-Control-Allow-Origin` repeats it, if its scripts may call.
pub(super) fn allowed_origin(allowed: &[CorsOrigin], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = if allowed.is_empty() { None } else { headers.get(header::ORIGIN) }?;
    allowed.iter().find_map(|allowed| match allowed {
        CorsOrigin::Any => Some(HeaderValue::from_static("*")),
        CorsOrigin::Only(name) => {
            name.as_bytes().eq_ignore_ascii_case(origin.as_bytes()).then(|| origin.clone())
        }
    })
}

/// The answer to a preflight, if the request is one.
pub(super) fn preflight(request: &Request) -> Option<Response> {
    let headers = request.headers();
    let is_preflight = request.method() == Method::OPTIONS
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let answer = response.headers_mut();
    answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    answer.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Some(names) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    Some(response)
}

/// Adds to any answer what the browser needs to hand it to a page of an allowed origin. Without
/// one, caches still have to know that the answer depends on the origin.
pub(super) fn mark(headers: &mut HeaderMap, origin: Option<HeaderValue>) {
    let is_preflight = headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS);
    headers.append(header::VARY, if is_preflight { VARY_OF_PREFLIGHT } else { VARY });
    let Some(origin) = origin else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if !is_preflight {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(origins: &[&str], origin: &'static str) -> Option<HeaderValue> {
        let allowed: Vec<CorsOrigin> = origins.iter().map(|o| o.parse().unwrap()).collect();
        let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]);
        allowed_origin(&allowed, &headers)
    }

    #[test]
    fn only_origins_in_the_list_are_allowed() {
        let listed = ["https://a.example", "http://localhost:3000"];
        let a = HeaderValue::from_static("https://a.example");
        assert_eq!(allowed(&listed, "https://a.example"), Some(a));
        for other in ["https://b.example", "http://a.example", "https://a.example:444", "null", ""]
        {
            assert_eq!(allowed(&listed, other), None, "{other}");
        }
        assert_eq!(allowed(&["*"], "https://b.example"), Some(HeaderValue::from_static("*")));
        assert_eq!(allowed(&[], "https://a.example"), None);
        let any = "*".parse().unwrap();
        assert_eq!(allowed_origin(&[any], &HeaderMap::new()), None);
    }
}
