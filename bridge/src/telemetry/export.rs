//! Sends spans to an OpenTelemetry collector: OTLP over HTTP, in batches, in the background.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    resource::EnvResourceDetector,
    trace::{Sampler, SdkTracerProvider},
};
use tokio::{runtime::Handle, time::timeout};

/// Time limit for a response of the collector.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for sending the last spans when the bridge stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Largest response of a collector; usual responses are short.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;

/// Builds the provider that exports spans. `sample`: share of traces to keep, no matter who began them.
pub(super) fn build_provider(url: Uri, sample: f64) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(CollectorClient::new()?)
        .with_endpoint(url.to_string())
        .with_timeout(RESPONSE_TIMEOUT)
        .build()?;
    // Samples a trace that its client marked as sampled with the same probability as any other trace. Otherwise clients
    // could have everything traced. A trace that its client marked as not sampled is never sampled.
    let share = Sampler::TraceIdRatioBased(sample);
    let sampler = Sampler::parent_based(share.clone()).with_remote_parent_sampled(share);
    Ok(SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_resource(build_resource())
        .with_batch_exporter(exporter)
        .build())
}

/// Describes the sender of the spans. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` override the defaults.
fn build_resource() -> Resource {
    let name = std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    Resource::builder_empty()
        .with_service_name("rollcall")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attributes(name.map(|name| KeyValue::new("service.name", name)))
        .build()
}

/// Exporter of spans; `None` without a collector.
pub(crate) struct Exporter(pub(super) Option<SdkTracerProvider>);

impl Exporter {
    /// Sends the remaining spans. Blocks for a moment.
    pub(crate) fn stop(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT)) {
            tracing::warn!(%error, "traces.incomplete");
        }
    }
}

/// Sends the exporter's requests on the async runtime. The exporter runs on its own thread, which cannot open
/// connections.
#[derive(Debug)]
struct CollectorClient {
    client: CollectorConnections,
    runtime: Handle,
}

impl CollectorClient {
    fn new() -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::try_current()?,
        })
    }
}

async fn send(client: CollectorConnections, request: Request<Bytes>) -> SendResult {
    let exchange = async {
        let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    timeout(RESPONSE_TIMEOUT, exchange).await?
}

type CollectorConnections = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

type SendResult = Result<Response<Bytes>, HttpError>;

impl HttpClient for CollectorClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = SendResult> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let response = self.runtime.spawn(send(self.client.clone(), request));
        Box::pin(async move {
            let response = response.await.map_err(HttpError::from).flatten();
            match &response {
                Ok(response) if response.status().is_success() => {}
                Ok(response) => tracing::warn!(status = response.status().as_u16(), "traces.refused"),
                Err(error) => tracing::warn!(error, "traces.not_sent"),
            }
            response
        })
    }
}
