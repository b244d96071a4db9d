//! What would be right here: the fix of a fault is general, the directory knows the value.

use gpconnect::{
    contract::{Claim, Header},
    decide::Examination,
    interaction::{Capability, InteractionId, TABLE, identify},
    policy::{Endpoint, Practice},
    rejection::Reason,
    token::access::{AccessClaimFault, AccessFault},
};
use serde_json::Value;

use super::case::{Framing, Head, Place};
use crate::cli::output::{counted, nearest};

/// How many values are named at most.
const MOST: usize = 4;

/// What the hints are made from.
pub(super) struct Hints<'a, 'r, 'p> {
    pub(super) place: &'a Place<'p>,
    pub(super) head: &'a Head<'r>,
    pub(super) examination: &'a Examination<'r, 'p>,
    /// The claims, for their times only.
    pub(super) claims: Option<&'a Value>,
    /// How many bytes stand behind the head.
    pub(super) body_bytes: usize,
}

impl<'p> Hints<'_, '_, 'p> {
    /// What would be right in the place of what `reason` finds wrong.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the fix of the others says all")]
    pub(super) fn of(&self, reason: &Reason) -> Option<String> {
        match reason {
            Reason::HostNotServed | Reason::HeaderMissing(Header::Host) => {
                let entrance = self.place.snapshot.entrance(self.place.listener)?;
                some_of(entrance.server_names.iter().map(ToString::to_string))
            }
            Reason::HeaderMissing(header) | Reason::HeaderInvalid { header, .. } => {
                self.header(*header)
            }
            Reason::CertificateRefused(_) => {
                let authorities = some_of(self.place.caller.proof.as_ref()?.authorities())?;
                Some(format!("the listener believes {authorities}"))
            }
            Reason::SenderNotCaller(_) => self.header(Header::From),
            Reason::ReceiverMismatch => self.header(Header::To),
            Reason::InteractionUnknown { .. } => {
                let sent = self.head.fields.interaction_id.text()?;
                resembling(sent).map(str::to_owned).or_else(|| self.interactions())
            }
            Reason::InteractionMismatch { .. } | Reason::InteractionAmbiguous => {
                self.header(Header::InteractionId)
            }
            Reason::PracticeUnknown => self.practices(),
            Reason::SenderNotAccredited(_) => {
                let (_, sender) = self.examination.sender?;
                let ids = some_of(sender.interactions.iter().map(|id| id.short().to_owned()))?;
                Some(format!("it may send {ids}"))
            }
            Reason::ReceiverNotAccredited(_) => {
                let practice = self.practice()?;
                let capabilities = practice.endpoints.iter().map(|(capability, _)| capability);
                Some(format!("{} has {}", practice.ods_code, titles(capabilities)?))
            }
            Reason::EndpointVaries { registered, .. } => Some(registered.to_string()),
            Reason::NoAgreement { .. } => self.agreed(),
            Reason::ClaimMissing { claim, .. }
            | Reason::ClaimUnreadable { claim, .. }
            | Reason::ClaimInvalid { claim, .. } => self.claim(*claim),
            Reason::AccessTokenRefused(AccessFault::IssuerUnknown) => self.issuers(),
            Reason::AccessClaim { fault: AccessClaimFault::IssuerOfOthers, .. } => self.issuers(),
            Reason::AccessClaim { fault: AccessClaimFault::Elsewhere, .. } => {
                let issuer = self.examination.token.issuer?;
                let issuer = self.place.snapshot.policy.issuer(issuer)?;
                some_of(issuer.audiences.iter().cloned())
            }
            Reason::BodyBroken(_) => self.body(),
            _ => None,
        }
    }

    /// Whose access tokens the sender is registered for.
    fn issuers(&self) -> Option<String> {
        let (_, sender) = self.examination.sender?;
        let policy = &self.place.snapshot.policy;
        let issuers = sender.access.as_ref()?.issuers.iter();
        some_of(issuers.filter_map(|index| Some(policy.issuer(*index)?.issuer.clone())))
    }

