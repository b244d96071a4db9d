//! Whom the caller is taken for, and why: by its certificate, by name, or at its word.

use std::{path::Path, sync::Arc};

use gpconnect::{
    names::Asid,
    policy::{Consumer, ConsumerIndex},
    rejection::Reason,
};

use super::{arguments::Arguments, hide::Hide, report, source::Source};
use crate::{
    cli::{moment, output::nearest},
    snapshot::{Access, Entrance, Snapshot},
    tls::{Acceptor, Examined, Expiry, Terminator},
};

/// Where a terminator of TLS tells of a certificate.
const TOLD: &str = "Client-Cert";

/// Whom the caller is taken for.
pub(super) struct Caller {
    /// The systems that it may be.
    pub(super) candidates: Vec<ConsumerIndex>,
    /// Why it may be these.
    pub(super) because: String,
    /// Its certificate, when that was given.
    pub(super) proof: Option<Proof>,
    /// Whether it was said to show none.
    shows_none: bool,
    /// Whether the listener refuses a caller without a good certificate in the handshake.
    fails_handshakes: bool,
}

/// A certificate that was checked.
pub(super) struct Proof {
    pub(super) examined: Examined,
    /// What the listener believes and for how long.
    trusted: Vec<Expiry>,
}

impl Caller {
    /// Finds out, from a certificate, `--as`, the listener or the request itself.
    ///
    /// # Errors
    /// When the certificate can't be read, or nothing says who it is.
    pub(super) fn of(
        arguments: &Arguments,
        snapshot: &Snapshot,
        listener: usize,
        source: &Source,
        now: i64,
    ) -> Result<Self, String> {
        let entrance = snapshot.entrance(listener).ok_or("the configuration has no listener")?;
        if let Some(file) = &arguments.certificate {
            return by_certificate(file, snapshot, entrance, now);
        }
        if arguments.no_certificate {
            return without_certificate(snapshot, entrance, source);
        }
        let (candidates, because) = named(snapshot, entrance, source, arguments.caller)?;
        Ok(Self { candidates, because, proof: None, shows_none: false, fails_handshakes: false })
    }

    /// What stands against the caller before its request is looked at.
    pub(super) fn objection(&self) -> Option<Reason> {
        if self.shows_none {
            return Some(Reason::CertificateMissing);
        }
        let fault = self.proof.as_ref()?.examined.verdict.err()?;
        Some(Reason::CertificateRefused(fault))
    }

    /// Whether it fails the handshake, so that there is no answer.
    pub(super) fn fails_handshake(&self) -> bool {
        self.fails_handshakes && self.objection().is_some()
    }
}

impl Proof {
    /// The authorities that the listener believes.
    pub(super) fn authorities(&self) -> impl Iterator<Item = String> {
        self.of("authority").map(|(subject, _)| subject)
    }

    fn of(&self, kind: &'static str) -> impl Iterator<Item = (String, i64)> {
        let of_kind = self.trusted.iter().filter(move |one| one.kind == kind);
        of_kind.map(|one| (one.subject.clone(), one.at))
    }

    /// All that there is to say of it, `now` being in seconds since 1970 UTC.
    pub(super) fn report(&self, snapshot: &Snapshot, now: i64, hide: Hide) -> report::Certificate {
        let Examined { certificate, not_before, key, verdict } = &self.examined;
        let asids = |name| {
            let found = snapshot.policy.find_callers(std::slice::from_ref(name));
            let consumers = found.iter().filter_map(|index| snapshot.policy.consumer(*index));
            consumers.map(|Consumer { asid, .. }| asid.to_string()).collect()
        };
        report::Certificate {
            subject: hide.plain(&certificate.subject),
            issuer: hide.plain(&certificate.issuer),
            serial: certificate.serial.clone(),
            sha256: certificate.fingerprint(),
            key: key.clone(),
            valid_from: utc(*not_before),
            valid_until: utc(certificate.not_after),
            chain_until: verdict.ok().map(utc),
            refused: verdict.err(),
            names: certificate
                .host_names
                .iter()
                .map(|name| report::Name {
                    name: hide.plain(name.as_str()),
                    registered: asids(name),
                })
                .collect(),
            lists: self
                .of("revocation_list")
                .map(|(issuer, until)| report::List {
                    issuer,
                    until: utc(until),
                    fresh: now <= until,
                })
                .collect(),
        }
    }
}

