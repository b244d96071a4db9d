//! Every way a request can end without an answer of the provider: one [`Reason`] each, and one
//! table that says what it means on the wire. Its rows cite `A-...` and `B-...` of the two error
//! vocabularies: GP Connect's own, and the Spine Secure Proxy's for the proxy's own business.

mod bearer;
mod check;
mod examples;
mod fix;
mod text;

pub use bearer::BearerErrors;
pub use examples::examples;

use crate::{
    contract::{Claim, Header},
    interaction::{Capability, InteractionId, Verb},
    names::{Asid, CpaId, FromCaller, OdsCode, ServiceRoot},
    switched_off::SwitchKind,
    token::{
        access::{AccessClaimFault, AccessFault, BindingFault},
        fault::{ClaimFault, ElementFault, Found, ResourceFault, ScopeFault, Seconds, TokenFault},
    },
};

/// Why a request was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(strum::EnumCount))]
#[expect(missing_docs, reason = "names and the texts below say what the fields are")]
pub enum Reason {
    // Stage 1, admit.
    PlainHttp,
    CertificateMissing,
    CertificateRefused(&'static str),
    TerminatorUnknown(&'static str),
    HeadMalformed(&'static str),
    Http2NotOffered,
    CertificateClaimed(&'static str),
    CertificateUnreadable(&'static str),
    HeaderRepeated(&'static str),
    HeadTimeout { seconds: u64 },
    HeadTooLong { limit: usize },
    TooManyHeaders { limit: usize },
    TargetTooLong { limit: usize },
    HostNotServed,
    BodyEncoded,
    Overloaded,
    // Stage 2, target.
    MethodNotCarried,
    TargetAmbiguous(&'static str),
    NotAGpConnectPath,
    // Stage 3, headers.
    HeaderMissing(Header),
    HeaderInvalid { header: Header, length: usize, expected: &'static str },
    // Stage 4, interaction.
    InteractionUnknown { length: usize },
    InteractionAmbiguous,
    InteractionNotCarried(InteractionId),
    InteractionMismatch { id: InteractionId, verb: Verb, shape: String },
    LogicalIdMissing(InteractionId),
    MediaTypeUnsupported(&'static str),
    // Stage 5, accreditation.
    SenderNotCaller(Option<Asid>),
    SenderNotAccredited(Asid),
    PracticeUnknown,
    ReceiverNotAccredited(Option<Asid>),
    ReceiverMismatch,
    EndpointVaries { registered: ServiceRoot, cpa_id: Option<CpaId>, target: FromCaller<Box<str>> },
    // Stage 6, agreement.
    NoAgreement { from: Asid, to: Asid },
    // Stage 7, token.
    TokenMalformed(TokenFault),
    ClaimMissing { claim: Claim, found: Found },
    ClaimUnreadable { claim: Claim, found: Found },
    ClaimInvalid { claim: Claim, fault: ClaimFault },
    ClaimMisplaced { claim: Claim, found: &'static str, expected: &'static str },
    ClaimNotResource { claim: Claim, resource: &'static str, fault: ResourceFault },
    ClaimElement { claim: Claim, resource: &'static str, fault: ElementFault },
    ScopeMismatch(ScopeFault),
    TokenExpired { since: Seconds },
    OrganisationMismatch { expected: OdsCode },
    AccessTokenRefused(AccessFault),
    IssuerUnavailable,
    AccessTokenUnbound(BindingFault),
    AccessClaim { claim: Box<str>, fault: AccessClaimFault },
    // Stage 8, enablement.
    GpConnectDisabled,
    CapabilityDisabled(Capability),
    SwitchedOff(SwitchKind),
    // Stage 9, hops and body.
    RequestLoop,
    BodyTooLong { limit: usize },
    BodyTimeout { seconds: u64 },
    BodyBroken(&'static str),
    BodyUnexpected,
    BodyUnreadable(&'static str),
    SeveralPatients,
    NhsNumberInvalid,
    // Stage 10, the audit intent.
    AuditUnavailable,
    // Stage 12, upstream.
    UpstreamUnreachable { url: FromCaller<Box<str>> },
    UpstreamInvalid { url: FromCaller<Box<str>> },
    UpstreamFailed { url: FromCaller<Box<str>>, status: u16 },
    UpstreamNotTrusted { url: FromCaller<Box<str>>, fault: Box<str> },
    UpstreamTimeout { url: FromCaller<Box<str>> },
    // Stage 13, the answer.
    AnswerNotFhir { status: u16 },
    // Anywhere.
    GatewayFault { reference: Box<str> },
}

/// FHIR issue types (STU3 issue-type value set).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueType {
    /// `invalid`.
    Invalid,
    /// `forbidden`.
    Forbidden,
    /// `not-found`.
    NotFound,
    /// `not-supported`.
    NotSupported,
    /// `processing`.
    Processing,
    /// `security`.
    Security,
    /// `timeout`.
    Timeout,
    /// `too-long`.
    TooLong,
    /// `transient`.
    Transient,
    /// `value`.
    Value,
}

impl IssueType {
    /// The code in `issue.code`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::NotSupported => "not-supported",
            Self::Processing => "processing",
            Self::Security => "security",
            Self::Timeout => "timeout",
            Self::TooLong => "too-long",
            Self::Transient => "transient",
            Self::Value => "value",
        }
    }
}

/// The error codes that consumers match on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A Spine code: GP Connect's own vocabulary.
    Spine(&'static str, &'static str),
    /// The proxy's vocabulary: the status as code, a token as display.
    Proxy,
    /// The proxy's 405, which has a coding system of its own (D22).
    ProxyMethod,
}

const BAD_REQUEST: Code = Code::Spine("BAD_REQUEST", "Bad request");
const INVALID_RESOURCE: Code = Code::Spine("INVALID_RESOURCE", "Invalid validation of resource");
const INVALID_NHS: Code = Code::Spine("INVALID_NHS_NUMBER", "Invalid NHS number");
const ACCESS_DENIED: Code = Code::Spine("ACCESS_DENIED", "Access denied");
const NO_RECORD_FOUND: Code = Code::Spine("NO_RECORD_FOUND", "No record found");
const NO_ORGANISATION: Code = Code::Spine("ORGANISATION_NOT_FOUND", "Organisation not found");
const NOT_IMPLEMENTED: Code = Code::Spine("NOT_IMPLEMENTED", "Not implemented");
const ACCESS_DENIED_SSL: Code =
    Code::Spine("ACCESS_DENIED_SSL", "SSL Protocol or Cipher requirements not met");
const INTERNAL: Code = Code::Spine("INTERNAL_SERVER_ERROR", "Unexpected internal server error");

/// How refusals are written where the specification leaves a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// Which statuses faults of the token have.
    pub bearer_errors: BearerErrors,
    /// The system of GP Connect's own error codes.
    pub coding_system: CodingSystem,
}

/// The system that Spine codes are said to be of (D23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodingSystem {
    /// The value set: what consumers of 1.2.7 match.
    #[default]
    ValueSet,
    /// The code system: what newer servers write.
    CodeSystem,
}

impl CodingSystem {
    /// Its URL.
    pub const fn url(self) -> &'static str {
        match self {
            Self::ValueSet => "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1",
            Self::CodeSystem => "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1",
        }
    }
}

/// A row of the table: status, issue type, code, the word that metrics, logs and audit share.
#[derive(Clone, Copy, Debug)]
pub struct Answer(pub u16, pub IssueType, pub Code, pub &'static str);

impl Reason {
    /// What it means on the wire.
    #[expect(clippy::too_many_lines, reason = "a table: one row a reason")]
    #[rustfmt::skip]
    pub const fn answer(&self) -> Answer {
        use {Code::{Proxy, ProxyMethod}, IssueType::{Forbidden, Invalid, NotFound, NotSupported, Processing, Security, Timeout, TooLong, Transient, Value}};
        match self {
            Self::PlainHttp                 => Answer(497, Security,     ACCESS_DENIED_SSL, "plain_http"),             // C
            Self::CertificateMissing        => Answer(496, Security,     ACCESS_DENIED_SSL, "certificate_missing"),    // C
            Self::CertificateRefused(_)     => Answer(495, Security,     ACCESS_DENIED_SSL, "certificate_refused"),    // C
            Self::TerminatorUnknown(_)      => Answer(495, Security,     ACCESS_DENIED_SSL, "terminator_unknown"),     // C
            Self::HeadMalformed(_)          => Answer(400, Invalid,      BAD_REQUEST,      "head_malformed"),          // A-400-HDR
            Self::Http2NotOffered           => Answer(400, Invalid,      BAD_REQUEST,      "http2_not_offered"),       // A-400-HDR
            Self::CertificateClaimed(_)     => Answer(400, Invalid,      BAD_REQUEST,      "certificate_claimed"),     // A-400-HDR
            Self::CertificateUnreadable(_)  => Answer(400, Invalid,      BAD_REQUEST,      "certificate_unreadable"),  // A-400-HDR
            Self::HeaderRepeated(_)         => Answer(400, Invalid,      BAD_REQUEST,      "header_repeated"),         // A-400-HDR
            Self::HeadTimeout { .. }        => Answer(408, Timeout,      BAD_REQUEST,      "head_timeout"),
            Self::HeadTooLong { .. }        => Answer(431, TooLong,      BAD_REQUEST,      "head_too_long"),
            Self::TooManyHeaders { .. }     => Answer(431, TooLong,      BAD_REQUEST,      "too_many_headers"),
            Self::TargetTooLong { .. }      => Answer(414, TooLong,      BAD_REQUEST,      "target_too_long"),
            Self::HostNotServed             => Answer(421, Invalid,      BAD_REQUEST,      "host_not_served"),
            Self::BodyEncoded               => Answer(415, NotSupported, Proxy,            "body_encoded"),            // B-415
            Self::Overloaded                => Answer(503, Transient,    INTERNAL,         "overloaded"),
            Self::MethodNotCarried          => Answer(405, NotSupported, ProxyMethod,      "method_not_carried"),      // B-405
            Self::TargetAmbiguous(_)        => Answer(400, Invalid,      BAD_REQUEST,      "target_ambiguous"),        // A-400-HDR
            Self::NotAGpConnectPath         => Answer(404, NotFound,     NO_RECORD_FOUND,  "not_a_gp_connect_path"),   // A-404-PATH
            Self::HeaderMissing(_)          => Answer(400, Invalid,      BAD_REQUEST,      "header_missing"),          // A-400-HDR
            Self::HeaderInvalid { .. }      => Answer(400, Invalid,      BAD_REQUEST,      "header_invalid"),          // A-400-HDR
            Self::InteractionUnknown { .. } => Answer(400, Invalid,      BAD_REQUEST,      "interaction_unknown"),     // A-400-INT
            Self::InteractionAmbiguous      => Answer(400, Invalid,      BAD_REQUEST,      "interaction_ambiguous"),   // A-400-HDR
            Self::InteractionNotCarried(_)  => Answer(501, NotSupported, NOT_IMPLEMENTED,  "interaction_not_carried"),
            Self::InteractionMismatch { .. } => Answer(400, Invalid,     BAD_REQUEST,      "interaction_mismatch"),    // A-400-INT
            Self::LogicalIdMissing(_)       => Answer(404, NotFound,     NO_RECORD_FOUND,  "logical_id_missing"),      // A-404-PATH
            Self::MediaTypeUnsupported(_)   => Answer(415, NotSupported, Proxy,            "media_type_unsupported"),  // B-415
            Self::SenderNotCaller(_)        => Answer(403, Forbidden,    Proxy,            "sender_not_caller"),       // B-403-SND
            Self::SenderNotAccredited(_)    => Answer(403, Forbidden,    Proxy,            "sender_not_accredited"),   // B-403-SND
            Self::PracticeUnknown           => Answer(404, NotFound,     NO_ORGANISATION,  "practice_unknown"),        // A-404-ORG
            Self::ReceiverNotAccredited(_)  => Answer(403, Forbidden,    Proxy,            "receiver_not_accredited"), // B-403-RCV
            Self::ReceiverMismatch          => Answer(400, Invalid,      BAD_REQUEST,      "receiver_mismatch"),       // A-400-HDR
            Self::EndpointVaries { .. }     => Answer(400, Invalid,      Proxy,            "endpoint_varies"),         // B-400-URL
            Self::NoAgreement { .. }        => Answer(403, Forbidden,    Proxy,            "no_agreement"),            // B-403-DSA
            Self::TokenMalformed(_)         => Answer(400, Invalid,      BAD_REQUEST,      "token_malformed"),         // A-400-JWT
            Self::ClaimMissing { .. }       => Answer(400, Invalid,      BAD_REQUEST,      "claim_missing"),           // A-400-JWT
            Self::ClaimUnreadable { .. }    => Answer(400, Invalid,      BAD_REQUEST,      "claim_unreadable"),        // A-400-JWT
            Self::ClaimInvalid { .. }       => Answer(400, Invalid,      BAD_REQUEST,      "claim_invalid"),           // A-400-JWT
            Self::ClaimMisplaced { .. }     => Answer(400, Invalid,      BAD_REQUEST,      "claim_misplaced"),         // A-400-JWT
            Self::ClaimNotResource { .. }   => Answer(422, Invalid,      INVALID_RESOURCE, "claim_not_resource"),      // A-422-JWT
            Self::ClaimElement { .. }       => Answer(422, Invalid,      INVALID_RESOURCE, "claim_element"),           // A-422-JWT
            Self::ScopeMismatch(_)          => Answer(400, Invalid,      BAD_REQUEST,      "scope_mismatch"),          // A-400-JWT
            Self::TokenExpired { .. }       => Answer(400, Invalid,      BAD_REQUEST,      "token_expired"),           // A-400-JWT
            Self::OrganisationMismatch { .. } => Answer(403, Forbidden,    ACCESS_DENIED,    "organisation_mismatch"),   // A-403-ORG
            Self::AccessTokenRefused(_)     => Answer(400, Invalid,      BAD_REQUEST,      "access_token_refused"),    // A-400-JWT
            Self::IssuerUnavailable         => Answer(503, Transient,    INTERNAL,         "issuer_unavailable"),
            Self::AccessTokenUnbound(_)     => Answer(400, Invalid,      BAD_REQUEST,      "access_token_unbound"),    // A-400-JWT
            Self::AccessClaim { .. }        => Answer(400, Invalid,      BAD_REQUEST,      "access_claim"),            // A-400-JWT
            Self::GpConnectDisabled         => Answer(403, Forbidden,    ACCESS_DENIED,    "gp_connect_disabled"),     // A-403-DIS
            Self::CapabilityDisabled(_)     => Answer(403, Forbidden,    ACCESS_DENIED,    "capability_disabled"),     // A-403-DIS
            Self::SwitchedOff(_)            => Answer(403, Forbidden,    ACCESS_DENIED,    "switched_off"),            // A-403-DIS
            Self::RequestLoop               => Answer(508, Processing,   INTERNAL,         "request_loop"),            // RFC 5842
            Self::BodyTooLong { .. }        => Answer(413, TooLong,      BAD_REQUEST,      "body_too_long"),
            Self::BodyTimeout { .. }        => Answer(408, Timeout,      BAD_REQUEST,      "body_timeout"),
            Self::BodyBroken(_)             => Answer(400, Invalid,      BAD_REQUEST,      "body_broken"),             // A-400-HDR
            Self::BodyUnexpected            => Answer(400, Invalid,      BAD_REQUEST,      "body_unexpected"),         // A-400-HDR
            Self::BodyUnreadable(_)         => Answer(400, Invalid,      BAD_REQUEST,      "body_unreadable"),         // 400, invalid
            Self::SeveralPatients           => Answer(400, Invalid,      BAD_REQUEST,      "several_patients"),        // 400, invalid
            Self::NhsNumberInvalid          => Answer(400, Value,        INVALID_NHS,      "nhs_number_invalid"),      // A-400-NHS
            Self::AuditUnavailable          => Answer(503, Transient,    INTERNAL,         "audit_unavailable"),
            Self::UpstreamUnreachable { .. } => Answer(502, Transient,   Proxy,            "upstream_unreachable"),    // B-502
            Self::UpstreamNotTrusted { .. } => Answer(502, Transient,    Proxy,            "upstream_not_trusted"),    // B-502
            Self::UpstreamInvalid { .. }    => Answer(502, Transient,    Proxy,            "upstream_invalid"),        // B-502
            Self::UpstreamFailed { .. }     => Answer(502, Transient,    Proxy,            "upstream_failed"),         // B-502
            Self::UpstreamTimeout { .. }    => Answer(504, Transient,    Proxy,            "upstream_timeout"),        // B-504
            Self::AnswerNotFhir { status }  => Answer(*status, Processing, INTERNAL,       "answer_not_fhir"),         // the provider's
            Self::GatewayFault { .. }       => Answer(500, Processing,   INTERNAL,         "gateway_fault"),
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.answer().0
    }

    /// The word that metrics, logs, traces and audit share.
    pub const fn word(&self) -> &'static str {
        self.answer().3
    }
}

/// Keys that can't be had are no fault of the caller's.
impl From<AccessFault> for Reason {
    fn from(fault: AccessFault) -> Self {
        if matches!(fault, AccessFault::KeysUnavailable(_)) {
            Self::IssuerUnavailable
        } else {
            Self::AccessTokenRefused(fault)
        }
    }
}

/// A refusal: what decided, and the other faults of headers and token, so that a caller mends all
/// of them in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What decides the status.
    pub reason: Reason,
    /// What else is wrong.
    pub also: Vec<Reason>,
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self { reason, also: Vec::new() }
    }
}
