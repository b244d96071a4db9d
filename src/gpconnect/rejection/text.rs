//! What a refusal says: to the caller, and to operators.

use super::Reason;
use crate::{interaction::wire_shape, names::Asid};

impl Reason {
    /// The public text: the fault, and what was expected. No secret; a logical id only where the
    /// proxy's own error text repeats the caller's URL.
    #[expect(clippy::too_many_lines, reason = "a table: one row a reason")]
    pub fn diagnostics(&self) -> String {
        let asid = |asid: &Option<Asid>| asid.map_or_else(String::new, |asid| asid.to_string());
        match self {
            Self::PlainHttp => "Plain HTTP on a TLS port".into(),
            Self::CertificateMissing => {
                "Client certificate is missing; present the one registered for this system".into()
            }
            Self::CertificateRefused(fault) => {
                format!("Client certificate is not accepted: {fault}")
            }
            Self::TerminatorUnknown(fault) => format!("TLS terminator is not accepted: {fault}"),
            Self::CertificateUnreadable(fault) => {
                format!("Client certificate in a header is not readable: {fault}")
            }
            Self::HeadMalformed(fault) => format!("Request head is malformed: {fault}"),
            Self::Http2NotOffered => "HTTP/2 is not offered here; send HTTP/1.1".into(),
            Self::CertificateClaimed(name) => format!(
                "{name} header must not be sent: it claims a client certificate and proves nothing"
            ),
            Self::HeaderRepeated(name) => format!("{name} header is repeated; send it once"),
            Self::HeadTimeout { seconds } | Self::BodyTimeout { seconds } => {
                format!("Request not complete within {seconds} seconds")
            }
            Self::HeadTooLong { limit } => format!("Header fields exceed {limit} bytes"),
            Self::TooManyHeaders { limit } => format!("Header fields exceed {limit} fields"),
            Self::TargetTooLong { limit } => format!("Request target exceeds {limit} bytes"),
            Self::HostNotServed => "Host is not served here".into(),
            Self::BodyEncoded | Self::MediaTypeUnsupported(_) => "Unsupported_Media_Type".into(),
            Self::Overloaded => "Gateway overloaded".into(),
            Self::AuditUnavailable => "Audit journal unavailable".into(),
            Self::MethodNotCarried => "405: Method Not Allowed".into(),
            Self::TargetAmbiguous(fault) => format!("Request target is not valid: {fault}"),
            Self::NotAGpConnectPath => "Not a GP Connect resource".into(),
            Self::AnswerNotFhir { status } => {
                format!("Provider answered {status} without an OperationOutcome")
            }
            Self::RequestLoop => {
                "Request goes in a circle: by its Via it has passed more than three \
                                  gateways of this kind"
                    .into()
            }
            Self::BodyTooLong { limit } => format!("Request body exceeds {limit} bytes"),
            Self::BodyBroken(fault) => format!("Request body is malformed: {fault}"),
            Self::GatewayFault { reference } => format!("Gateway fault, reference {reference}"),
            Self::HeaderMissing(header) => format!("{header} header is missing"),
            Self::HeaderInvalid { header, length, expected } => {
                let found = characters(*length);
                format!("{header} header is not valid: found {found}, expected {expected}")
            }
            Self::InteractionUnknown { length } => format!(
                "Ssp-InteractionID header is not valid: found {}, expected the id of a GP Connect interaction",
                characters(*length)
            ),
            Self::InteractionAmbiguous => {
                "Ssp-InteractionID header is missing; verb and path fit several interactions".into()
            }
            Self::InteractionNotCarried(id) => {
                format!("Interaction {} is not implemented", id.urn())
            }
            Self::InteractionMismatch { id, verb, shape } => {
                let row = id.row();
                let (expected, path) = (row.verb.as_str(), row.path);
                format!(
                    "Interaction {} does not match {} /{shape}; expected {expected} /{path}",
                    row.urn,
                    verb.as_str()
                )
            }
            Self::LogicalIdMissing(id) => format!("Path ends where /{} has an id", id.row().path),
            Self::ReceiverMismatch => "Ssp-To does not match the receiving system".into(),
            Self::PracticeUnknown => "No GP Connect endpoint for this organisation".into(),
            Self::TokenMalformed(fault) => format!("Authorization header is not valid: {fault}"),
            Self::ClaimMissing { claim, found } | Self::ClaimUnreadable { claim, found } => {
                format!("JWT claim {claim} is {found}; expected {}", claim.expected())
            }
            Self::ClaimInvalid { claim, fault } => format!("JWT claim {claim}{fault}"),
            Self::ClaimMisplaced { claim, found, expected } => {
                format!("JWT claim {claim} is a FHIR {found}; expected a FHIR {expected}")
            }
            Self::ClaimNotResource { claim, resource, fault } => {
                format!("JWT claim {claim} is not a valid {resource}: {}", fault.text(resource))
            }
            Self::ClaimElement { claim, resource, fault } => {
                format!("JWT claim {claim} is not a valid {resource}: {}", fault.text(resource))
            }
            Self::BodyUnexpected => "Request body is not expected with GET".into(),
            Self::BodyUnreadable(why) => format!("Request body can't be read: {why}"),
            Self::SeveralPatients => {
                "Request names several different NHS numbers; expected one".into()
            }
            Self::NhsNumberInvalid => "NHS number fails its check digit".into(),
            Self::ScopeMismatch(fault) => {
                format!("JWT claim requested_scope does not fit the interaction: {fault}")
            }
            Self::TokenExpired { since } => format!("JWT has expired, {since} ago"),
            Self::OrganisationMismatch { expected } => format!(
                "requesting_organization does not match the sending system; expected the ODS code {expected}"
            ),
            Self::AccessTokenRefused(fault) => format!("Access token is not accepted: {fault}"),
            Self::IssuerUnavailable => {
                "Access token can't be checked: the keys of its issuer can't be had".into()
            }
            Self::AccessTokenUnbound(fault) => {
                format!("Access token is not bound to the client certificate: {fault}")
            }
            Self::AccessClaim { claim, fault } => format!("Access token's claim {claim}{fault}"),
            Self::GpConnectDisabled => "GP Connect is disabled at this practice.".into(),
            Self::CapabilityDisabled(capability) => {
                format!("The {} capability is disabled at this practice.", capability.title())
            }
            Self::SwitchedOff(kind) => {
                format!("Access is switched off at the gateway for a while: {kind}.")
            }
            Self::SenderNotCaller(from) => {
                format!("ASID_CHECK_FAILED_MESSAGESENDER_{}", asid(from))
            }
            Self::SenderNotAccredited(from) => format!("ASID_CHECK_FAILED_MESSAGESENDER_{from}"),
            Self::ReceiverNotAccredited(to) => {
                format!("PARTYKEY_INTERACTION_CHECK_FAILED_MESSAGERECEIVER_{}", asid(to))
            }
            Self::EndpointVaries { registered, cpa_id, target } => {
                let cpa_id = cpa_id.map_or_else(|| "unknown".to_owned(), |id| id.to_string());
                let target = printable(target.expose());
                format!("ENDPOINT_{registered}_CPAID_{cpa_id}_VARIES_FROM_TARGETURL_{target}")
            }
            Self::NoAgreement { from, to } => {
                format!("FOT_CHECK_FAILED_MESSAGESENDER_{from}_MESSAGERECEIVER_{to}")
            }
            Self::UpstreamUnreachable { url }
            | Self::UpstreamInvalid { url }
            | Self::UpstreamFailed { url, .. }
            | Self::UpstreamNotTrusted { url, .. }
            | Self::UpstreamTimeout { url } => {
                format!("ERROR_COMMUNICATING_TO_ENDPOINT_URL_{}", printable(url.expose()))
            }
        }
    }

