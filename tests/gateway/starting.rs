//! A gateway starts, carries a request, reads its configuration again, and stops when it is told.

use crate::harness::interactions::READ_PATIENT;
use crate::harness::log::says;
use crate::harness::{Mode, World};

#[tokio::test]
async fn a_gateway_starts_carries_reloads_and_stops() {
    let mut world = World::start(|_| {}).await;
    let call = || world.call(Mode::Transparent, &READ_PATIENT, "Patient/1");
    let answer = world.send(call()).await;
    assert_eq!((answer.status, answer.json()["resourceType"].as_str()), (200, Some("Patient")));
    assert_eq!(world.arrivals().len(), 1);
    let line = world.gateway.log.wait_for("the request's", |line| line["status"] == 200).await;
    assert_eq!(line["interaction"], READ_PATIENT.id);
    assert!(world.metrics().await.contains("practice_requests_total"));
    assert_eq!(world.observe("/readyz").await.status, 200);

    let off = |text: String| text.replace("gp_connect = true", "gp_connect = false");
    let line = world.gateway.reload("consumers.toml", off).await;
    assert!(says(&line, "configuration reloaded"), "{line}");
    assert_eq!(world.send(call()).await.status, 403);
    let line = world.gateway.reload("consumers.toml", |text| text + "[[nonsense]]\n").await;
    assert!(says(&line, "reload refused"), "{line}");
    assert_eq!(world.gateway.stop().await, Some(0));
}
