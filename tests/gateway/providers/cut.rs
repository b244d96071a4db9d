//! Bodies that break off or stop: nobody takes one for whole, whatever is done to it on its way, and
//! it is counted and on record as what it was.

use std::collections::BTreeMap;

use super::{begun_in_time, call, scripted};
use crate::audit::journal::Journal;
use crate::exposition::Exposition;
use crate::harness::interactions as all;
use crate::harness::{Call, Mode, World};
use crate::scripted::Step;
use crate::wire::Cut;

fn ask(world: &World, mode: Mode, accepts: &str) -> Call {
    let call = call(world, &all::READ_PATIENT, "Patient/1");
    let call = Call { mode, ..call }.with("Ssp-From", mode.asid());
    call.with("Accept-Encoding", accepts)
}

/// gp-connect 12: the outcome says that the answer was cut.
#[tokio::test]
async fn a_cut_answer_is_never_taken_for_whole() {
    let (mut world, provider) = scripted("[timeouts]\nquery = \"700ms\"\n").await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json;charset=utf-8\r\n";
    // Long enough to be compressed, with a link at its end that is held back until it is complete.
    let begun = format!(
        "{{\"text\":\"{}\",\"fullUrl\":\"https://odd.sim.example/Y00",
        "words, ".repeat(600)
    );
    let chunk = format!("{:x}\r\n{begun}\r\n", begun.len());
    let mut cut = BTreeMap::new();
    for (name, behind, end) in [
        ("short of its length", format!("Content-Length: 9999\r\n\r\n{begun}"), Step::Close),
        ("reset", format!("Content-Length: 9999\r\n\r\n{begun}"), Step::Reset),
        ("silent", format!("Content-Length: 9999\r\n\r\n{begun}"), Step::Hang),
        ("no last chunk", format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"), Step::Close),
        ("silent in chunks", format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"), Step::Hang),
        (
            "a broken chunk",
            format!("Transfer-Encoding: chunked\r\n\r\n{chunk}xyz\r\n"),
            Step::Close,
        ),
    ] {
        for (mode, accepts) in
            [(Mode::Transparent, "gzip"), (Mode::Assist, "identity"), (Mode::Assist, "gzip")]
        {
            let name = format!("{name}, {mode:?}, {accepts}");
            let steps = [Step::send(format!("{head}{behind}")), end.clone()];
            let ask = || ask(&world, mode, accepts);
            let (call, reply, how, mut wire) =
                begun_in_time(&world, &provider, &steps, ask, async || {}).await;
            let id = call.header("Ssp-TraceID").unwrap().to_owned();
            let line = world.gateway.log.wait_for(&name, |line| line["trace_id"] == *id).await;
            if reply.status == 502 {
                // The reset overtook the head.
                assert!(name.starts_with("reset"), "{name}: {reply:?}");
                continue;
            }
            assert_eq!((reply.status, how), (200, Some(Cut::InBody)), "{name}: {reply:?}");
            assert_eq!(wire.rest().await, b"", "{name}");
            assert_eq!((&line["fault"], &line["result"]), (&"answer_cut".into(), &"failed".into()));
            cut.insert(id, name);
        }
    }
    assert!(cut.len() >= 15, "{cut:?}");
    let metrics = Exposition::of(&world).await;
    let labels = [("fault", "answer_cut"), ("status", "200"), ("origin", "provider")];
    assert_eq!(metrics.sum("requests_total", &labels), cut.len() as f64);
    let failed =
        metrics.sum("practice_requests_total", &[("practice", "Y00001"), ("result", "failed")]);
    assert!(failed >= cut.len() as f64, "{failed}");
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    journal.is_whole();
    for (id, name) in &cut {
        let outcomes: Vec<_> =
            journal.of("outcome").filter(|record| record["trace_id"] == **id).collect();
        assert_eq!(outcomes.len(), 1, "{name}");
        assert_eq!(outcomes[0]["fault"], "answer_cut", "{name}: {}", outcomes[0]);
        assert_eq!(outcomes[0]["result"], "failed", "{name}: {}", outcomes[0]);
    }
}
