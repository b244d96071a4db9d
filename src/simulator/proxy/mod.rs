//! The secure proxy that stands before practices, such as the national one: it takes requests in proxy
//! form, checks them against the same estate, asks the practice at an address of its own, and passes
//! its answer on. Its own refusals are in its own vocabulary (errors B).

mod checked;
mod pass;
mod refusal;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use gpconnect::names::{Asid, OdsCode};
use http::request::Parts;

use super::estate::Estate;
use super::wire::reply::{Reply, Wishes};
pub(crate) use refusal::{Word, refuse};

/// How a simulator plays the proxy before practices instead of playing them.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where practices are.
    pub practices: SocketAddr,
    /// Where single practices are.
    pub elsewhere: HashMap<OdsCode, SocketAddr>,
    /// The systems that may send; any when empty.
    pub senders: Vec<Asid>,
    /// How long it waits for a practice.
    pub patience: Duration,
}

impl Proxy {
    /// The proxy before all practices at `practices`, for whoever sends.
    #[must_use]
    pub fn before(practices: SocketAddr) -> Self {
        let patience = Duration::from_secs(10);
        Self { practices, elsewhere: HashMap::new(), senders: Vec::new(), patience }
    }

    /// The practice's answer, or the proxy's own.
    pub(crate) async fn reply(
        &self,
        estate: &Estate,
        head: &Parts,
        body: Bytes,
        wishes: Wishes,
    ) -> Reply {
        let checked = match checked::check(self, estate, head, &body) {
            Ok(checked) => checked,
            Err(checked::Refused::AsPractices(why)) => return Reply::refusal(&why, wishes),
            Err(checked::Refused::OfItsOwn(word)) => return refuse(word, head, estate, wishes),
        };
        let practice = checked.practice.ods_code;
        let address = self.elsewhere.get(&practice).copied().unwrap_or(self.practices);
        match pass::pass(head, body, &checked, address, self.patience).await {
            Ok(reply) => reply,
            Err(word) => refuse(word, head, estate, wishes),
        }
    }
}
