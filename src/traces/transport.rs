//! How spans reach the collector: OTLP over gRPC, or as protocol buffers over HTTP. TLS is that of
//! the gateway's other requests.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    path::Path,
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use openssl::ssl::SslConnector;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    Protocol as Otlp, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
    WithTonicConfig as _,
};
use thiserror::Error;
use tonic::{
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};
use tower_service::Service;

use super::export::LIMIT;
use crate::{
    config::{Collector, CollectorUrl, Protocol, read_secret},
    https::{self, ClientFiles, NoAnswer, Wire},
};

/// How large an answer of the collector may be.
const ANSWER_BYTES: usize = 64 * 1024;
/// Where collectors take spans over HTTP when nothing else is said.
const PATH: &str = "/v1/traces";

/// Something wrong with what the settings name.
#[derive(Debug, Error)]
#[error("traces.{key}: {problem}")]
pub struct Fault {
    /// The setting, below `traces`.
    pub key: &'static str,
    /// What is wrong and what to do.
    pub problem: String,
}

impl Fault {
    fn of_file(key: &'static str, path: &Path, problem: &str) -> Self {
        Self { key, problem: format!("{} {problem}", path.display()) }
    }
}

/// What the files of the settings hold.
struct Opened {
    headers: HeaderMap,
    connector: Option<SslConnector>,
}

/// Opens the files of the settings.
pub(super) fn faults(collector: &Collector) -> Result<(), Fault> {
    open(collector).map(|_| ())
}

fn open(collector: &Collector) -> Result<Opened, Fault> {
    let headers = match &collector.headers {
        Some(path) => headers(path)?,
        None => HeaderMap::new(),
    };
    let (certificate, key) = collector.certificate.clone().unzip();
    let files = ClientFiles { certificate, key, authorities: collector.authorities.clone() };
    let connector = collector.endpoint.is_secure().then(|| files.open()).transpose();
    let connector =
        connector.map_err(|(key, path, problem)| Fault::of_file(key, &path, &problem))?;
    Ok(Opened { headers, connector })
}

fn headers(path: &Path) -> Result<HeaderMap, Fault> {
    let fault = |problem: &str| Fault::of_file("headers_file", path, problem);
    let text = read_secret(path).map_err(|problem| fault(&problem))?;
    let mut headers = HeaderMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let header = line.split_once(':').and_then(|(name, value)| {
            let name = name.trim().to_ascii_lowercase().parse::<HeaderName>().ok()?;
            Some((name, value.trim().parse::<HeaderValue>().ok()?))
        });
        let Some((name, mut value)) = header else {
            return Err(fault(&format!("has no header in line {number}; write name: value")));
        };
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// What sends to the collector. To be called within the runtime that it is to send from.
pub(super) fn exporter(collector: &Collector) -> Result<SpanExporter, Fault> {
    let Opened { headers, connector } = open(collector)?;
    let url = collector.endpoint.clone();
    let exporter = match collector.protocol {
        Protocol::Grpc => SpanExporter::builder()
            .with_tonic()
            .with_channel(channel(url, connector)?)
            .with_metadata(MetadataMap::from_headers(headers))
            .with_timeout(LIMIT)
            .build(),
        Protocol::HttpProtobuf => {
            let text = |(name, value): (&HeaderName, &HeaderValue)| {
                Some((name.to_string(), value.to_str().ok()?.to_owned()))
            };
            let headers: HashMap<_, _> = headers.iter().filter_map(text).collect();
            SpanExporter::builder()
                .with_http()
                .with_protocol(Otlp::HttpBinary)
                .with_endpoint(with_path(&url))
                .with_http_client(Client { url: url.clone(), connector })
                .with_headers(headers)
                .with_timeout(LIMIT)
                .build()
        }
    };
    exporter.map_err(|fault| unusable(&fault))
}

fn unusable(fault: &dyn fmt::Display) -> Fault {
    Fault { key: "endpoint", problem: format!("can't be used: {fault}") }
}

fn with_path(url: &CollectorUrl) -> String {
    let path = if url.path() == "/" { PATH } else { url.path() };
    let scheme = if url.is_secure() { "https" } else { "http" };
    format!("{scheme}://{}{path}", url.authority())
}

fn channel(url: CollectorUrl, connector: Option<SslConnector>) -> Result<Channel, Fault> {
    let origin = url.to_string().parse::<Uri>().map_err(|fault| unusable(&fault))?;
    // Without TLS in the name: that is for the connector, and not for the library's own.
    let endpoint = Endpoint::from_shared(format!("http://{}", url.authority()));
    let endpoint = endpoint.map_err(|fault| unusable(&fault))?.origin(origin);
    let endpoint = endpoint.connect_timeout(https::LIMIT).timeout(LIMIT);
    Ok(endpoint.connect_with_connector_lazy(Connector { url, connector }))
}

/// Connects for gRPC.
#[derive(Clone, Debug)]
struct Connector {
    url: CollectorUrl,
    connector: Option<SslConnector>,
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, NoAnswer>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAnswer>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { url, connector } = self.clone();
        Box::pin(async move { https::open(&url, connector.as_ref(), https::Protocol::Http2).await })
    }
}

/// Sends over HTTP, each batch on a connection of its own.
#[derive(Debug)]
struct Client {
    url: CollectorUrl,
    connector: Option<SslConnector>,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        Ok(https::send(&self.url, self.connector.as_ref(), request, ANSWER_BYTES).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_path_is_added_where_none_is_written() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://127.0.0.1:4318/", "http://127.0.0.1:4318/v1/traces"),
            ("https://c.example/otlp/v1/traces", "https://c.example/otlp/v1/traces"),
        ] {
            assert_eq!(with_path(&text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn headers_are_lines_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers.txt");
        let read = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            headers(&path).map_err(|fault| fault.to_string())
        };
        let good = read("# of the region\n\nAuthorization: Bearer a:b\nx-scope-orgid:1\n", 0o600);
        let good = good.unwrap();
        assert_eq!((good["authorization"].as_bytes(), good.len()), (&b"Bearer a:b"[..], 2));
        assert!(good["authorization"].is_sensitive());
        let told = |text: &str, mode| read(text, mode).unwrap_err();
        assert!(
            told("a: b\nBearer x\n", 0o600).ends_with("no header in line 2; write name: value")
        );
        assert!(told("a b: c\n", 0o600).contains("line 1"));
        assert!(told("a: b\n", 0o644).contains("can be reached by others"));
    }
}
