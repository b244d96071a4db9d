//! The engine alone: every request goes to one address, and nothing is checked, logged or counted.
//! What the gateway costs beyond this is its own doing.
//!
//! `bare-proxy LISTEN UPSTREAM THREADS`, both addresses with their port.

use std::{net::SocketAddr, process::ExitCode};

use async_trait::async_trait;
use pingora::{
    Result,
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
    server.add_service(proxy);
    server.run_forever()
}