fn utc(at: i64) -> String {
    moment::utc(at).unwrap_or_else(|| at.to_string())
}

fn by_certificate(
    file: &Path,
    snapshot: &Snapshot,
    entrance: &Entrance,
    now: i64,
) -> Result<Caller, String> {
    let unable = |fault| format!("--certificate: {fault}");
    let (examined, trusted, fails_handshakes) = match &entrance.access {
        Access::Tls(tls) => {
            let acceptor: Arc<Acceptor> = tls.current();
            let examined = acceptor.examine(file, now).map_err(unable)?;
            (examined, tls.expiries(), acceptor.fails_handshakes())
        }
        Access::BehindTerminator(tls) => {
            let terminator: Arc<Terminator> = tls.current();
            (terminator.examine(file, now).map_err(unable)?, tls.expiries(), false)
        }
        Access::InsecureEveryoneIs(_) => {
            return Err(asks_for_none("--certificate", entrance));
        }
    };
    let candidates = snapshot.policy.find_callers(&examined.certificate.host_names).into_owned();
    let because = if candidates.is_empty() {
        "no system is registered for a name in its certificate"
    } else {
        "by the names in its certificate"
    };
    Ok(Caller {
        candidates,
        because: because.to_owned(),
        proof: Some(Proof { examined, trusted }),
        shows_none: false,
        fails_handshakes,
    })
}

fn without_certificate(
    snapshot: &Snapshot,
    entrance: &Entrance,
    source: &Source,
) -> Result<Caller, String> {
    let fails_handshakes = match &entrance.access {
        Access::Tls(tls) => tls.current().fails_handshakes(),
        Access::BehindTerminator(_) if source.header(TOLD).is_some() => {
            return Err(format!("--no-certificate: the request has {TOLD}"));
        }
        Access::BehindTerminator(_) => false,
        Access::InsecureEveryoneIs(_) => return Err(asks_for_none("--no-certificate", entrance)),
    };
    // So that the stages behind don't tell the same once more.
    let candidates = named(snapshot, entrance, source, None).map(|(systems, _)| systems);
    let because = match candidates {
        Ok(_) => "it shows no certificate; what else is wrong is told as of its Ssp-From",
        Err(_) => "it shows no certificate, and its Ssp-From names no registered system",
    };
    Ok(Caller {
        candidates: candidates.unwrap_or_default(),
        because: because.to_owned(),
        proof: None,
        shows_none: true,
        fails_handshakes,
    })
}

fn asks_for_none(option: &str, entrance: &Entrance) -> String {
    let name = &entrance.name;
    format!("{option}: listener {name} asks for none; name one with TLS with --listener")
}

/// The systems that the caller may be, and why.
fn named(
    snapshot: &Snapshot,
    entrance: &Entrance,
    source: &Source,
    asked: Option<Asid>,
) -> Result<(Vec<ConsumerIndex>, String), String> {
    if let Some(asid) = asked {
        return match snapshot.policy.find_consumer(asid) {
            Some((index, _)) => Ok((vec![index], "by --as".into())),
            None => Err(unregistered(snapshot, asid)),
        };
    }
    if let Access::InsecureEveryoneIs(everyone) = &entrance.access {
        return Ok((everyone.clone(), "as every caller".into()));
    }
    // Without the certificate the request's own word is all there is.
    let from = source.header(gpconnect::headers::FROM).and_then(|text| text.parse::<Asid>().ok());
    let claimed = from.and_then(|asid| snapshot.policy.find_consumer(asid));
    let (_, consumer) = claimed.ok_or_else(|| {
        format!(
            "listener {} knows callers by their certificates, and the request's Ssp-From names no \
             registered system; give the certificate with --certificate FILE, or name the caller \
             with --as ASID",
            entrance.name
        )
    })?;
    let callers = snapshot.policy.find_callers(&consumer.host_names);
    let because = "taken at its word: as if with a good certificate of its Ssp-From; \
                   --certificate FILE checks one";
    Ok((callers.into_owned(), because.into()))
}

fn unregistered(snapshot: &Snapshot, asid: Asid) -> String {
    let known: Vec<_> =
        snapshot.policy.consumers().iter().map(|one| one.asid.to_string()).collect();
    let near = nearest(&asid.to_string(), known.iter().map(String::as_str));
    let near = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    format!("--as {asid}: no consumer of this ASID is registered{near}")
}
