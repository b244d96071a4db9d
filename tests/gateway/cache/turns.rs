//! Who waits for whom, who does not hold up others, and what a change of the directory does.

use std::time::Duration;

use super::{JSON, cached, fared, good, organisation, read, reply, send, trace_id};
use crate::exposition::Exposition;
use crate::harness::{DEADLINE, Mode, World};
use crate::scripted::Step;
use crate::wire::Wire;

/// Waits until so many requests wait for an answer.
async fn waiting(world: &World, count: f64) {
    let met = async {
        while (Exposition::of(world).await.sum("cache_waiting", &[]) - count).abs() > 0.5 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, met).await.expect("requests that wait");
}

/// The first consumer hangs up; the provider is not asked again, and the others get its answer.
#[tokio::test]
async fn who_leads_and_goes_takes_nobody_along() {
    let (world, provider) = cached("").await;
    provider.will([Step::Wait, good(1)]);
    let mut leader = Wire::open(world.address(Mode::Transparent)).await;
    let call = read(&world, Mode::Transparent, "17").with("Ssp-TraceID", &trace_id(1));
    leader.write(call.head()).await;
    provider.has_seen(1).await;
    let others = (2..5).map(|number| {
        let call = read(&world, Mode::Assist, "17").with("Ssp-TraceID", &trace_id(number));
        let address = world.address(Mode::Assist);
        tokio::spawn(
            async move { crate::harness::Connection::open(address).await.send(call).await },
        )
    });
    let others: Vec<_> = others.collect();
    waiting(&world, 4.0).await;
    drop(leader);
    waiting(&world, 3.0).await;
    let gone = super::line(&world, &trace_id(1)).await;
    assert_eq!(gone["fault"], "caller_gone", "{gone}");
    provider.go_on();
    for (other, number) in others.into_iter().zip(2..) {
        let answer = other.await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, organisation(1).as_str()));
        assert_eq!(answer.header("Ssp-TraceID"), trace_id(number));
        assert_eq!(fared(&world, &trace_id(number)).await, "shared");
        assert!(answer.header("Cache-Status").contains("fwd=miss; collapsed; stored"));
    }
    assert_eq!(provider.arrived().len(), 1);
    send(&world, 9, read(&world, Mode::Transparent, "17"), "hit").await;
}

/// A failure is that of those who waited for it; the next one asks again. What the provider said to
/// the one who led, who is another, is not repeated to the others.
#[tokio::test]
async fn a_failure_is_shared_by_those_who_waited() {
    let (world, provider) = cached("").await;
    let secret = "{\"resourceType\":\"OperationOutcome\",\"id\":\"secret\"}";
    let fails = reply("503 Service Unavailable", JSON, secret);
    for (round, step, [own, shared], fault) in [
        (0, fails, [503, 502], "upstream_failed"),
        (10, Step::Close, [502, 502], "upstream_unreachable"),
    ] {
        provider.will([Step::Wait, step]);
        let calls = (1..4).map(|number| {
            let call = read(&world, Mode::Transparent, "17");
            let call = call.with("Ssp-TraceID", &trace_id(round + number));
            let address = world.address(Mode::Transparent);
            tokio::spawn(
                async move { crate::harness::Connection::open(address).await.send(call).await },
            )
        });
        let calls: Vec<_> = calls.collect();
        provider.has_seen(1 + round / 10).await;
        waiting(&world, 3.0).await;
        provider.go_on();
        let mut told = Vec::new();
        for (call, number) in calls.into_iter().zip(1..) {
            let answer = call.await.unwrap();
            let line = super::line(&world, &trace_id(round + number)).await;
            let is_own = line["cache"] == "miss";
            assert_eq!(answer.status, if is_own { own } else { shared }, "{answer:?}");
            assert!(is_own || !answer.text().contains("secret"), "{answer:?}");
            assert!(is_own || line["fault"] == fault, "{line}");
            told.push(line["cache"].as_str().unwrap().to_owned());
        }
        told.sort();
        assert_eq!(told, ["miss", "shared", "shared"]);
        assert_eq!(provider.arrived().len(), 1);
    }
    provider.will([good(1)]);
    send(&world, 30, read(&world, Mode::Transparent, "17"), "miss").await;
}

