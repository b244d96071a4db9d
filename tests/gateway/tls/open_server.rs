//! A server beside the gateway that refuses nothing: what gets through there a client can do, so that
//! where it does not get through at the gateway, the gateway refused it.

use std::net::SocketAddr;
use std::pin::Pin;

use gpconnect_gateway::tls::issue::{Authority, KeyKind, Order};
use openssl::dh::Dh;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslVersion};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_openssl::SslStream;

/// A server that takes whatever the library knows, with a certificate of each kind of key.
pub(super) struct OpenServer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl OpenServer {
    pub(super) async fn start() -> Self {
        let root = Authority::root("Open").unwrap();
        let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
        context.set_security_level(0);
        context.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0").unwrap();
        context.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
        context.set_tmp_dh(&Dh::get_2048_256().unwrap()).unwrap();
        for key in [KeyKind::Rsa(2048), KeyKind::P256] {
            let issued = root.issue(&Order { key, ..Order::new(super::GATEWAY) }).unwrap();
            context.set_certificate(&issued.certificate).unwrap();
            context.set_private_key(&issued.key).unwrap();
        }
        let context = context.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mut stream = SslStream::new(Ssl::new(&context).unwrap(), stream).unwrap();
                // The client tells whether it went well.
                if Pin::new(&mut stream).accept().await.is_ok() {
                    stream.read_u8().await.ok();
                }
            }
        });
        Self { address, accepting }
    }

    /// Whether a client that wants this completes a handshake.
    pub(super) async fn takes(&self, change: impl FnOnce(&mut SslContextBuilder)) -> bool {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_security_level(0);
        context.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0").unwrap();
        context.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
        change(&mut context);
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut stream = SslStream::new(Ssl::new(&context.build()).unwrap(), stream).unwrap();
        Pin::new(&mut stream).connect().await.is_ok()
    }
}

impl Drop for OpenServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
