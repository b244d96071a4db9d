//! Starting and stopping: the listener, its connections, and the handle on all of it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use openssl::ssl::{Ssl, SslContext};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_openssl::SslStream;

use super::exchange::{Simulator, answer};
use super::recorder::Recorder;
use super::stream::Stream;
use crate::simulator::clock::Clock;
use crate::simulator::estate::Estate;
use crate::simulator::faults::Faults;
use crate::simulator::proxy::Proxy;

/// How long a connection may wait for its next request: longer than a gateway keeps one in its
/// pool, so that the gateway is the one to close it.
const IDLE: Duration = Duration::from_secs(300);
/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
const LINGER: Duration = Duration::from_secs(1);

/// What a simulator is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The practices it plays.
    pub estate: Arc<Estate>,
    /// Where the present comes from.
    pub clock: Clock,
    /// How many of the last requests are recorded; none when zero.
    pub recorded: usize,
    /// How many bytes of written records are kept.
    pub record_cache: usize,
    /// How long connections may take to end when the simulator stops.
    pub drain: Duration,
    /// The proxy that it plays before its practices; without, it plays the practices.
    pub proxy: Option<Proxy>,
    /// What TLS is spoken with; plain HTTP without.
    pub tls: Option<SslContext>,
}

impl Settings {
    /// The settings for playing these practices: machine's clock, nothing recorded.
    #[must_use]
    pub fn new(estate: Arc<Estate>) -> Self {
        Self {
            estate,
            clock: Clock::system(),
            recorded: 0,
            record_cache: 256 << 20,
            drain: Duration::from_secs(2),
            proxy: None,
            tls: None,
        }
    }
}

/// A simulator at work. Dropping it stops it without waiting.
pub struct Running {
    local: SocketAddr,
    /// Bound and not listening: what connects to it is refused, and nobody else can get it.
    refusing: TcpSocket,
    refused: SocketAddr,
    simulator: Arc<Simulator>,
    connections: Arc<AtomicU64>,
    stop: watch::Sender<bool>,
    listening: JoinHandle<()>,
}

/// Starts playing the practices on a listener. Needs a tokio runtime with time and I/O.
///
/// # Errors
/// When the listener has no address or the refusing address can't be bound.
pub fn start(settings: Settings, listener: TcpListener) -> io::Result<Running> {
    let local = listener.local_addr()?;
    let refusing = if local.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    refusing.bind(SocketAddr::new(local.ip(), 0))?;
    let refused = refusing.local_addr()?;
    let drain = settings.drain;
    let simulator = Arc::new(Simulator::new(settings));
    let connections = Arc::new(AtomicU64::new(0));
    let (stop, stopped) = watch::channel(false);
    let accept = accept(listener, Arc::clone(&simulator), Arc::clone(&connections), stopped, drain);
    let listening = tokio::spawn(accept);
    Ok(Running { local, refusing, refused, simulator, connections, stop, listening })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// An address at which every connection is refused, for as long as this handle lives.
    #[must_use]
    pub const fn refused_addr(&self) -> SocketAddr {
        self.refused
    }

    /// The practices.
    #[must_use]
    pub fn estate(&self) -> &Estate {
        &self.simulator.settings.estate
    }

    /// Where faults are ordered.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.simulator.faults
    }

    /// What arrived.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.simulator.recorder
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many requests arrived so far, those for the simulator itself left out.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.simulator.requests.load(Ordering::Relaxed)
    }

    /// Accepts no more, lets what is under way end, waits for it, breaks off what takes too long.
    pub async fn stop(self) {
        // Nobody listening means that it has ended by itself.
        self.stop.send(true).ok();
        self.listening.await.ok();
        drop(self.refusing);
    }
}

async fn accept(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    connections: Arc<AtomicU64>,
    mut stopped: watch::Receiver<bool>,
    drain: Duration,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.fetch_add(1, Ordering::Relaxed);
                    open.spawn(connection(stream, Arc::clone(&simulator), stopped.clone()));
                }
                // Out of descriptors, most likely: they come back as connections end.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
            Some(_) = open.join_next() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if timeout(drain, ended).await.is_err() {
        open.shutdown().await;
    }
}

async fn connection(stream: TcpStream, simulator: Arc<Simulator>, stopped: watch::Receiver<bool>) {
    // A connection that refuses the option is slower, not wrong.
    stream.set_nodelay(true).ok();
    let reset = Arc::new(AtomicBool::new(false));
    let stream = Stream::new(stream, Arc::clone(&reset));
    let Some(context) = &simulator.settings.tls else {
        return serve(stream, simulator, reset, stopped).await;
    };
    // The library has no memory for it: a connection less.
    let Ok(stream) = Ssl::new(context).and_then(|ssl| SslStream::new(ssl, stream)) else { return };
    let mut stream = stream;
    match timeout(HANDSHAKE, Pin::new(&mut stream).accept()).await {
        Ok(Ok(())) => serve(stream, simulator, reset, stopped).await,
        Ok(Err(_)) | Err(_) => linger(stream.get_mut()).await,
    }
}

/// Reads away what still comes, so that the reason why a handshake failed is not lost to a reset.
async fn linger(stream: &mut Stream) {
    let away = async {
        stream.shutdown().await?;
        tokio::io::copy(stream, &mut tokio::io::sink()).await
    };
    // Whoever keeps on sending is cut off.
    drop(timeout(LINGER, away).await);
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    simulator: Arc<Simulator>,
    reset: Arc<AtomicBool>,
    mut stopped: watch::Receiver<bool>,
) {
    let service = service_fn(move |request| {
        let (simulator, reset) = (Arc::clone(&simulator), Arc::clone(&reset));
        async move { answer(&simulator, request, &reset).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // How a connection ends is the client's business; here it only has to end.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await.ok();
        }
    }
}
