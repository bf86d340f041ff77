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

/// How long the collector may take to answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// How long the last spans may take when the bridge stops.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// What a collector says is not long.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Makes what takes spans; of traces that begin here or come from outside, this share is kept.
pub(super) fn provider(url: Uri, sample: f64) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(CollectorClient::new()?)
        .with_endpoint(url.to_string())
        .with_timeout(ANSWER_LIMIT)
        .build()?;
    // A stranger's wish to be traced counts for no more than anybody else's chance, or strangers could have
    // everything traced. The wish not to be is granted.
    let share = Sampler::TraceIdRatioBased(sample);
    let sampler = Sampler::parent_based(share.clone()).with_remote_parent_sampled(share);
    Ok(SdkTracerProvider::builder()
        .with_sampler(sampler)
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build())
}

/// Who sends the spans; `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` say it better.
fn resource() -> Resource {
    let name = std::env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty());
    Resource::builder_empty()
        .with_service_name("rollcall")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_attributes(name.map(|name| KeyValue::new("service.name", name)))
        .build()
}

/// What sends spans, if anything does.
pub(crate) struct Exporter(pub(super) Option<SdkTracerProvider>);

impl Exporter {
    /// Sends what is left. Blocks, for a moment.
    pub(crate) fn stop(self) {
        if let Some(Err(error)) = self.0.map(|provider| provider.shutdown_with_timeout(STOP_LIMIT)) {
            tracing::warn!(%error, "traces.incomplete");
        }
    }
}

/// The exporter works on a thread of its own, where no connection could be made; its requests are made here.
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

async fn ask(client: CollectorConnections, request: Request<Bytes>) -> Answer {
    let exchange = async {
        let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    timeout(ANSWER_LIMIT, exchange).await?
}

type CollectorConnections = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

type Answer = Result<Response<Bytes>, HttpError>;

impl HttpClient for CollectorClient {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let answer = self.runtime.spawn(ask(self.client.clone(), request));
        Box::pin(async move {
            let answer = answer.await.map_err(HttpError::from).flatten();
            match &answer {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => tracing::warn!(status = answer.status().as_u16(), "traces.refused"),
                Err(error) => tracing::warn!(error, "traces.not_sent"),
            }
            answer
        })
    }
}
