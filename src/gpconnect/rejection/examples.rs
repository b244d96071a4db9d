//! One example of every reason, for the documentation and for tests of whole answers.

use super::Reason;
use crate::{
    contract::{Claim, Header},
    interaction::{Capability, InteractionId, Scope, Verb},
    names::{Asid, CpaId, OdsCode, ServiceRoot},
    switched_off::SwitchKind,
    token::{
        access::{AccessClaimFault, AccessFault, BindingFault},
        fault::{
            ClaimFault, ElementFault, Found, Part, ResourceFault, ScopeFault, ScopeFound, Seconds,
            TokenFault,
        },
    },
};

/// One example of every reason, in the order of the table. The values are made up.
pub fn examples() -> Vec<Reason> {
    let mut all = Vec::from(of_head());
    all.extend(of_interaction());
    all.extend(of_accreditation());
    all.extend(of_token());
    all.extend(of_provider());
    all
}

fn of_head() -> [Reason; 21] {
    [
        Reason::PlainHttp,
        Reason::CertificateMissing,
        Reason::CertificateRefused("it, or an authority of it, has expired"),
        Reason::TerminatorUnknown("it is none of the terminators of this listener"),
        Reason::HeadMalformed("a line ends in a bare LF"),
        Reason::Http2NotOffered,
        Reason::CertificateClaimed("Client-Cert"),
        Reason::CertificateUnreadable("Client-Cert does not stand between colons"),
        Reason::HeaderRepeated(Header::From.as_str()),
        Reason::HeadTimeout { seconds: 10 },
        Reason::HeadTooLong { limit: 65_536 },
        Reason::TooManyHeaders { limit: 100 },
        Reason::TargetTooLong { limit: 8_192 },
        Reason::HostNotServed,
        Reason::BodyEncoded,
        Reason::Overloaded,
        Reason::MethodNotCarried,
        Reason::TargetAmbiguous("it contains a backslash"),
        Reason::NotAGpConnectPath,
        Reason::HeaderMissing(Header::TraceId),
        Reason::HeaderInvalid { header: Header::TraceId, length: 10, expected: "a UUID" },
    ]
}

fn of_interaction() -> [Reason; 6] {
    let id = InteractionId::SearchPatient;
    [
        Reason::InteractionUnknown { length: 57 },
        Reason::InteractionAmbiguous,
        Reason::InteractionNotCarried(InteractionId::MigrateBinary),
        Reason::InteractionMismatch { id, verb: Verb::Post, shape: "Patient".into() },
        Reason::LogicalIdMissing(InteractionId::ReadAppointment),
        Reason::MediaTypeUnsupported("Accept"),
    ]
}

fn of_accreditation() -> Vec<Reason> {
    let asid = |text: &str| text.parse::<Asid>().ok();
    let mut reasons = vec![Reason::SenderNotCaller(asid("990000000302"))];
    reasons.extend(asid("990000000302").map(Reason::SenderNotAccredited));
    reasons.push(Reason::PracticeUnknown);
    reasons.push(Reason::ReceiverNotAccredited(asid("990000000103")));
    reasons.push(Reason::ReceiverMismatch);
    let root = "https://gp.example/A20047/STU3/1/gpconnect/structured";
    reasons.extend(root.parse::<ServiceRoot>().ok().map(|registered| Reason::EndpointVaries {
        registered,
        cpa_id: "S20001A000182".parse::<CpaId>().ok(),
        target: "https://10.2.3.4/A20047/STU3/1/gpconnect/structured/Patient/17".into(),
    }));
    let pair = asid("990000000301").zip(asid("990000000102"));
    reasons.extend(pair.map(|(from, to)| Reason::NoAgreement { from, to }));
    reasons
}

fn of_token() -> Vec<Reason> {
    let (device, practitioner) = (Claim::RequestingDevice, Claim::RequestingPractitioner);
    let resource = device.resource();
    let fault = ResourceFault::UnknownType(6);
    let element = ElementFault::example();
    let mut reasons = vec![
        Reason::TokenMalformed(TokenFault::NotBase64(Part::Claims)),
        Reason::AccessTokenRefused(AccessFault::Unsigned),
        Reason::IssuerUnavailable,
        Reason::AccessTokenUnbound(BindingFault::OtherCertificate),
        Reason::AccessClaim { claim: "aud".into(), fault: AccessClaimFault::Elsewhere },
        Reason::ClaimMissing { claim: Claim::Iss, found: Found::Missing },
        Reason::ClaimUnreadable { claim: Claim::Iat, found: Found::Text(20) },
        Reason::ClaimInvalid { claim: Claim::Exp, fault: ClaimFault::Lifetime(Seconds(299)) },
        Reason::TokenExpired { since: Seconds(600) },
        Reason::ScopeMismatch(ScopeFault {
            found: ScopeFound::Known(Scope::PatientWrite.as_str()),
            wanted: Some(Scope::PatientRead),
            confidentiality: InteractionId::ReadPatient.row().token.confidentiality,
        }),
        Reason::ClaimMisplaced {
            claim: practitioner,
            found: "Patient",
            expected: practitioner.resource(),
        },
        Reason::ClaimNotResource { claim: device, resource, fault },
        Reason::ClaimElement { claim: device, resource, fault: element },
    ];
    let code = "RXX01".parse::<OdsCode>().ok();
    reasons.extend(code.map(|expected| Reason::OrganisationMismatch { expected }));
    reasons.push(Reason::GpConnectDisabled);
    reasons.push(Reason::CapabilityDisabled(Capability::Structured));
    reasons.push(Reason::SwitchedOff(SwitchKind::Practice));
    reasons
}

fn of_provider() -> [Reason; 16] {
    let url = || "https://gp.example/A20047/STU3/1/gpconnect/Slot".into();
    [
        Reason::RequestLoop,
        Reason::BodyTooLong { limit: 65_536 },
        Reason::BodyTimeout { seconds: 30 },
        Reason::BodyBroken("a chunk has an extension"),
        Reason::BodyUnexpected,
        Reason::BodyUnreadable("a name stands twice where it may stand once"),
        Reason::SeveralPatients,
        Reason::NhsNumberInvalid,
        Reason::AuditUnavailable,
        Reason::UpstreamUnreachable { url: url() },
        Reason::UpstreamNotTrusted { url: url(), fault: "its certificate is not accepted".into() },
        Reason::UpstreamInvalid { url: url() },
        Reason::UpstreamFailed { url: url(), status: 503 },
        Reason::UpstreamTimeout { url: url() },
        Reason::AnswerNotFhir { status: 503 },
        Reason::GatewayFault { reference: "0e6a2c1f-4c1b-4c62-9a53-5b6a1d1f9e70".into() },
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use strum::EnumCount;

    use super::*;
    use crate::contract::Check;

    #[test]
    fn every_reason_has_one_example_and_a_word_of_its_own() {
        let words: BTreeSet<_> = examples().iter().map(Reason::word).collect();
        assert_eq!((examples().len(), words.len()), (Reason::COUNT, Reason::COUNT));
    }

    #[test]
    fn the_examples_stand_in_the_order_of_their_stages() {
        let of_claims = |check: Check| check.stage();
        assert!(examples().is_sorted_by_key(|reason| of_claims(reason.check())));
    }

    #[test]
    fn each_reason_says_what_to_do() {
        for reason in examples() {
            let fix = reason.fix();
            assert!(fix.ends_with('.') && fix.len() > 20, "{}: {fix}", reason.word());
        }
    }
}