    fn practice(&self) -> Option<&'p Practice> {
        let target = self.examination.target?;
        self.place.snapshot.policy.find_practice(target.practice).map(|(_, practice)| practice)
    }

    fn endpoint(&self) -> Option<&'p Endpoint> {
        let sent = self.examination.headers.interaction_id.value();
        let id = self.examination.identified.map(|found| found.id).or(sent)?;
        self.practice()?.endpoints.of(id.row().capability)
    }

    fn header(&self, header: Header) -> Option<String> {
        match header {
            Header::From => some_of(self.place.systems().map(|system| system.asid.to_string())),
            Header::To => Some(self.endpoint()?.asid.to_string()),
            Header::InteractionId => self.interactions(),
            Header::Host | Header::TraceId | Header::IfMatch | Header::Authorization => None,
        }
    }

    /// The interactions that verb and path leave.
    fn interactions(&self) -> Option<String> {
        let target = self.examination.target?;
        let policy = &self.place.snapshot.policy;
        let fits = |id: &InteractionId| identify(&target, *id, policy).is_ok();
        some_of(TABLE.iter().map(|row| row.id).filter(fits).map(|id| id.urn().to_owned()))
    }

    /// The practices whose codes resemble the one in the path.
    fn practices(&self) -> Option<String> {
        let target = self.examination.target?;
        let policy = &self.place.snapshot.policy;
        let codes = policy.practices().iter().map(|practice| practice.ods_code.as_str());
        let near = nearest(target.practice.as_str(), codes).into_iter();
        let names = near.filter_map(|code| {
            let (_, practice) = policy.find_practice(code.parse().ok()?)?;
            Some(format!("{code} ({})", practice.name))
        });
        some_of(names).map(|names| format!("registered is {names}"))
    }

    fn agreed(&self) -> Option<String> {
        let parties = self.examination.parties?;
        let agreed = self.place.snapshot.policy.agreement(parties.sender, parties.practice);
        let (consumer, practice) =
            (parties.consumer.organisation, parties.endpoint.service_root.ods_code());
        Some(match titles(agreed.iter()) {
            Some(titles) => format!("{consumer} and {practice} agreed on {titles}"),
            None => format!("{consumer} and {practice} agreed on nothing"),
        })
    }

    fn claim(&self, claim: Claim) -> Option<String> {
        let seconds = |name: &str| self.claims?.get(name)?.as_i64();
        match claim {
            Claim::Aud => Some(self.endpoint()?.service_root.to_string()),
            Claim::Exp => {
                let iat = seconds("iat")?;
                Some(format!("{}, as iat is {iat}", iat.checked_add(300)?))
            }
            Claim::Iat => Some(format!("{} at the moment judged", self.place.now)),
            Claim::RequestedScope => {
                let id = self.examination.identified?.id;
                Some(id.row().scope.as_str().to_owned())
            }
            Claim::Iss
            | Claim::Sub
            | Claim::ReasonForRequest
            | Claim::RequestingDevice
            | Claim::RequestingOrganization
            | Claim::RequestingPractitioner
            | Claim::RequestedRecord => None,
        }
    }

    fn body(&self) -> Option<String> {
        match self.head.framing {
            Framing::Length(length) => {
                let came = counted(self.body_bytes, "byte");
                Some(format!(
                    "Content-Length says {length}, {came} came; while the connection stays open the \
                     gateway waits for more, then answers 408"
                ))
            }
            Framing::Chunked | Framing::None => None,
        }
    }
}

/// The id that an unknown one may have been meant to be.
fn resembling(sent: &str) -> Option<&'static str> {
    // The comparison costs the product of both lengths.
    const LONGEST: usize = 200;
    if sent.len() > LONGEST {
        return None;
    }
    let urns = InteractionId::all().map(InteractionId::urn);
    let nearest = urns.map(|urn| (strsim::damerau_levenshtein(sent, urn), urn)).min();
    nearest.filter(|(distance, urn)| *distance <= urn.len() / 5).map(|(_, urn)| urn)
}

fn titles(capabilities: impl Iterator<Item = Capability>) -> Option<String> {
    some_of(capabilities.map(|capability| capability.title().to_owned()))
}

/// The first of `values`; none when there are none.
fn some_of(mut values: impl Iterator<Item = String>) -> Option<String> {
    let mut named: Vec<_> = values.by_ref().take(MOST).collect();
    if named.is_empty() {
        return None;
    }
    let more = values.count();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    Some(named.join(", "))
}
