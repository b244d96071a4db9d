//! A collector that is reached over TLS.

use std::fs;

use gpconnect_gateway::tls::issue::{Authority, Order};
use openssl::ssl::{AlpnError, SslContext, SslMethod, select_next_proto};

use super::collector::Collector;
use super::trace_id;
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Mode, World};

/// What a collector called localhost speaks TLS with.
fn context(authority: &Authority) -> SslContext {
    let issued = authority.issue(&Order::new("localhost")).unwrap();
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_certificate(&issued.certificate).unwrap();
    context.set_private_key(&issued.key).unwrap();
    context.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x02h2", offered).ok_or(AlpnError::NOACK)
    });
    context.build()
}

async fn world(collector: &Collector, authority: &Authority) -> (World, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collector-ca.pem");
    fs::write(&file, authority.certificate.to_pem().unwrap()).unwrap();
    let lines = format!("ratio = \"100%\"\nauthorities = \"{}\"", file.display());
    let settings = collector.settings(&lines).replace("http://127.0.0.1", "https://localhost");
    (World::start(|plan| plan.settings = settings).await, folder)
}

#[tokio::test]
async fn spans_go_to_the_collector_that_its_authority_vouches_for() {
    for protocol in ["grpc", "http/protobuf"] {
        let authority = Authority::root("Collectors").unwrap();
        let collector = Collector::secure(protocol, context(&authority)).await;
        let (world, _folder) = world(&collector, &authority).await;
        let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
        assert_eq!(world.send(call.with("Ssp-TraceID", &trace_id(1))).await.status, 200);
        assert_eq!(collector.trace_of(&trace_id(1)).await.len(), 4, "{protocol}");
    }
}

#[tokio::test]
async fn spans_go_to_no_other() {
    for protocol in ["grpc", "http/protobuf"] {
        let other = Authority::root("Somebody else").unwrap();
        let collector = Collector::secure(protocol, context(&other)).await;
        let authority = Authority::root("Collectors").unwrap();
        let (world, _folder) = world(&collector, &authority).await;
        let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
        assert_eq!(world.send(call).await.status, 200);
        let complaint = "traces: the collector takes no spans";
        world.gateway.log.wait_for(complaint, |line| says(line, complaint)).await;
        assert!(collector.spans().is_empty(), "{protocol}");
    }
}
