//! Which check each reason is the fault of.

use super::Reason;
use crate::contract::{Check, Stage};

impl Reason {
    /// The check that it fails.
    #[expect(clippy::too_many_lines, reason = "a table: one row a reason")]
    #[rustfmt::skip]
    pub const fn check(&self) -> Check {
        match self {
            Self::PlainHttp => Check::Tls,
            Self::CertificateMissing | Self::CertificateRefused(_) | Self::TerminatorUnknown(_) => Check::ClientCertificate,
            Self::HeadMalformed(_) | Self::Http2NotOffered => Check::HeadForm,
            Self::CertificateClaimed(_) | Self::CertificateUnreadable(_) => Check::CertificateHeaders,
            Self::HeaderRepeated(_) => Check::HeadersOnce,
            Self::HeadTimeout { .. } => Check::HeadDeadline,
            Self::HeadTooLong { .. } | Self::TooManyHeaders { .. } | Self::TargetTooLong { .. } => Check::HeadLimits,
            Self::HostNotServed => Check::HostServed,
            Self::BodyEncoded => Check::BodyEncoding,
            Self::Overloaded => Check::Load,
            Self::MethodNotCarried => Check::Verb,
            Self::TargetAmbiguous(_) => Check::TargetForm,
            Self::NotAGpConnectPath => Check::GpConnectPath,
            Self::HeaderMissing(header) => header.presence(),
            Self::HeaderInvalid { header, .. } => header.syntax(),
            Self::InteractionUnknown { .. } => Check::InteractionKnown,
            Self::InteractionAmbiguous => Check::InteractionClear,
            Self::InteractionNotCarried(_) => Check::InteractionCarried,
            Self::InteractionMismatch { .. } => Check::InteractionFits,
            Self::LogicalIdMissing(_) => Check::LogicalId,
            Self::MediaTypeUnsupported(_) => Check::MediaType,
            Self::SenderNotCaller(_) => Check::SenderIsCaller,
            Self::SenderNotAccredited(_) => Check::SenderAccredited,
            Self::PracticeUnknown => Check::PracticeKnown,
            Self::ReceiverNotAccredited(_) => Check::ReceiverAccredited,
            Self::ReceiverMismatch => Check::ReceiverNamed,
            Self::EndpointVaries { .. } => Check::ServiceRoot,
            Self::NoAgreement { .. } => Check::Agreement,
            Self::TokenMalformed(_) => Check::TokenForm,
            Self::ClaimMissing { .. } => Check::ClaimsPresent,
            Self::ClaimUnreadable { .. } => Check::ClaimsReadable,
            Self::ClaimInvalid { claim, .. } => claim.value(),
            Self::ClaimMisplaced { .. } | Self::ClaimNotResource { .. } => Check::ResourceType,
            Self::ClaimElement { .. } => Check::ResourceElements,
            Self::ScopeMismatch(_) => Check::Scope,
            Self::TokenExpired { .. } => Check::Expiry,
            Self::OrganisationMismatch { .. } => Check::OrganisationIsSenders,
            Self::AccessTokenRefused(_) => Check::AccessToken,
            Self::IssuerUnavailable => Check::IssuerKeys,
            Self::AccessTokenUnbound(_) => Check::AccessTokenBinding,
            Self::AccessClaim { .. } => Check::AccessTokenClaims,
            Self::GpConnectDisabled => Check::GpConnectSwitch,
            Self::CapabilityDisabled(_) => Check::CapabilitySwitch,
            Self::SwitchedOff(_) => Check::GatewaySwitch,
            Self::RequestLoop => Check::Hops,
            Self::BodyTooLong { .. } => Check::BodySize,
            Self::BodyTimeout { .. } => Check::BodyDeadline,
            Self::BodyBroken(_) => Check::BodyFraming,
            Self::BodyUnexpected => Check::BodyExpected,
            Self::BodyUnreadable(_) => Check::BodyReadable,
            Self::SeveralPatients => Check::OnePatient,
            Self::NhsNumberInvalid => Check::NhsNumber,
            Self::AuditUnavailable => Check::AuditIntent,
            Self::UpstreamUnreachable { .. } => Check::UpstreamReached,
            Self::UpstreamInvalid { .. } | Self::UpstreamFailed { .. } => Check::UpstreamAnswer,
            Self::UpstreamNotTrusted { .. } => Check::UpstreamTrust,
            Self::UpstreamTimeout { .. } => Check::UpstreamDeadline,
            Self::AnswerNotFhir { .. } => Check::AnswerIsFhir,
            Self::GatewayFault { .. } => Check::Gateway,
        }
    }

    /// The stage that finds it.
    pub const fn stage(&self) -> Stage {
        self.check().stage()
    }
}
