//! A router that knows its paths, so that a test can hold the API's description against them.

use std::sync::Arc;

use axum::{Router, routing::MethodRouter};

use crate::app::App;

/// Routes, and their paths as they were given.
pub(super) struct Routes {
    router: Router<Arc<App>>,
    paths: Vec<String>,
}

impl Routes {
    /// None.
    pub(super) fn new() -> Self {
        Self { router: Router::new(), paths: Vec::new() }
    }

    /// Adds one.
    pub(super) fn route(mut self, path: &str, methods: MethodRouter<Arc<App>>) -> Self {
        self.paths.push(path.to_owned());
        Self { router: self.router.route(path, methods), paths: self.paths }
    }

    /// Adds others.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        Self { router: self.router.merge(other.router), paths: self.paths }
    }

    /// The paths.
    #[cfg(test)]
    pub(super) fn paths(&self) -> &[String] {
        &self.paths
    }

    /// The router.
    pub(super) fn into_router(self) -> Router<Arc<App>> {
        self.router
    }
}
