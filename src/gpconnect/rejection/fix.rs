//! What a supplier does about a refusal: one short sentence each.

use std::borrow::Cow;

use super::Reason;
use crate::{contract::Claim, token::fault::ScopeFault};

impl Reason {
    /// What to do, for whoever sent the request.
    #[expect(clippy::too_many_lines, reason = "a table: one row a reason")]
    pub fn fix(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::PlainHttp => "Connect with TLS: the port speaks nothing else.",
            Self::CertificateMissing => {
                "Present the client certificate that is registered for the sending system."
            }
            Self::CertificateRefused(_) => {
                "Present a certificate of an accepted authority that has neither ended nor been revoked."
            }
            Self::TerminatorUnknown(_) => {
                "Tell the gateway's operators: what stands before the gateway must be registered with it."
            }
            Self::CertificateUnreadable(_) => {
                "Have the terminator of TLS send the certificate as RFC 9440 says: its DER in base64, between colons."
            }
            Self::HeadMalformed(_) => {
                "Send the head as HTTP/1.1 lines that end in CR LF, each header in the form \"Name: value\"."
            }
            Self::Http2NotOffered => "Switch HTTP/2 off in the client for this connection.",
            Self::CertificateClaimed(name) => {
                return format!(
                    "Leave {name} out; a client certificate is presented in the TLS handshake."
                )
                .into();
            }
            Self::HeaderRepeated(name) => {
                return format!("Send {name} once, with one value and no list.").into();
            }
            Self::HeadTimeout { .. } => "Send the whole request head at once.",
            Self::HeadTooLong { .. } | Self::TooManyHeaders { .. } => {
                "Send fewer or shorter headers; cookies are not needed here."
            }
            Self::TargetTooLong { .. } => "Send a shorter path and query.",
            Self::HostNotServed => "Connect under a host name that this gateway was given.",
            Self::BodyEncoded => "Send the request body as it is, without Content-Encoding.",
            Self::Overloaded | Self::AuditUnavailable => {
                "Wait, then send the request again; at most three times."
            }
            Self::MethodNotCarried => "Use GET, POST or PUT, as the interaction says.",
            Self::RequestLoop => {
                "Tell the operators of the gateways: each passes the request on to the next, and the last to the first."
            }
            Self::TargetAmbiguous(_) => {
                "Send the path as GP Connect writes it: no dot segments, no backslash, no encoded slash."
            }
            Self::NotAGpConnectPath => {
                "Use /{ODS code}/STU3/1/gpconnect/{FHIR request}, or put the registered service root behind a slash: /https://{host}/{ODS code}/..."
            }
            Self::HeaderMissing(header) | Self::HeaderInvalid { header, .. } => header.fix(),
            Self::InteractionUnknown { .. } => {
                "Copy the interaction id from the specification, letter by letter; case matters."
            }
            Self::InteractionAmbiguous => {
                "Send Ssp-InteractionID: verb and path alone do not tell which interaction is meant."
            }
            Self::InteractionNotCarried(_) => {
                "Ask the gateway's operators to carry this interaction, or use one of 1.2.7."
            }
            Self::InteractionMismatch { id, .. } => {
                let row = id.row();
                let (verb, path) = (row.verb.as_str(), row.path);
                return format!(
                    "Send {verb} with a path that ends in /{path} below the service root of {}, or the interaction id of what was sent.",
                    row.capability.title()
                )
                .into();
            }
            Self::LogicalIdMissing(_) => "Put the resource's logical id behind the last slash.",
            Self::MediaTypeUnsupported(_) => {
                "Ask for and send application/fhir+json or application/fhir+xml."
            }
            Self::SenderNotCaller(_) => {
                "Send the ASID that is registered for the client certificate and for the organisation that asks."
            }
            Self::SenderNotAccredited(_) => {
                "Have the interaction added to the sending system's registration."
            }
            Self::PracticeUnknown => {
                "Check the ODS code in the path; it is the practice's, not a site's."
            }
            Self::ReceiverNotAccredited(_) => {
                "Check ODS code and interaction: the practice has no system that receives it."
            }
            Self::ReceiverMismatch => {
                "Look Ssp-To up in the directory again, for this practice and this interaction."
            }
            Self::EndpointVaries { .. } => {
                "Use the service root exactly as the directory gives it: no port, no other host, no slash more or less."
            }
            Self::NoAgreement { .. } => {
                "Have a data sharing agreement registered for the two organisations and the capability."
            }
            Self::TokenMalformed(_) => {
                "Send \"Bearer\", a blank, then header, claims and an empty signature in base64url without padding, joined by dots."
            }
            Self::ClaimMissing { claim, .. } => return claim.fix(),
            Self::ClaimUnreadable { claim, .. } | Self::ClaimInvalid { claim, .. } => {
                return claim.fix();
            }
            Self::ClaimMisplaced { claim, expected: resource, .. }
            | Self::ClaimNotResource { claim, resource, .. } => {
                return format!("Send {claim} as a FHIR resource of type {resource}.").into();
            }
            Self::ClaimElement { claim, resource, .. } => {
                return format!("Leave out of {claim} what FHIR does not give a {resource}.")
                    .into();
            }
            Self::ScopeMismatch(ScopeFault { wanted: Some(scope), .. }) => {
                return format!("Set requested_scope to {}.", scope.as_str()).into();
            }
            Self::ScopeMismatch(_) => return Claim::RequestedScope.fix(),
            Self::TokenExpired { .. } => {
                "Make a new token for each request, and set the clock by NHS time servers."
            }
            Self::OrganisationMismatch { .. } => {
                "Put the ODS code of the organisation that Ssp-From belongs to into requesting_organization."
            }
            Self::AccessTokenRefused(fault) => fault.fix(),
            Self::IssuerUnavailable => {
                "Wait, then send the request again; the gateway's operators are told."
            }
            Self::AccessTokenUnbound(_) => {
                "Ask the issuer for the token with the client certificate that the request is sent with, so that cnf.x5t#S256 is its hash."
            }
            Self::AccessClaim { claim, .. } => {
                return format!("Have the issuer put what belongs there into the claim {claim}.")
                    .into();
            }
            Self::GpConnectDisabled => "Ask the practice to switch on GP Connect.",
            Self::CapabilityDisabled(_) => "Ask the practice to switch on this capability.",
            Self::SwitchedOff(_) => "Ask the gateway's operators until when it is switched off.",
            Self::BodyTooLong { .. } => "Send a smaller body; requests of GP Connect are small.",
            Self::BodyTimeout { .. } => "Send the whole body without a pause.",
            Self::BodyBroken(_) => {
                "Send as many bytes as Content-Length says, or chunks without extensions and trailers."
            }
            Self::BodyUnexpected => "Send a GET without a body.",
            Self::BodyUnreadable(_) => {
                "Send one well-formed FHIR resource in UTF-8, each name once, without a document type."
            }
            Self::SeveralPatients => {
                "Send one request for each patient; within one, write the same NHS number everywhere."
            }
            Self::NhsNumberInvalid => {
                "Check the NHS number: ten digits, the last one a check digit."
            }
            Self::UpstreamUnreachable { .. }
            | Self::UpstreamInvalid { .. }
            | Self::AnswerNotFhir { .. }
            | Self::UpstreamFailed { .. }
            | Self::UpstreamNotTrusted { .. } => {
                "Nothing is wrong with the request; try later, and tell the practice's supplier."
            }
            Self::UpstreamTimeout { .. } => {
                "Look before a booking is sent again: the practice may have done it although its answer is missing."
            }
            Self::GatewayFault { .. } => "Tell the gateway's operators the reference.",
        };
        fixed.into()
    }
}