    /// The public text of an issue besides the deciding one. The proxy's tokens are for programs that
    /// match the national proxy; besides, a supplier is told where to look.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others name it already")]
    pub fn besides(&self) -> String {
        match self {
            Self::MediaTypeUnsupported(place) => format!(
                "{place} names no FHIR format; expected application/fhir+json or \
                 application/fhir+xml"
            ),
            Self::BodyEncoded => {
                "Request body has a Content-Encoding; expected the body as it is".into()
            }
            _ => self.diagnostics(),
        }
    }

    /// The text for logs: as the public one, but nowhere with an id that may name a patient.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the others hold nothing to hide")]
    pub fn note(&self) -> String {
        match self {
            Self::EndpointVaries { registered, target, .. } => {
                let (host, path) = host_and_path(target.expose());
                // A caller may write anything there, a patient's number among others.
                let host = if host == registered.authority() { host } else { "{another host}" };
                let path = path.strip_prefix('/').unwrap_or(path);
                format!("expected {registered}, found https://{host}/{}", wire_shape(path))
            }
            // The answer repeats what the caller claims; twelve digits may hold a patient's ten.
            Self::SenderNotCaller(_) => "Ssp-From is none of the caller's systems".into(),
            Self::ReceiverNotAccredited(_) => {
                "no system of the practice is registered for this interaction".into()
            }
            Self::UpstreamUnreachable { .. } => "provider could not be reached".into(),
            Self::UpstreamInvalid { .. } => "provider's answer was not valid HTTP".into(),
            Self::UpstreamFailed { status, .. } => format!(
                "provider answered {status} to the request whose answer this one waited for"
            ),
            Self::UpstreamNotTrusted { fault, .. } => {
                format!("no TLS with the provider: {fault}")
            }
            Self::UpstreamTimeout { .. } => "provider did not answer in time".into(),
            Self::MediaTypeUnsupported(place) => format!("{place} names no FHIR format"),
            // What a caller calls a member or an element may be anything.
            Self::TokenMalformed(fault) => {
                format!("Authorization header is not valid: {}", fault.note())
            }
            Self::ClaimElement { claim, resource, fault } => {
                format!("JWT claim {claim} is not a valid {resource}: {}", fault.note(resource))
            }
            Self::BodyEncoded => "request bodies must not have a Content-Encoding".into(),
            _ => self.diagnostics(),
        }
    }
}

/// How much there was, in place of what: it may name a patient.
fn characters(length: usize) -> String {
    match length {
        0 => "nothing".into(),
        1 => "1 character".into(),
        _ => format!("{length} characters"),
    }
}

fn host_and_path(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""))
}

/// A copied text cut to 256 characters, control characters replaced.
fn printable(text: &str) -> String {
    let clean = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    text.chars().map(clean).take(256).collect()
}