/// An answer to one request's token is not another's: who waited is sent on for itself.
#[tokio::test]
async fn another_s_refusal_is_nobody_s() {
    let (world, provider) = cached("").await;
    provider.will([Step::Wait, reply("403 Forbidden", JSON, "{}")]);
    let spawn = |number| {
        let call = read(&world, Mode::Transparent, "17").with("Ssp-TraceID", &trace_id(number));
        let address = world.address(Mode::Transparent);
        tokio::spawn(
            async move { crate::harness::Connection::open(address).await.send(call).await },
        )
    };
    let first = spawn(1);
    provider.has_seen(1).await;
    let second = spawn(2);
    waiting(&world, 2.0).await;
    provider.will([good(2)]);
    provider.go_on();
    assert_eq!(first.await.unwrap().status, 403);
    let second = second.await.unwrap();
    assert_eq!((second.status, second.text()), (200, organisation(2).as_str()));
    assert_eq!(fared(&world, &trace_id(2)).await, "bypass");
}

/// What is stale is given at once, and the provider asked once, however many meet it.
#[tokio::test]
async fn who_meets_what_is_stale_does_not_wait() {
    let (world, provider) =
        cached("organisation_fresh = \"0s\"\norganisation_stale = \"1h\"").await;
    let call = || read(&world, Mode::Transparent, "17");
    provider.will([good(1)]);
    send(&world, 1, call(), "miss").await;
    provider.will([Step::Wait, good(2)]);
    let answer = send(&world, 2, call(), "refresh").await;
    assert_eq!(answer.text(), organisation(1));
    provider.has_seen(2).await;
    for number in 3..6 {
        let answer = send(&world, number, call(), "stale").await;
        assert_eq!(answer.text(), organisation(1));
    }
    assert_eq!(provider.arrived()[1].header("If-None-Match"), "W/\"1\"");
    provider.go_on();
    let kept = async {
        while Exposition::of(&world).await.sum("cache_calls_total", &[("result", "kept")]) < 2.0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, kept).await.expect("the second answer");
    provider.will([good(3)]);
    assert_eq!(send(&world, 9, call(), "refresh").await.text(), organisation(2));
}

/// A practice that moves, or whose switches change, loses what was in memory, also what was asked
/// for before the change and comes behind it; the others keep theirs.
/// gp-connect 13.
#[tokio::test]
async fn a_change_of_the_directory_is_the_end_of_what_was_known() {
    let (world, provider) = cached("").await;
    let call = |place: usize| {
        let practice = world.practice(place);
        let organisation = &crate::harness::interactions::READ_ORGANIZATION;
        let form = crate::harness::Form::Ods;
        crate::harness::Call::new(
            Mode::Transparent,
            form,
            practice,
            organisation,
            "Organization/17",
        )
    };
    for place in [0, 1] {
        provider.will([good(1)]);
        send(&world, place, call(place), "miss").await;
    }
    let change = |from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        move |text: String| text.replacen(&from, &to, 1)
    };
    world.gateway.reload("consumers.toml", |text| text + "\n# changed\n").await;
    send(&world, 10, call(0), "hit").await;

    // A call that is under way while the practice's accreditation changes.
    provider.will([Step::Wait, good(7)]);
    let anew = call(0).with("Cache-Control", "no-cache").with("Ssp-TraceID", &trace_id(11));
    let address = world.address(Mode::Transparent);
    let late =
        tokio::spawn(
            async move { crate::harness::Connection::open(address).await.send(anew).await },
        );
    provider.has_seen(3).await;
    let asid = world.practice(0).asid.to_string();
    let moved = "990000009999";
    let line = world.gateway.reload("practices.toml", change(&asid, moved)).await;
    assert!(line["message"].as_str().unwrap().starts_with("configuration reloaded"), "{line}");
    provider.go_on();
    assert_eq!(late.await.unwrap().text(), organisation(7), "who asked before gets its answer");
    provider.will([good(2)]);
    let answer = send(&world, 12, call(0).with("Ssp-To", moved), "miss").await;
    assert_eq!(answer.text(), organisation(2));
    let other = send(&world, 13, call(1), "hit").await;
    assert_eq!(other.text(), organisation(1));

    // Other times for answers are the end of all.
    world.gateway.reload("gateway.toml", |text| text + "organisation_fresh = \"20m\"\n").await;
    provider.will([good(3)]);
    assert_eq!(send(&world, 14, call(1), "miss").await.text(), organisation(3));
    world.gateway.reload("gateway.toml", |text| text + "enabled = false\n").await;
    provider.will([good(4)]);
    assert_eq!(send(&world, 15, call(1), "").await.text(), organisation(4));
}

