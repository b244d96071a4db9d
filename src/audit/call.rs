//! What the journal is told of calls of the admin API. Each is on record with who made it; what
//! changes something, or searches the journal, is on record before it does.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use tokio::{sync::oneshot, time::timeout};
use tracing::error;

use super::{
    Journal,
    keys::SearchKey,
    queue::Entry,
    record::{Body, begun},
    refusals::Caller,
};
use crate::telemetry::Object;

/// How long a call waits for the journal.
const PATIENCE: Duration = Duration::from_secs(5);

/// A call of the admin API whose caller is known.
#[derive(Clone, Copy, Debug)]
pub struct Call<'c> {
    /// Joins the records of one call.
    pub id: &'c str,
    /// Who calls: `uid:1000`, or `token:NAME`.
    pub principal: &'c str,
    /// The name of that user, where it has one.
    pub user: Option<&'c str>,
    /// The role that the call needs.
    pub role: &'static str,
    /// The method.
    pub method: &'c str,
    /// The template of the path, never the path as it was sent.
    pub path: &'static str,
    /// The caller's address.
    pub client: Option<IpAddr>,
}

/// Somebody who may not call.
#[derive(Clone, Copy, Debug)]
pub struct Stranger<'c> {
    /// Who it is, when the system says so.
    pub principal: Option<&'c str>,
    /// Its address.
    pub client: Option<IpAddr>,
}

impl Journal {
    /// Puts down what a call is about to do; `write` adds what is not the call itself, in clear and
    /// sealed. True once it is durable: else it must not be done.
    pub(crate) async fn ordered(
        &self,
        kind: &'static str,
        call: &Call<'_>,
        write: impl FnOnce(&mut Object, &mut Object, &SearchKey),
    ) -> bool {
        self.durable(kind, self.order(call, write)).await
    }

    /// Puts down something that nobody called for; true once it is durable.
    pub(crate) async fn noted(&self, kind: &'static str, write: impl FnOnce(&mut Object)) -> bool {
        let mut clear = begun(SystemTime::now());
        write(&mut clear);
        self.durable(kind, Body { clear: clear.into_members(), sealed: Vec::new() }).await
    }

    async fn durable(&self, kind: &'static str, body: Body) -> bool {
        let (durable, told) = oneshot::channel();
        let entry = Entry::Event { kind, body, durable: Some(durable) };
        self.queue.push(entry) && matches!(timeout(PATIENCE, told).await, Ok(Ok(true)))
    }

    fn order(
        &self,
        call: &Call<'_>,
        write: impl FnOnce(&mut Object, &mut Object, &SearchKey),
    ) -> Body {
        let (mut clear, mut sealed) = (begun(SystemTime::now()), Object::with_room(256));
        call.write(&mut clear);
        write(&mut clear, &mut sealed, &self.keys.load().search);
        let members = sealed.into_members();
        let sealed = if members.is_empty() { members } else { [b"{", &*members, b"}"].concat() };
        Body { clear: clear.into_members(), sealed }
    }

    /// Puts down how a call was answered.
    pub fn answered(&self, call: &Call<'_>, status: u16, fault: Option<&'static str>) {
        let mut clear = begun(SystemTime::now());
        call.write(&mut clear);
        clear.number("status", status);
        fault.iter().for_each(|fault| clear.word("fault", fault));
        let body = Body { clear: clear.into_members(), sealed: Vec::new() };
        if !self.queue.push(Entry::Event { kind: "admin", body, durable: None }) {
            error!(call = call.id, "audit journal has no room for an admin call");
        }
    }

    /// Puts down that somebody was not let in: singly where it is known who it was.
    pub fn turned_away(&self, stranger: &Stranger<'_>, status: u16, fault: &'static str) {
        let body = stranger.principal.map(|principal| {
            let mut clear = begun(SystemTime::now());
            clear.word("listener", "admin");
            clear.word("principal", principal);
            stranger.client.iter().for_each(|client| clear.address("client", *client));
            clear.word("result", "refused");
            clear.number("status", status);
            clear.word("fault", fault);
            Body { clear: clear.into_members(), sealed: Vec::new() }
        });
        let caller = Caller::from_network(stranger.client);
        // Where a flood leaves no room, the metrics count it still.
        self.queue.push(Entry::Refusal { caller, fault, body });
    }

    /// The epoch that it began with: no other gateway that shares the folder began with it.
    pub const fn first_epoch(&self) -> u64 {
        self.first_epoch
    }
}

impl Call<'_> {
    fn write(&self, clear: &mut Object) {
        clear.word("call", self.id);
        clear.text("principal", self.principal);
        self.user.iter().for_each(|user| clear.text("user_name", user));
        clear.word("role", self.role);
        clear.word("method", self.method);
        clear.word("path", self.path);
        self.client.iter().for_each(|client| clear.address("client", *client));
    }
}
