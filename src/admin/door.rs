//! Where callers of the admin API come in: Unix sockets, where the system says who they are, and
//! addresses of this machine, where they show a token.

use std::{convert::Infallible, io, net, os::unix, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};
use tracing::{error, warn};

use super::{
    answer::{Answer, Problem},
    api::Api,
    caller::Peer,
};
use crate::config::ServerName;

/// Calls at once, of one door; further ones wait.
const AT_ONCE: usize = 32;
/// How long a call's head may take, and the whole call.
const HEAD: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(120);
/// The longest head.
const HEAD_BYTES: usize = 16 * 1024;
/// How long accepting rests when the system has nothing to give.
const REST: Duration = Duration::from_millis(100);

/// Where callers come in.
#[derive(Debug)]
pub enum Door {
    /// A Unix socket, and the users who may call.
    Local(unix::net::UnixListener, Vec<u32>),
    /// An address, and what `Host` may say there.
    Tcp(net::TcpListener, Vec<ServerName>),
}

enum Accepting {
    Local(UnixListener, Vec<u32>),
    Tcp(TcpListener, Arc<[ServerName]>),
}

/// Lets callers in until told to stop.
pub async fn serve(api: Arc<Api>, door: Door, mut stop: watch::Receiver<bool>) {
    let accepting = match door.open() {
        Ok(accepting) => accepting,
        Err(fault) => return error!(%fault, "the admin API can't be served"),
    };
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let accepted = tokio::select! {
            accepted = accepting.accept(&api, &room) => accepted,
            _ = stop.wait_for(|stopping| *stopping) => return,
        };
        if let Err(fault) = accepted {
            warn!(%fault, "the admin API can't accept");
            sleep(REST).await;
        }
    }
}

impl Door {
    fn open(self) -> io::Result<Accepting> {
        Ok(match self {
            Self::Local(listener, uids) => {
                Accepting::Local(UnixListener::from_std(listener)?, uids)
            }
            Self::Tcp(listener, names) => {
                Accepting::Tcp(TcpListener::from_std(listener)?, names.into())
            }
        })
    }
}

impl Accepting {
    /// Takes the next caller.
    async fn accept(&self, api: &Arc<Api>, room: &Arc<Semaphore>) -> io::Result<()> {
        let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
        match self {
            Self::Local(listener, uids) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().map(|peer| peer.uid()).ok();
                let may = uid.is_some_and(|uid| uids.contains(&uid));
                tokio::spawn(call(Arc::clone(api), Peer::Local { uid, may }, stream, permit));
            }
            Self::Tcp(listener, names) => {
                let (stream, from) = listener.accept().await?;
                let peer = Peer::Tcp { client: from.ip(), names: Arc::clone(names) };
                tokio::spawn(call(Arc::clone(api), peer, stream, permit));
            }
        }
        Ok(())
    }
}

/// One connection, which carries one call.
async fn call(
    api: Arc<Api>,
    peer: Peer,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    _permit: OwnedSemaphorePermit,
) {
    let service = service_fn(move |request| answer(Arc::clone(&api), peer.clone(), request));
    let served = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    // A caller that goes away, or dawdles, has itself to blame.
    drop(timeout(WHOLE, served).await);
}

async fn answer(
    api: Arc<Api>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // A task of its own: what was begun is ended and put down, also when the caller goes away.
    let answered = tokio::spawn(async move { api.answer(&peer, head, body).await }).await;
    let answer = answered.unwrap_or_else(|_| {
        let detail = "the call broke off: a fault of the gateway, please report it";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "gateway_fault", detail).into()
    });
    Ok(Answer::into_response(answer))
}