/// A kept connection that the provider had closed is no failure.
#[tokio::test]
async fn a_call_is_sent_once_more_over_a_new_connection() {
    let (world, provider) = cached("").await;
    for turn in 1..=10 {
        provider.will([Step::Send(crate::scripted::answer(&organisation(1)))]);
        send(&world, turn, read(&world, Mode::Transparent, &format!("1{turn}")), "miss").await;
        let kept = provider.arrived()[0].connection;
        provider.will([Step::Close]);
        provider.will([good(2)]);
        let id = trace_id(100 + turn);
        let call = read(&world, Mode::Transparent, &format!("2{turn}")).with("Ssp-TraceID", &id);
        let answer = world.send(call).await;
        let arrived = provider.arrived();
        // Who comes while the engine still watches the kept connection gets a new one.
        if arrived[0].connection != kept {
            provider.forget();
            continue;
        }
        assert_eq!(answer.text(), organisation(2));
        assert_eq!(arrived.len(), 2);
        assert_ne!(arrived[1].connection, kept);
        let line = super::line(&world, &id).await;
        assert_eq!((&line["tries"], &line["cache"]), (&2.into(), &"miss".into()), "{line}");
        return;
    }
    panic!("no call went over a kept connection in ten turns");
}

/// Nothing of a practice that says no is kept, and what had been is gone; the others keep theirs.
#[tokio::test]
async fn answers_of_a_practice_are_kept_unless_it_says_no() {
    let (world, provider) = cached("").await;
    let code = |place: usize| format!("\"{}\"", world.practice(place).ods_code);
    let call = |place: usize| {
        let (practice, form) = (world.practice(place), crate::harness::Form::Ods);
        let organisation = &crate::harness::interactions::READ_ORGANIZATION;
        let path = "Organization/17";
        crate::harness::Call::new(Mode::Transparent, form, practice, organisation, path)
    };
    // The practice has its switches in a section of its own.
    let everyone = "practices = [\"group:everyone\"]\ngp_connect";
    let others = format!("practices = [{}, {}]\ngp_connect", code(1), code(2));
    let own = format!(
        "\n[[enablement]]\npractices = [{}]\ngp_connect = true\n\
         capabilities = [\"appointments\", \"structured\"]\ncache = true\n",
        code(0)
    );
    world.gateway.reload("consumers.toml", |text| text.replace(everyone, &others) + &own).await;
    for (round, change, asked) in [
        (0, None, [(0, "miss"), (0, "hit"), (1, "miss"), (1, "hit")]),
        (1, Some(("cache = true", "cache = false")), [(0, ""), (0, ""), (1, "hit"), (1, "hit")]),
        (
            2,
            Some(("cache = false", "cache = true")),
            [(0, "miss"), (0, "hit"), (1, "hit"), (1, "hit")],
        ),
    ] {
        if let Some((from, to)) = change {
            world.gateway.reload("consumers.toml", |text| text.replace(from, to)).await;
        }
        for (number, (place, how)) in asked.into_iter().enumerate() {
            if how != "hit" {
                provider.will([good(round)]);
            }
            provider.arrived();
            send(&world, 10 * round + number, call(place), how).await;
            assert_eq!(provider.arrived().len(), usize::from(how != "hit"), "{round}.{number}");
        }
    }
}
