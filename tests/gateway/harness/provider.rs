//! Providers that a test makes up, for answers that the simulator does not give.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// The body of an answer.
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, Infallible>;

/// A provider at work; it ends with this handle.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    listening: JoinHandle<()>,
}

impl Provider {
    /// Answers every request so, after reading its body away.
    pub(crate) async fn start(
        answer: impl Fn(&Request<()>) -> Response<AnyBody> + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        Self::listen(move |stream| {
            let answer = Arc::clone(&answer);
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = Arc::clone(&answer);
                async move {
                    let (head, body) = request.into_parts();
                    body.collect().await?;
                    hyper::Result::Ok(answer(&Request::from_parts(head, ())))
                }
            });
            async move {
                let connection =
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                // How a connection ends is the gateway's business.
                connection.await.ok();
            }
        })
        .await
    }

    /// Answers the first request of every connection with these bytes, then closes.
    pub(crate) async fn saying(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::listen(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                // The gateway may have heard enough before it has heard all.
                stream.write_all(&bytes).await.ok();
                stream.shutdown().await.ok();
            }
        })
        .await
    }

    async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listening = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                open.spawn(serve(stream));
            }
        });
        Self { address, listening }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.listening.abort();
    }
}
