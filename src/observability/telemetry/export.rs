//! Traces to a collector, by the OpenTelemetry protocol over gRPC.
//!
//! Only where `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names one; the further variables
//! of the OpenTelemetry specification (headers, timeouts, sampling, batches, resource) hold as they do everywhere.

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

/// Where a collector is named.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
/// What the service is called where `OTEL_SERVICE_NAME` says nothing.
const SERVICE: &str = "drsn-serve";
/// How long the last traces may take at the end.
const LAST_EXPORT: Duration = Duration::from_secs(1);

static EXPORTING: AtomicBool = AtomicBool::new(false);

/// Traces that are exported.
#[derive(Debug)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: Tracer,
}

/// Traces cannot be exported as asked.
#[derive(Debug, Error)]
pub enum TraceError {
    /// A scheme that is not spoken.
    #[error(
        "{variable} is {endpoint}, and traces are sent by plain gRPC only: name a collector as http://HOST:4317, beside this server or behind a proxy that speaks TLS"
    )]
    Scheme {
        /// The variable of the environment.
        variable: &'static str,
        /// Its value.
        endpoint: String,
    },
    /// What the library says.
    #[error("traces cannot be exported as the environment's OTEL_ variables ask: {0}")]
    Exporter(String),
}

impl Traces {
    /// What exports traces, where the environment names a collector. Call it within the runtime.
    ///
    /// # Errors
    /// [`TraceError`] where a variable has a value that cannot be used. That the collector answers is not looked at.
    pub fn from_environment() -> Result<Option<Self>, TraceError> {
        let named = ENDPOINTS.into_iter().find_map(|variable| {
            let endpoint = std::env::var(variable).ok().filter(|value| !value.is_empty())?;
            Some((variable, endpoint))
        });
        let Some((variable, endpoint)) = named else { return Ok(None) };
        if !endpoint.starts_with("http://") {
            return Err(TraceError::Scheme { variable, endpoint });
        }
        let exporter = SpanExporter::builder().with_tonic().build();
        let exporter = exporter.map_err(|error| TraceError::Exporter(error.to_string()))?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
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

    /// Takes this program's spans, and no library's.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let own = filter_fn(|metadata| metadata.target().starts_with(env!("CARGO_CRATE_NAME")));
        tracing_opentelemetry::layer().with_tracer(self.tracer.clone()).with_filter(own)
    }

    /// Sends what is left.
    pub fn finish(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_EXPORT) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Whether spans are exported.
pub(super) fn is_on() -> bool {
    EXPORTING.load(Ordering::Relaxed)
}
