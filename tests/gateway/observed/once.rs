//! An answer is seen once, however many get it.

use serde_json::json;
use uuid::Uuid;

use super::counted;
use crate::exposition::Exposition;
use crate::harness::interactions as all;
use crate::harness::{Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::Wire;

const ORGANISATION: &str = "{\"resourceType\":\"Organization\",\"id\":\"17\"}";

/// An answer to be kept that breaks one rule, for many, and one that is not kept and breaks two, which is
/// for the one who asked.
fn answers() -> [(String, u16, u16, &'static [&'static str]); 2] {
    let head = "Content-Type: application/fhir+json;charset=utf-8\r\n";
    let length = ORGANISATION.len();
    let kept =
        format!("HTTP/1.1 200 OK\r\n{head}ETag: W/\"1\"\r\nContent-Length: {length}\r\n\r\n");
    let error = json!({"error": "no"}).to_string();
    let length = error.len();
    let not_kept = format!("HTTP/1.1 404 Not Found\r\n{head}Content-Length: {length}\r\n\r\n");
    [
        ([&kept, ORGANISATION].concat(), 200, 20, &["no_store"]),
        ([not_kept, error].concat(), 404, 1, &["answer_is_fhir", "no_store"]),
    ]
}

/// gp-connect 13.
#[tokio::test]
async fn an_answer_for_many_is_counted_once() {
    let provider = Scripted::start().await;
    let world = World::start(|plan| {
        plan.upstream = Some(provider.address());
        plan.settings = "[cache]\n".into();
    })
    .await;
    let code = world.practice(0).ods_code.to_string();
    for (number, (answer, status, many, expected)) in answers().into_iter().enumerate() {
        let before = counted(&world, false).await;
        provider.will([Step::Wait, Step::send(&answer)]);
        let mut wires = Vec::new();
        let path = format!("Organization/{number}");
        let call = || {
            let call = world.call(Mode::Transparent, &all::READ_ORGANIZATION, &path);
            call.with("Ssp-TraceID", &Uuid::new_v4().to_string())
        };
        for _ in 0..many {
            let call = call();
            let mut wire = Wire::open(world.address(call.mode)).await;
            wire.write(crate::wire::bytes(&call)).await;
            wires.push((wire, call));
        }
        while Exposition::of(&world).await.sum("cache_waiting", &[]) < f64::from(many) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        provider.go_on();
        let mut last = Vec::new();
        for (wire, call) in &mut wires {
            let reply = wire.read("GET").await;
            assert_eq!(reply.status, status, "{reply:?}");
            last.push(call.header("Ssp-TraceID").unwrap().to_owned());
        }
        for id in &last {
            world.gateway.log.wait_for(id, |line| line["trace_id"] == id.as_str()).await;
        }
        // And one from memory, where it was kept.
        if status == 200 {
            assert_eq!(world.send(call()).await.status, 200);
        }
        let after = counted(&world, false).await;
        let broken = super::broken_between(&before, &after, ["practices", &code], "many");
        assert_eq!(broken, expected);
    }
    assert_eq!(provider.arrived().len(), 2);
}
