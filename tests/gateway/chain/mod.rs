//! Practices behind a next proxy: another gateway of this kind, or the national proxy as the simulator
//! plays it. What the consumer sent arrives, what the other end answers comes back, and log, metrics
//! and journal tell the next proxy's errors from a practice's.

mod circle;
mod gateways;
mod national;

use std::net::SocketAddr;

use gpconnect_gateway::tls::issue::{Issued, Order, replace};
use serde_json::Value;

use crate::harness::log::says;
use crate::harness::plan::Onward;
use crate::harness::{Call, HOST, Mode, Plan, World};
use crate::tls::{DAY, Pki, host, now, quoted};

/// The host in the certificate that a region's gateway shows to the next proxy, which knows all of the
/// region's systems by it.
const REGION: &str = "region.example";

/// The certificate that the next proxy believes.
fn identity(pki: &Pki) -> Issued {
    pki.root.issue(&Order::new(REGION)).unwrap()
}

/// The `[upstream.tls]` towards a next proxy that shows a certificate of the gateways' authority.
fn table(pki: &Pki, shown: &Issued) -> String {
    shown.write(&pki.file("onward.pem"), &pki.file("onward.key")).unwrap();
    let list = pki.gateways.revocation_list(&[], now() + DAY).unwrap();
    replace(&pki.file("onward-ca.pem"), &pki.gateways.certificate.to_pem().unwrap()).unwrap();
    replace(&pki.file("onward-ca.crl"), &list.to_pem().unwrap()).unwrap();
    let file = |name: &str| quoted(&pki.file(name));
    format!(
        "[upstream.tls]\ncertificate = {}\nkey = {}\nauthorities = [{}]\n\
         revocation_lists = [{}]\nserver_name = \"{HOST}\"\n",
        file("onward.pem"),
        file("onward.key"),
        file("onward-ca.pem"),
        file("onward-ca.crl"),
    )
}

/// A region whose gateway passes requests for these practices on, with that certificate.
async fn region(
    pki: &Pki,
    shown: &Issued,
    address: SocketAddr,
    places: &[usize],
    change: impl FnOnce(&mut Plan),
) -> World {
    let onward = Onward { address, tls: table(pki, shown), places: places.to_vec() };
    World::start(|plan| {
        plan.onward = Some(onward);
        change(plan);
    })
    .await
}

/// A gateway that others pass requests on to: it knows their systems by the region's certificate, and
/// changes nothing of what they send.
async fn next_gateway(pki: &Pki, change: impl FnOnce(&mut Plan)) -> World {
    let world = World::start(|plan| {
        for mode in Mode::BOTH {
            plan.consumers = plan.consumers.replace(&host(mode), REGION);
        }
        plan.consumers = plan.consumers.replace("mode = \"assist\"", "mode = \"transparent\"");
        plan.settings = pki.listener("");
        change(plan);
    })
    .await;
    serve_by_port(&world, "secure", HOST).await;
    world
}

/// Has a gateway serve `host` with the port of this listener too: nobody knows that beforehand.
async fn serve_by_port(world: &World, listener: &str, host: &str) {
    let port = world.gateway.listeners[listener].port();
    let served = format!("server_names = [\"{HOST}\", \"{host}:{port}\"]");
    let only = format!("server_names = [\"{HOST}\"]");
    let told = world.gateway.reload("gateway.toml", |text| text.replace(&only, &served)).await;
    assert!(says(&told, "configuration reloaded"), "{told}");
}

/// A trace id with this number in it.
fn trace_id(number: usize) -> String {
    format!("629ea9ba-a077-4d99-b289-{number:012}")
}

/// Sends a call and gives the answer with the line that the log has of it.
async fn sent(world: &World, call: Call, number: usize) -> (crate::harness::Answer, Value) {
    let trace_id = trace_id(number);
    let answer = world.send(call.with("Ssp-TraceID", &trace_id)).await;
    let is_its = |line: &Value| line["message"] == "request" && line["trace_id"] == trace_id;
    (answer, world.gateway.log.wait_for(&trace_id, is_its).await)
}
