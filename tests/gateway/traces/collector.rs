//! A collector: OTLP as the official library has it, behind gRPC and HTTP.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use openssl::ssl::{Ssl, SslContext};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_openssl::SslStream;
use tower_service::Service as _;

use crate::harness::DEADLINE;

/// What has been taken so far.
#[derive(Clone, Default)]
struct Taken {
    spans: Vec<Span>,
    /// What each batch says of its sender, and the headers it came with.
    senders: Vec<String>,
    headers: Vec<HeaderMap>,
}

/// A collector at work; it ends with this handle.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    protocol: &'static str,
    taken: Arc<watch::Sender<Taken>>,
    listening: JoinHandle<()>,
}

impl Collector {
    /// Takes spans over `grpc` or `http/protobuf`.
    pub(crate) async fn start(protocol: &'static str) -> Self {
        Self::listen(protocol, None).await
    }

    /// The same over TLS.
    pub(crate) async fn secure(protocol: &'static str, context: SslContext) -> Self {
        Self::listen(protocol, Some(context)).await
    }

    async fn listen(protocol: &'static str, tls: Option<SslContext>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::new(watch::Sender::new(Taken::default()));
        let taking = Taking(Arc::clone(&taken));
        let listening = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (taking, tls) = (taking.clone(), tls.clone());
                open.spawn(async move {
                    let Some(tls) = tls else { return taking.serve(protocol, stream).await };
                    let mut stream = SslStream::new(Ssl::new(&tls).unwrap(), stream).unwrap();
                    // Who does not believe us says so itself.
                    if Pin::new(&mut stream).accept().await.is_ok() {
                        taking.serve(protocol, stream).await;
                    }
                });
            }
        });
        Self { address, protocol, taken, listening }
    }

    /// The `[traces]` that leads here, with these further lines.
    pub(crate) fn settings(&self, lines: &str) -> String {
        settings(self.address, self.protocol, lines)
    }

    /// All spans, as soon as they are enough.
    pub(crate) async fn wait_until(
        &self,
        what: &str,
        enough: impl Fn(&[Span]) -> bool,
    ) -> Vec<Span> {
        let mut taken = self.taken.subscribe();
        let there = timeout(DEADLINE, taken.wait_for(|taken| enough(&taken.spans))).await;
        let there = there.ok().and_then(Result::ok).map(|taken| taken.spans.clone());
        there.unwrap_or_else(|| panic!("no span: {what}; there are {:#?}", self.spans()))
    }

    /// The spans of the trace of the request with this `Ssp-TraceID`, its own first.
    pub(crate) async fn trace_of(&self, trace_id: &str) -> Vec<Span> {
        let is_own = |span: &Span| text(span, "gpconnect.trace_id") == trace_id;
        let all = self.wait_until(trace_id, |spans| spans.iter().any(is_own)).await;
        let own = all.iter().find(|span| is_own(span)).unwrap().clone();
        let of_trace = |span: &&Span| span.trace_id == own.trace_id && **span != own;
        let others: Vec<_> = all.iter().filter(of_trace).cloned().collect();
        [vec![own], others].concat()
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.taken.borrow().spans.clone()
    }

    /// What batches say of their senders.
    pub(crate) fn senders(&self) -> Vec<String> {
        self.taken.borrow().senders.clone()
    }

    /// The headers of batches.
    pub(crate) fn headers(&self) -> Vec<HeaderMap> {
        self.taken.borrow().headers.clone()
    }

    /// Everything that spans say beside times and ids, a line each.
    pub(crate) fn text(&self) -> String {
        let bare = |span: &Span| Span {
            trace_id: Vec::new(),
            span_id: Vec::new(),
            parent_span_id: Vec::new(),
            start_time_unix_nano: 0,
            end_time_unix_nano: 0,
            ..span.clone()
        };
        self.spans().iter().map(|span| format!("{:?}\n", bare(span))).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// A `[traces]` that leads to this address.
pub(crate) fn settings(address: SocketAddr, protocol: &str, lines: &str) -> String {
    format!("[traces]\nendpoint = \"http://{address}\"\nprotocol = \"{protocol}\"\n{lines}\n\n")
}

/// The value of an attribute as text; empty when it is not there.
pub(crate) fn text(span: &Span, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key == name);
    found.and_then(|attribute| attribute.value.as_ref()).map(print).unwrap_or_default()
}

fn print(value: &AnyValue) -> String {
    match &value.value {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A connection.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

#[derive(Clone)]
struct Taking(Arc<watch::Sender<Taken>>);

impl Taking {
    fn take(&self, headers: HeaderMap, batch: ExportTraceServiceRequest) {
        self.0.send_modify(|taken| {
            taken.headers.push(headers);
            for resource in batch.resource_spans {
                let attributes = resource.resource.unwrap().attributes;
                let print = |value: &Option<AnyValue>| value.as_ref().map(print);
                let pair = |it: &_| {
                    let opentelemetry_proto::tonic::common::v1::KeyValue { key, value, .. } = it;
                    format!("{key}={}", print(value).unwrap_or_default())
                };
                taken.senders.push(attributes.iter().map(pair).collect::<Vec<_>>().join(" "));
                for scope in resource.scope_spans {
                    taken.spans.extend(scope.spans);
                }
            }
        });
    }

    async fn serve(self, protocol: &str, stream: impl Stream) {
        match protocol {
            "grpc" => self.over_grpc(stream).await,
            _ => self.over_http(stream).await,
        }
    }

    async fn over_grpc(self, stream: impl Stream) {
        let server = TraceServiceServer::new(self);
        let service = service_fn(move |request: Request<Incoming>| server.clone().call(request));
        let connection = http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service);
        // How a connection ends is the gateway's business.
        connection.await.ok();
    }

    async fn over_http(self, stream: impl Stream) {
        let service = service_fn(move |request: Request<Incoming>| {
            let taking = self.clone();
            async move {
                assert_eq!(request.uri().path(), "/v1/traces");
                assert_eq!(request.headers()["content-type"], "application/x-protobuf");
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                taking.take(head.headers, ExportTraceServiceRequest::decode(body).unwrap());
                let answer = ExportTraceServiceResponse::default().encode_to_vec();
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
            }
        });
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
    }
}

#[tonic::async_trait]
impl TraceService for Taking {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, tonic::Status> {
        let (metadata, _, batch) = request.into_parts();
        self.take(metadata.into_headers(), batch);
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}
