//! Attacks on who is calling and on where a request goes. The verdict is what a provider saw that
//! notes every byte: exactly the requests that were to be accepted, and nothing else.

mod decoy;
mod senders;

use decoy::Decoy;

use crate::ambiguity::{Door, case, judged_wrongly};

/// Whatever a caller writes of hosts, addresses and origins: the gateway connects to the registered
/// address alone, and tells the provider of the caller in words of its own.
///
/// design 2: the client never chooses the host that we connect to.
#[tokio::test(flavor = "multi_thread")]
async fn no_caller_chooses_where_a_request_goes() {
    all_by(Door::Plain).await;
}

/// The same over mutual TLS.
#[tokio::test(flavor = "multi_thread")]
async fn no_caller_over_tls_chooses_where_a_request_goes() {
    all_by(Door::MutualTls).await;
}

async fn all_by(door: Door) {
    let decoy = Decoy::start().await;
    let cases = case::all("attacks");
    assert!(cases.len() >= 200, "only {} cases", cases.len());
    let wrong = judged_wrongly(&cases, door, decoy.port).await;
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), cases.len());
    decoy.is_untouched().await;
}
