//! The consumer's connection as the engine is allowed to see it: one request, and of its body what
//! the framing in its head says, in the one form that is taken ([`super::framing`]). What comes
//! behind stays here.
//!
//! Without it the engine would read its own idea of a chunked body, and would end an exchange, also
//! one that a provider has acted on already, when its caller sends more behind the request.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Buf, BufMut, BytesMut};
use pingora::{
    Error,
    protocols::{
        ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
        Stream, TimingDigest, UniqueID, UniqueIDType,
        raw_connect::ProxyDigest,
        tls::{SslDigest, TlsRef},
    },
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::framing::{Body, Misframed};

/// How much is taken at once from a caller that sends while it waits for its answer.
const EARLY_BYTES: usize = 512;

/// A connection, and what was read of it and belongs to nobody yet.
pub(super) struct Bounded {
    inner: Stream,
    /// Read, and not handed on.
    unread: BytesMut,
    /// What the engine may still read.
    body: Body,
}

impl Bounded {
    pub(super) fn new(inner: Stream) -> Self {
        Self { inner, unread: BytesMut::new(), body: Body::Length(0) }
    }

    /// The same connection, back from the engine; none when it is another one.
    pub(super) fn back(stream: Stream) -> Option<Box<Self>> {
        stream.into_any().downcast().ok()
    }

    /// The connection itself, without what was read of it.
    pub(super) const fn stream(&mut self) -> &mut Stream {
        &mut self.inner
    }

    /// What was read and belongs to no request yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Takes note of the first byte of a head, with room for one of `room` bytes. A connection that
    /// waits for it has no buffer: there may be thousands.
    pub(super) fn begin(&mut self, first: u8, room: usize) {
        self.unread = BytesMut::with_capacity(room);
        self.unread.put_u8(first);
    }

    /// Reads more of a head; false when the connection has ended.
    pub(super) async fn more(&mut self) -> bool {
        self.inner.read_buf(&mut self.unread).await.is_ok_and(|read| read > 0)
    }

    /// Takes the first `length` of the unread bytes: a head.
    pub(super) fn take(&mut self, length: usize) -> BytesMut {
        if length == self.unread.len() {
            // Keeps the buffer in the one representation that costs the engine no copy.
            std::mem::take(&mut self.unread)
        } else {
            self.unread.split_to(length)
        }
    }

    /// Lets the engine read as much as belongs to this.
    pub(super) const fn expect(&mut self, body: Body) {
        self.body = body;
    }

    /// The bare connection, and what was read of it.
    pub(super) fn into_parts(self) -> (Stream, BytesMut) {
        (self.inner, self.unread)
    }

    /// Hands on what is there of the body.
    fn hand_on(&mut self, out: &mut ReadBuf<'_>) -> io::Result<()> {
        let most = out.remaining().min(self.unread.len());
        let read = self.unread.get(..most).unwrap_or_default();
        let body = self.body.advance(read).map_err(misframed)?;
        out.put_slice(read.get(..body).unwrap_or_default());
        self.unread.advance(body);
        Ok(())
    }

    /// Behind the body the engine reads for one thing only: to notice, beside waiting for the
    /// answer, that the caller hangs up. Bytes are no reason to wake it.
    fn hang_up(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            return Poll::Pending;
        }
        let mut early = [0; EARLY_BYTES];
        let mut early = ReadBuf::new(&mut early);
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut early))?;
        if early.filled().is_empty() {
            return Poll::Ready(Ok(()));
        }
        self.unread.extend_from_slice(early.filled());
        Poll::Pending
    }
}

/// What was wrong with the framing of a body that the engine could not read.
pub(super) fn fault_of(error: &Error) -> Option<Misframed> {
    let cause: &io::Error = error.root_cause().downcast_ref()?;
    cause.get_ref()?.downcast_ref().copied()
}

fn misframed(fault: Misframed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault)
}

impl AsyncRead for Bounded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.body.is_over() {
            return this.hang_up(context);
        }
        if !this.unread.is_empty() {
            return Poll::Ready(this.hand_on(out));
        }
        let before = out.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, out))?;
        let read = out.filled().get(before..).unwrap_or_default();
        let body = this.body.advance(read).map_err(misframed)?;
        this.unread.extend_from_slice(read.get(body..).unwrap_or_default());
        out.set_filled(before + body);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }
}

/// Without the bytes, which may name a patient.
impl fmt::Debug for Bounded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Bounded({:?}, {} bytes unread)", self.body, self.unread.len())
    }
}

#[async_trait]
impl Shutdown for Bounded {
    async fn shutdown(&mut self) {
        Shutdown::shutdown(&mut *self.inner).await;
    }
}

impl UniqueID for Bounded {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Bounded {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Bounded {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for Bounded {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for Bounded {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

impl Peek for Bounded {}
