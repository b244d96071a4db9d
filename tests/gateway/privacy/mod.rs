//! No patient in log, metrics or spans: numbers and words are planted in everything that callers and
//! providers can write into, and looked for in everything that operators can read.

mod answers;
mod numbers;
mod requests;
mod watched;

use crate::harness::{Call, Mode};
use crate::scripted::Step;
use crate::wire::{self, Wire};

use answers::planted_answers;
use numbers::{MARK, Numbers};
use requests::{command, good, planted_claims, planted_requests};
use watched::Watched;

/// gp-connect 12.
#[tokio::test]
async fn no_request_plants_a_patient() {
    let watched = Watched::start().await;
    let mut numbers = Numbers::new();
    let requests = planted_requests(&watched.world, &mut numbers);
    assert!(numbers.given.len() > 400, "{} planted", numbers.given.len());
    let mut good = 0;
    for request in requests {
        good += usize::from(watched.send(request).await == 200);
    }
    assert!(good > 50, "{good} requests were carried");
    watched.shows_nothing_of(&numbers).await;
}

/// gp-connect 12.
#[tokio::test]
async fn no_answer_plants_a_patient() {
    let watched = Watched::start().await;
    let mut numbers = Numbers::new();
    // The request names a patient as well: errors of the engine like to repeat its line.
    let naming = |numbers: &mut Numbers| {
        let mut call = good(&watched.world);
        call.target += &format!("?identifier=x|{}&{}", numbers.number(), numbers.word());
        wire::bytes(&call)
    };
    for answer in planted_answers(&mut numbers) {
        watched.provider.will(answer.clone());
        watched.provider.will(answer);
        watched.send(naming(&mut numbers)).await;
    }
    // And one that waits in vain.
    watched.provider.will([Step::Hang]);
    watched.provider.will([Step::Hang]);
    watched.send(naming(&mut numbers)).await;
    watched.shows_nothing_of(&numbers).await;
}

/// What a caller is told of its own request does not reach another, and names no patient either.
/// gp-connect 7.4.
#[tokio::test]
async fn refusals_repeat_no_number_and_no_query() {
    let watched = Watched::start().await;
    let world = &watched.world;
    let mut numbers = Numbers::new();
    for request in planted_claims(world, &mut numbers) {
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(request).await;
        let reply = wire.read("GET").await;
        if reply.status >= 400 {
            assert!(!reply.text().contains(MARK), "{reply:?}");
        }
    }
    for (name, call) in [
        ("query", Call { target: good(world).target + "?" + &numbers.word(), ..good(world) }),
        ("trace id", good(world).with("Ssp-TraceID", &numbers.word())),
        ("interaction", good(world).with("Ssp-InteractionID", &numbers.word())),
        ("receiver", good(world).with("Ssp-To", &numbers.word())),
        ("type", command(world).with("Content-Type", &numbers.word())),
        ("body", command(world).bytes(numbers.word())),
        ("host", good(world).with("Host", &numbers.word())),
    ] {
        // Something else is wrong with each, so that all are refused.
        let call = call.with("Ssp-From", "999999999999");
        let reply = Wire::open(world.address(Mode::Transparent)).await.exchange(&call).await;
        assert!(reply.status >= 400, "{name}: {reply:?}");
        assert!(!reply.text().contains(MARK), "{name}: {reply:?}");
    }
}
