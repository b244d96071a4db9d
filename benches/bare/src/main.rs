//! The engine alone: every request goes to one address, and nothing is checked, logged or counted.
//! What the gateway costs beyond this is its own doing.
//!
//! `bare-proxy LISTEN UPSTREAM THREADS [LISTEN-TLS CERTIFICATE KEY AUTHORITIES]`, addresses with their
//! port. The second listener wants client certificates of the authorities.

use std::{net::SocketAddr, process::ExitCode};

use async_trait::async_trait;
use openssl::{
    error::ErrorStack,
    ssl::{
        SslAcceptor, SslFiletype, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode,
        SslVersion,
    },
};
use pingora::{
    Result,
    listeners::tls::TlsSettings,
    proxy::{ProxyHttp, Session, http_proxy_service},
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};

/// The gateway's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Kept-open connections to the upstream: more than the load ever uses.
const POOL: usize = 1_024;

struct Bare {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

/// The TLS of a listener, with the gateway's settings: its modern suites, no tickets and no sessions,
/// which would spare handshakes. What it lacks are revocation lists.
fn tls(certificate: &str, key: &str, authorities: &str) -> Result<TlsSettings, ErrorStack> {
    const MODERN: &str = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
                          ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:\
                          ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    builder.set_security_level(2);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_cipher_list(MODERN)?;
    builder.set_options(
        SslOptions::CIPHER_SERVER_PREFERENCE | SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION,
    );
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_num_tickets(0)?;
    builder.set_certificate_chain_file(certificate)?;
    builder.set_private_key_file(key, SslFiletype::PEM)?;
    builder.set_ca_file(authorities)?;
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(TlsSettings::from(builder))
}

/// The address to listen at, the one to forward to, and how many threads carry requests.
fn arguments() -> Option<(String, SocketAddr, usize)> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next()?;
    let upstream = arguments.next()?.parse().ok()?;
    Some((listen, upstream, arguments.next()?.parse().ok()?))
}

fn main() -> ExitCode {
    let Some((listen, upstream, threads)) = arguments() else {
        eprintln!("usage: bare-proxy LISTEN UPSTREAM THREADS");
        return ExitCode::from(2);
    };
    let settings =
        ServerConf { threads, upstream_keepalive_pool_size: POOL, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, settings);
    server.bootstrap();
    let mut proxy = http_proxy_service(&server.configuration, Bare { upstream });
    proxy.add_tcp(&listen);
    let more: Vec<String> = std::env::args().skip(4).collect();
    if let [listen, certificate, key, authorities] = more.as_slice() {
        match tls(certificate, key, authorities) {
            Ok(settings) => proxy.add_tls_with_settings(listen, None, settings),
            Err(fault) => {
                eprintln!("bare-proxy: no TLS: {fault}");
                return ExitCode::from(2);
            }
        }
    }
    server.add_service(proxy);
    server.run_forever()
}
