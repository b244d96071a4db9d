//! A consumer that asks for many patients stands out, and nobody sees whom it asked for.

use crate::exposition::Exposition;
use crate::harness::interactions as all;
use crate::harness::{Mode, World};

/// How many patients a consumer asked for, by the metric.
async fn asked_for(page: &Exposition, mode: Mode) -> f64 {
    page.sum("consumer_patients", &[("consumer", mode.asid())])
}

#[tokio::test]
async fn who_reads_many_patients_stands_out() {
    let world = World::start(|_| {}).await;
    let series =
        |page: &Exposition| page.0.iter().filter(|it| it.name.ends_with("_patients")).count();
    let before = Exposition::of(&world).await;
    assert_eq!((series(&before), asked_for(&before, Mode::Transparent).await), (2, 0.0));
    let mut connection = world.connect(Mode::Transparent).await;
    for id in 1..=500 {
        let call = world.call(Mode::Transparent, &all::READ_PATIENT, &format!("Patient/{id}"));
        // Most are nobody here: that they were asked for counts.
        let answer = connection.send(call).await;
        assert!([200, 404].contains(&answer.status), "{answer:?}");
    }
    let number = "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009";
    for path in [number, number] {
        let call = world.call(Mode::Assist, &all::SEARCH_PATIENT, path);
        assert_eq!(world.send(call).await.status, 200);
    }
    // Who is refused is let ask for nobody.
    let refused = world.call(Mode::Assist, &all::READ_PATIENT, "Patient/2");
    let refused = refused.with("Ssp-To", "999999999999");
    assert_eq!(world.send(refused).await.status, 400);
    // Whom a request named is counted behind its answer.
    let consumers = Mode::BOTH.map(|mode| [("consumer", mode.asid())]);
    let all_counted = |page: &Exposition| {
        let [many, one] = consumers.map(|consumer| page.sum("consumer_patients", &consumer));
        many >= 375.0 && one >= 1.0
    };
    Exposition::once(&world, "whom they asked for is counted", all_counted).await;
    let text = world.metrics().await;
    let page = Exposition::read(&text);
    let many = asked_for(&page, Mode::Transparent).await;
    assert!((375.0..=625.0).contains(&many), "{many}");
    assert_eq!(asked_for(&page, Mode::Assist).await, 1.0);
    assert_eq!(series(&page), 2, "hostile or not, no request adds a series");
    assert!(!text.contains("9000000009"));
}
