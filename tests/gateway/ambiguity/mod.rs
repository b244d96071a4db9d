//! One reading of every request: raw requests that two parsers could read in two ways are sent
//! through the gateway to a provider that takes one form only. It has seen exactly the accepted
//! ones, in their canonical form, and nothing else.

pub(crate) mod case;
mod lane;
pub(crate) mod upstream;

use std::collections::BTreeMap;

use case::{Case, Verdict};
pub(crate) use lane::Door;
use lane::{Lane, Wrong};

/// How many cases are under way at once, each before a gateway and a provider of its own: what one
/// leaves behind on the provider's connection must not be taken for another's.
const LANES: usize = 4;

/// How often a case is put to a new gateway when the one before opened a second connection to its provider.
const AGAIN: usize = 10;

/// The most that may be passed on although somebody might read it in another way.
const CLEANED_UP: usize = 5;

/// design 11, "one reading of every request": 0 read differently, at most 5 cleaned up.
///
/// design 3: what leaves is canonical.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_read_in_one_way() {
    all_by(Door::Plain).await;
}

/// The same requests over mutual TLS get the same verdicts.
#[tokio::test(flavor = "multi_thread")]
async fn every_request_over_tls_is_read_in_the_same_way() {
    all_by(Door::MutualTls).await;
}

async fn all_by(door: Door) {
    let cases = case::all("ambiguity");
    assert!(cases.len() >= 300, "only {} cases", cases.len());
    let differently = judged_wrongly(&cases, door, 0).await;
    let cleaned: Vec<_> =
        cases.iter().filter_map(|case| Some((&case.name, case.cleaned()?))).collect();
    report(door, &cases, &differently, &cleaned);
    assert!(differently.is_empty(), "{} read differently", differently.len());
    assert!(cleaned.len() <= CLEANED_UP, "{} cleaned up", cleaned.len());
}

/// Sends all of these, and gives back what is wrong with those that went wrong. `decoy` is a port of
/// this machine that they may name.
pub(crate) async fn judged_wrongly(cases: &[Case], door: Door, decoy: u16) -> Vec<String> {
    let mut lanes = Vec::new();
    for lane in 0..LANES {
        let own = cases.iter().skip(lane).step_by(LANES).cloned().collect();
        lanes.push(tokio::spawn(run(own, door, decoy)));
    }
    let mut wrong = Vec::new();
    for lane in lanes {
        wrong.extend(lane.await.unwrap());
    }
    wrong
}

/// Runs these cases one after another, and gives back what is wrong with those that went wrong.
async fn run(cases: Vec<Case>, door: Door, decoy: u16) -> Vec<String> {
    let mut lane = Lane::start(door, decoy).await;
    let mut wrong = Vec::new();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &cases {
        let mut ran = lane.run(case).await;
        for _ in 0..AGAIN {
            if !matches!(ran, Err(Wrong::Connected(_))) {
                break;
            }
            wrong.extend(lane.miscounted(&refused).await);
            lane = Lane::start(door, decoy).await;
            refused.clear();
            ran = lane.run(case).await;
        }
        if let Err(Wrong::Read(what) | Wrong::Connected(what)) = ran {
            wrong.push(format!("{}: {what}", case.name));
            // What is left behind must not be blamed on those that follow.
            lane = Lane::start(door, decoy).await;
            refused.clear();
            continue;
        }
        for verdict in &case.verdicts {
            if let Verdict::Refused(word) = verdict {
                *refused.entry(word).or_default() += 1;
            }
        }
    }
    wrong.extend(lane.miscounted(&refused).await);
    wrong
}

#[expect(clippy::print_stdout, reason = "the counts are what the run is for")]
fn report(door: Door, cases: &[Case], differently: &[String], cleaned: &[(&String, &str)]) {
    let accepted = cases.iter().filter(|case| case.is_accepted()).count() - cleaned.len();
    println!(
        "{door:?}: {} ambiguous requests: {} read differently, {} cleaned up, {} refused, {accepted} accepted",
        cases.len(),
        differently.len(),
        cleaned.len(),
        cases.iter().filter(|case| !case.is_accepted()).count(),
    );
    for (name, reason) in cleaned {
        println!("cleaned up: {name}: {reason}");
    }
    for what in differently {
        println!("read differently: {what}");
    }
}
