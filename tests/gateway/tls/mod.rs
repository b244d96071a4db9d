//! Nobody gets in who does not belong: a gateway whose callers prove themselves by certificates.
//! What counts is what the practices saw: exactly the requests that were to be let in.

mod callers;
mod faults;
mod odd;
mod open_server;
mod pki;
mod providers;
mod renewal;
mod suites;
mod versions;

use std::net::SocketAddr;
use std::time::Duration;

use gpconnect_gateway::simulator::Arrival;
use gpconnect_gateway::tls::issue::Issued;
use openssl::ssl::{Ssl, SslContext, SslContextBuilder, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_openssl::SslStream;
use uuid::Uuid;

pub(crate) use faults::faults;
pub(crate) use pki::{DAY, Pki, host, now, quoted};
pub(crate) use renewal::{SOON, soon};

use crate::exposition::Exposition;
use crate::harness::interactions::READ_PATIENT;
use crate::harness::{Answer, Call, Connection, DEADLINE, Mode, World};

/// The name in the gateway's own certificate.
const GATEWAY: &str = "gateway.example";

/// A world with one more listener, `secure`, and everything that its certificates come from.
struct Secure {
    world: World,
    pki: Pki,
}

impl Secure {
    /// Starts it with what `settings` adds to the listener's `tls` table.
    async fn start(settings: &str) -> Self {
        let pki = Pki::new();
        let listener = pki.listener(settings);
        let world = World::start(|plan| plan.settings = listener).await;
        world.arrivals();
        Self { world, pki }
    }

    fn address(&self) -> SocketAddr {
        self.world.gateway.listeners["secure"]
    }

    /// A client that presents this certificate.
    fn client<'c>(&self, identity: Option<&'c Issued>) -> Client<'c> {
        Client::new(self.address(), &self.pki, identity)
    }

    /// A good call of one of the consumers, with a trace id of its own.
    fn call(&self, mode: Mode) -> Call {
        let trace_id = Uuid::new_v4().to_string();
        self.world.call(mode, &READ_PATIENT, "Patient/1").with("Ssp-TraceID", &trace_id)
    }

    /// Waits until files have been renewed that often.
    async fn renewed(&self, times: f64) {
        self.counts("tls_renewals_total", &[("result", "renewed")], times).await;
    }

    /// Waits until a metric has that value.
    async fn counts(&self, name: &str, labels: &[(&str, &str)], expected: f64) {
        let mut last = f64::NAN;
        let counted = async {
            loop {
                last = Exposition::of(&self.world).await.sum(name, labels);
                if last == expected {
                    return;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let counted = timeout(DEADLINE, counted).await;
        assert!(counted.is_ok(), "{name}{labels:?} is {last}, not {expected}");
    }

    /// The trace ids of the requests that the practices have seen since this was last asked.
    fn seen(&self) -> Vec<String> {
        let trace_id = |arrival: Arrival| header(&arrival, "Ssp-TraceID").to_owned();
        self.world.arrivals().into_iter().map(trace_id).collect()
    }
}

/// The value of a header that a practice saw.
fn header<'a>(arrival: &'a Arrival, name: &str) -> &'a str {
    arrival.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// A TLS client.
pub(crate) struct Client<'c> {
    address: SocketAddr,
    identity: Option<&'c Issued>,
    authority: X509,
    change: fn(&mut SslContextBuilder),
}

impl<'c> Client<'c> {
    /// Of a listener that this authority's certificates belong to.
    pub(crate) fn new(address: SocketAddr, pki: &Pki, identity: Option<&'c Issued>) -> Self {
        let authority = pki.gateways.certificate.clone();
        Self { address, identity, authority, change: |_| {} }
    }

    /// Shakes hands.
    pub(crate) async fn try_connect(&self) -> Result<SslStream<TcpStream>, openssl::ssl::Error> {
        self.try_connect_with(self.change).await
    }

    /// The same with another change to what is usual.
    async fn try_connect_with(
        &self,
        change: impl FnOnce(&mut SslContextBuilder),
    ) -> Result<SslStream<TcpStream>, openssl::ssl::Error> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut stream = SslStream::new(self.session(change), stream).unwrap();
        std::pin::Pin::new(&mut stream).connect().await?;
        Ok(stream)
    }

    /// The client's side of a handshake, over whatever.
    pub(crate) fn session(&self, change: impl FnOnce(&mut SslContextBuilder)) -> Ssl {
        // A connector would read the system's authorities each time.
        let mut builder = SslContext::builder(SslMethod::tls_client()).unwrap();
        // What the gateway makes of it is to be seen, not what this library would not do.
        builder.set_security_level(0);
        builder.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0").unwrap();
        builder.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
        builder.set_verify(SslVerifyMode::PEER);
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(self.authority.clone()).unwrap();
        builder.set_cert_store(store.build());
        if let Some(issued) = self.identity {
            builder.set_certificate(&issued.certificate).unwrap();
            builder.set_private_key(&issued.key).unwrap();
        }
        change(&mut builder);
        let mut ssl = Ssl::new(&builder.build()).unwrap();
        ssl.set_hostname(GATEWAY).unwrap();
        ssl.param_mut().set_host(GATEWAY).unwrap();
        ssl
    }

    pub(crate) async fn connect(&self) -> Connection {
        Connection::over(self.try_connect().await.expect("a handshake")).await
    }

    /// Sends a call on a connection of its own; none when that is ended without an answer.
    async fn try_send(&self, call: Call) -> Option<Answer> {
        let mut connection = Connection::over(self.try_connect().await.ok()?).await;
        connection.try_send(call).await.ok()
    }

    /// Sends a call on a connection of its own.
    async fn send(&self, call: Call) -> Answer {
        self.connect().await.send(call).await
    }
}
