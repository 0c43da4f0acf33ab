//! Exports traces to a collector, by the OpenTelemetry protocol over gRPC.
//!
//! It does so if `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set. The
//! other variables of the OpenTelemetry specification (headers, timeouts, sampling, batches,
//! resource) apply as usual.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    trace::{SdkTracerProvider, Tracer},
};
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use crate::config;

/// The variables that name a collector; the first one that is set counts.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// The service's name if `OTEL_SERVICE_NAME` is not set.
const SERVICE: &str = "drsn-serve";
/// How long the export of the last traces may take at shutdown.
const LAST_EXPORT: Duration = Duration::from_secs(1);

static EXPORTING: AtomicBool = AtomicBool::new(false);

/// The exporter of traces.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: Tracer,
}

/// Why traces cannot be exported.
#[derive(Debug, Error)]
pub enum TraceError {
    /// The endpoint's scheme is not `http`.
    #[error(
        "{variable} is {endpoint}, but traces are sent by plain gRPC only: set it to http://HOST:4317, a collector beside this server or behind a proxy that speaks TLS"
    )]
    Scheme {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        endpoint: String,
    },
    /// The exporter rejects the variables; the library's message.
    #[error("cannot export traces with the OTEL_ environment variables: {0}")]
    Exporter(String),
}

impl Traces {
    /// The exporter, if the environment names a collector. Call this within the runtime.
    ///
    /// # Errors
    /// [`TraceError`] if the value of a variable cannot be used. It does not check that the
    /// collector answers.
    pub fn from_environment() -> Result<Option<Self>, TraceError> {
        let named = ENDPOINTS
            .into_iter()
            .find_map(|variable| Some((variable, config::variable(variable)?)));
        let Some((variable, endpoint)) = named else { return Ok(None) };
        if !endpoint.starts_with("http://") {
            return Err(TraceError::Scheme { variable, endpoint });
        }
        let exporter = SpanExporter::builder().with_tonic().build();
        let exporter = exporter.map_err(|error| TraceError::Exporter(error.to_string()))?;
        let mut resource = Resource::builder();
        if config::variable("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(SERVICE);
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        let tracer = provider.tracer(SERVICE);
        EXPORTING.store(true, Ordering::Relaxed);
        Ok(Some(Self { provider, tracer }))
    }

    /// The layer that exports this program's spans, without those of libraries.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let own = filter_fn(|metadata| metadata.target().starts_with(env!("CARGO_CRATE_NAME")));
        tracing_opentelemetry::layer().with_tracer(self.tracer.clone()).with_filter(own)
    }

    /// Sends the remaining traces.
    pub fn finish(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_EXPORT) {
            tracing::warn!(%error, "cannot send the last traces");
        }
    }
}

/// Whether spans are exported.
pub(super) fn is_on() -> bool {
    EXPORTING.load(Ordering::Relaxed)
}
