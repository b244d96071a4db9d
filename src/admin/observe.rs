//! The observe listener: `/metrics`, `/livez` and `/readyz`. It shows no patient and takes no
//! orders, so it may bind anywhere.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Response, StatusCode, header};
use pingora::{apps::http_app::ServeHttp, protocols::http::ServerSession};

use crate::telemetry::{Condition, Health, Telemetry};

const PLAIN: &str = "text/plain; charset=utf-8";
/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The engine's application behind the observe listener.
#[derive(Clone, Debug)]
pub struct Observe {
    /// What is shown.
    pub telemetry: Arc<Telemetry>,
    /// Whether requests are taken.
    pub health: Arc<Health>,
}

#[async_trait]
impl ServeHttp for Observe {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let head = session.req_header();
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let (status, kind, body) = self.answer(head.method.as_str(), path, query);
        let length = body.len();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
        headers.insert(header::CONTENT_LENGTH, header::HeaderValue::from(length));
        response
    }
}

impl Observe {
    fn answer(&self, method: &str, path: &str, query: &str) -> (StatusCode, &'static str, Vec<u8>) {
        if !matches!(method, "GET" | "HEAD") {
            return (StatusCode::METHOD_NOT_ALLOWED, PLAIN, b"send GET\n".to_vec());
        }
        match path {
            "/metrics" => match self.telemetry.exposition() {
                Ok(text) => (StatusCode::OK, METRICS, text),
                Err(fault) => {
                    let text = format!("metrics can't be written: {fault}\n").into_bytes();
                    (StatusCode::INTERNAL_SERVER_ERROR, PLAIN, text)
                }
            },
            "/livez" => (StatusCode::OK, PLAIN, b"alive\n".to_vec()),
            "/readyz" => self.readiness(is_verbose(query)),
            _ => {
                let text = b"this listener has /metrics, /livez and /readyz\n".to_vec();
                (StatusCode::NOT_FOUND, PLAIN, text)
            }
        }
    }

    /// One line; before it, where that is asked for, one for each condition.
    fn readiness(&self, verbose: bool) -> (StatusCode, &'static str, Vec<u8>) {
        let told = if verbose { self.health.conditions().to_vec() } else { Vec::new() };
        let line = |Condition { name, fault }| match fault {
            None => format!("[+] {name}: good\n"),
            Some(fault) => format!("[-] {name}: {fault}\n"),
        };
        let mut text: String = told.into_iter().map(line).collect();
        let unready = self.health.unready();
        text.push_str(&unready.map_or("ready\n".to_owned(), |why| format!("not ready: {why}\n")));
        let status = unready.map_or(StatusCode::OK, |_| StatusCode::SERVICE_UNAVAILABLE);
        (status, PLAIN, text.into_bytes())
    }
}

/// Whether a query asks for everything, with whatever value.
fn is_verbose(query: &str) -> bool {
    query.split('&').any(|pair| pair.split('=').next() == Some("verbose"))
}