impl crate::contract::Header {
    const fn fix(self) -> &'static str {
        match self {
            Self::Host => "Send a Host header with the gateway's name.",
            Self::TraceId => "Send Ssp-TraceID with a new UUID for each request.",
            Self::From => "Send Ssp-From with the 12 digits of the sending system's ASID.",
            Self::To => "Send Ssp-To with the 12 digits of the receiving system's ASID.",
            Self::InteractionId => "Send Ssp-InteractionID with the id of the interaction.",
            Self::IfMatch => {
                "Read the appointment and send its ETag in If-Match, as in W/\"1\", quotes included."
            }
            Self::Authorization => {
                "Send Authorization with \"Bearer\", a blank and a GP Connect token."
            }
        }
    }
}

impl Claim {
    fn fix(self) -> Cow<'static, str> {
        let value = match self {
            Self::Iss => "the URL of the consumer's own endpoint",
            Self::Sub => "the user's id, equal to requesting_practitioner.id",
            Self::Aud => "the practice's service root",
            Self::Iat => "the time now, in whole seconds since 1970 UTC",
            Self::Exp => "iat plus 300, a whole number",
            Self::ReasonForRequest => "directcare",
            Self::RequestedScope => "the scope of the interaction, such as patient/*.read",
            Self::RequestingDevice => {
                "a FHIR Device with identifier (system and value), model and version"
            }
            Self::RequestingOrganization => {
                "a FHIR Organization with a name and an identifier of system https://fhir.nhs.uk/Id/ods-organization-code"
            }
            Self::RequestingPractitioner => {
                "a FHIR Practitioner with id, name (family and given) and an identifier of system https://fhir.nhs.uk/Id/sds-user-id"
            }
            Self::RequestedRecord => "the FHIR Patient or Organization whose record is asked for",
        };
        format!("Set {self} to {value}.").into()
    }
}
