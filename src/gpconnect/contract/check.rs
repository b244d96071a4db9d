//! Every check, in the order of the contract.

use super::Stage;

/// Writes the closed list: the enum, and the table with one row a check.
macro_rules! checks {
    ($($check:ident $stage:ident $name:literal $enforced:ident $section:literal $looks_at:literal)*) => {
        /// One thing that is looked at. The order of the list is the order in which faults are
        /// told: of several that are wrong the first one decides the status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Check {
            $(#[doc = concat!("`", $name, "`.")] $check,)*
        }

        impl Check {
            /// All of them, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$check,)*];

            const fn row(self) -> Row {
                match self {
                    $(Self::$check => Row {
                        stage: Stage::$stage,
                        name: $name,
                        enforced: Enforced::$enforced,
                        section: $section,
                        looks_at: $looks_at,
                    },)*
                }
            }
        }
    };
}

struct Row {
    stage: Stage,
    name: &'static str,
    enforced: Enforced,
    section: &'static str,
    looks_at: &'static str,
}

/// Whether a consumer can be let off a check for a while.
enum Enforced {
    /// No.
    Always,
    /// Faults may be reported only, for one consumer, until a date.
    Unless,
}

#[rustfmt::skip]
checks! {
    // check               stage         name                       report-only?  section            looks at
    Tls                    Admit         "tls"                      Always "gp-connect 8"      "whether a caller of a TLS port speaks TLS"
    ClientCertificate      Admit         "client_certificate"       Always "gp-connect 8"      "whether the caller's certificate comes from an accepted authority, and has neither ended nor been revoked"
    HeadForm               Admit         "head_form"                Always "gp-connect 2"      "whether the request head is HTTP/1.1 that can be read in one way only"
    CertificateHeaders     Admit         "certificate_headers"      Always "gp-connect 8"      "whether the head claims a client certificate in a header that proves nothing, or a terminator tells of one that can't be read"
    HeadersOnce            Admit         "headers_once"             Always "gp-connect 4.1"    "whether each single-valued header stands once"
    HostServed             Admit         "host_served"              Always "errors A"          "whether Host names this gateway"
    HeadLimits             Admit         "head_limits"              Always "errors A"          "the length of target and header fields, and their number"
    HeadDeadline           Admit         "head_deadline"            Always "errors A"          "whether the head was complete in time"
    BodyEncoding           Admit         "body_encoding"            Always "errors B"          "whether the request body has a Content-Encoding, which it must not"
    Load                   Admit         "load"                     Always "gp-connect 15"     "whether the gateway has room for another request"
    Verb                   Target        "verb"                     Always "gp-connect 5"      "whether the method is GET, POST or PUT"
    TargetForm             Target        "target_form"              Always "gp-connect 2.2"    "whether the request target can be read in one way only"
    GpConnectPath          Target        "gp_connect_path"          Always "gp-connect 2"      "whether the path names a practice and a GP Connect resource"
    TraceId                Headers       "trace_id"                 Unless "gp-connect 4.1"    "whether Ssp-TraceID is a UUID"
    SspSyntax              Headers       "ssp_syntax"               Always "gp-connect 4.1"    "whether Ssp-From and Ssp-To are ASIDs"
    SspHeaders             Headers       "ssp_headers"              Always "gp-connect 4.1"    "whether the four Ssp-* headers are there"
    InteractionKnown       Interaction   "interaction_known"        Always "gp-connect 3"      "whether Ssp-InteractionID is the id of a GP Connect interaction"
    InteractionClear       Interaction   "interaction_clear"        Always "gp-connect 3"      "whether verb and path leave one interaction, where Ssp-InteractionID is to be filled in"
    InteractionCarried     Interaction   "interaction_carried"      Always "gp-connect 17"     "whether this gateway carries the interaction"
    InteractionFits        Interaction   "interaction_fits"         Always "gp-connect 3"      "whether verb and path are those of the interaction"
    LogicalId              Interaction   "logical_id"               Always "gp-connect 3"      "whether an id stands where the path needs one"
    MediaType              Interaction   "media_type"               Unless "gp-connect 6"      "whether _format, Accept and Content-Type name FHIR in JSON or XML"
    IfMatch                Interaction   "if_match"                 Unless "gp-connect 4.1"    "whether amend and cancel send If-Match with an entity tag"
    SenderIsCaller         Accreditation "sender_is_caller"         Always "gp-connect 7.6"    "whether Ssp-From is a system of the caller, by its certificate"
    SenderAccredited       Accreditation "sender_accredited"        Always "gp-connect 10"     "whether the interaction is on the sender's record"
    PracticeKnown          Accreditation "practice_known"           Always "gp-connect 11"     "whether the directory has the practice"
    ReceiverAccredited     Accreditation "receiver_accredited"      Always "gp-connect 10"     "whether the interaction is on a record of the practice"
    ReceiverNamed          Accreditation "receiver_named"           Always "gp-connect 4.1"    "whether Ssp-To is the directory's ASID for practice and interaction"
    ServiceRoot            Accreditation "service_root"             Always "gp-connect 2.2"    "whether the service root is the registered one, byte for byte"
    Agreement              Agreement     "agreement"                Always "gp-connect 10"     "whether the two organisations agreed to share for this capability"
    Authorization          Token         "authorization"            Always "gp-connect 7.1"    "whether there is an Authorization header"
    TokenForm              Token         "token_form"               Always "gp-connect 7.1"    "whether the token is Bearer, three parts, base64url, alg none, and one JSON object"
    AccessToken            Token         "access_token"             Always "RFC 7515"          "whether the access token, where one is due, is signed by a known issuer"
    IssuerKeys             Token         "issuer_keys"              Always "RFC 7517"          "whether the keys of the access token's issuer can be had"
    AccessTokenBinding     Token         "access_token_binding"     Always "RFC 8705 3.1"      "whether the access token was given to the holder of the client certificate"
    AccessTokenClaims      Token         "access_token_claims"      Always "RFC 7519 4.1"      "whether the access token is of an issuer of the sender, for this gateway, in time, and says who the user is"
    ClaimsPresent          Token         "claims_present"           Always "gp-connect 7.2"    "whether each claim is there and not null"
    ClaimsReadable         Token         "claims_readable"          Always "gp-connect 7.2"    "whether each claim is of the JSON type that it must be"
    Issuer                 Token         "issuer"                   Unless "gp-connect 7.2"    "the value of iss"
    Subject                Token         "subject"                  Unless "gp-connect 7.2"    "whether sub is the id of requesting_practitioner"
    Audience               Token         "audience"                 Unless "gp-connect 7.2"    "whether aud points to the practice"
    IssuedAt               Token         "issued_at"                Unless "gp-connect 7.3"    "whether iat is not too far in the future"
    Lifetime               Token         "lifetime"                 Unless "gp-connect 7.2"    "whether exp is exactly 300 seconds after iat"
    Expiry                 Token         "expiry"                   Always "gp-connect 7.2"    "whether the token has not expired"
    ReasonForRequest       Token         "reason_for_request"       Unless "gp-connect 7.2"    "whether reason_for_request is one that the interaction knows"
    Scope                  Token         "scope"                    Unless "gp-connect 7.2"    "whether requested_scope is the one of the interaction"
    ResourceType           Token         "resource_type"            Always "gp-connect 7.4"    "whether device, organisation and practitioner are FHIR resources of their type"
    ResourceElements       Token         "resource_elements"        Unless "gp-connect 7.4"    "whether device, organisation and practitioner have only elements that FHIR knows"
    RequestingDevice       Token         "requesting_device"        Unless "gp-connect 7.2"    "whether the device has an identifier, a model and a version"
    RequestingOrganization Token         "requesting_organization"  Always "gp-connect 7.2"    "whether the organisation has an ODS code and a name"
    RequestingPractitioner Token         "requesting_practitioner"  Unless "gp-connect 7.2"    "whether the user has an id, a name and an SDS user id"
    OrganisationIsSenders  Token         "organisation_is_senders"  Always "gp-connect 7.6"    "whether the organisation in the token is the sender's"
    GpConnectSwitch        Enablement    "gp_connect_switch"        Always "gp-connect 10"     "whether the practice has switched on GP Connect"
    CapabilitySwitch       Enablement    "capability_switch"        Always "gp-connect 10"     "whether the practice has switched on the capability"
    GatewaySwitch          Enablement    "gateway_switch"           Always "gp-connect 10"     "whether operations have switched off the practice, its capability, the sending system or the interaction at this gateway"
    Hops                   Limit         "hops"                     Always "RFC 9110 7.6.3"    "whether Via names three gateways of this kind at most"
    BodyExpected           Limit         "body_expected"            Always "gp-connect 5"      "whether a GET comes without a body"
    BodySize               Limit         "body_size"                Always "gp-connect 6"      "the length of the request body"
    BodyDeadline           Limit         "body_deadline"            Always "errors A"          "whether the request body keeps coming"
    BodyFraming            Limit         "body_framing"             Always "errors A"          "whether the request body is complete and framed as its head says"
    BodyReadable           Limit         "body_readable"            Always "gp-connect 19"     "whether the body of an operation can be read in one way only"
    OnePatient             Limit         "one_patient"              Always "gp-connect 12"     "whether query and body of an operation name at most one patient"
    NhsNumber              Limit         "nhs_number"               Unless "gp-connect 15"     "whether the NHS number in query or body passes its check digit"
    AuditIntent            Audit         "audit_intent"             Always "gp-connect 12"     "whether the access is on record, durably, before anything of it is sent"
    UpstreamReached        Upstream      "upstream_reached"         Always "errors B"          "whether the provider can be reached"
    UpstreamTrust          Upstream      "upstream_trust"           Always "gp-connect 8"      "whether the provider's certificate is good and names the host that is meant"
    UpstreamDeadline       Upstream      "upstream_deadline"        Always "errors B"          "whether the provider answers in time"
    UpstreamAnswer         Upstream      "upstream_answer"          Always "errors B"          "whether the provider's answer is HTTP and, where several requests wait for one answer, no failure"
    AnswerIsFhir           Response      "answer_is_fhir"           Always "errors A"          "whether a provider's error is told as FHIR, for consumers in assist mode; with the status that it has, 503 for one"
    Gateway                Outcome       "gateway"                  Always "errors A"          "whether the gateway itself is sound, at any stage"
}

impl Check {
    /// The stage that makes it.
    pub const fn stage(self) -> Stage {
        self.row().stage
    }

    /// Its stable name, for configuration, documentation and metrics.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What it looks at, in plain words: the rest of a sentence.
    pub const fn looks_at(self) -> &'static str {
        self.row().looks_at
    }

    /// The section of the specification that it follows.
    pub const fn section(self) -> &'static str {
        self.row().section
    }

    /// Whether its faults may be reported only, for one consumer, until a date.
    pub const fn may_be_reported_only(self) -> bool {
        matches!(self.row().enforced, Enforced::Unless)
    }

    /// Whether a fault of it is a breach of the specification by the request, and not what its sender
    /// may not do, what the practice has not switched on, or what goes wrong with us.
    pub const fn is_of_requests(self) -> bool {
        match self.stage() {
            Stage::Target | Stage::Headers => true,
            Stage::Interaction => !matches!(self, Self::InteractionCarried),
            Stage::Accreditation => matches!(self, Self::ReceiverNamed | Self::ServiceRoot),
            Stage::Token => !matches!(self, Self::IssuerKeys),
            Stage::Limit => !matches!(self, Self::Hops | Self::BodyDeadline),
            Stage::Admit
            | Stage::Agreement
            | Stage::Enablement
            | Stage::Audit
            | Stage::Cache
            | Stage::Upstream
            | Stage::Response
            | Stage::Outcome => false,
        }
    }

    /// The check of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|check| check.name() == name)
    }
}

/// A set of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckSet(u128);

const _: () = assert!(Check::ALL.len() <= 128, "a bit for each check");

impl CheckSet {
    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them, in the order of the contract.
    pub fn iter(self) -> impl Iterator<Item = Check> {
        Check::ALL.iter().copied().filter(move |check| self.0 & (1 << *check as u32) != 0)
    }
}

impl Extend<Check> for CheckSet {
    fn extend<I: IntoIterator<Item = Check>>(&mut self, checks: I) {
        checks.into_iter().for_each(|check| self.0 |= 1 << check as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_stand_in_the_order_of_their_stages() {
        assert!(Check::ALL.is_sorted_by_key(|check| check.stage()));
        for check in Check::ALL {
            assert_eq!(Check::from_name(check.name()), Some(*check), "names are unique");
        }
    }

    #[test]
    fn a_set_holds_each_check_once() {
        let mut set = CheckSet::default();
        assert!(set.is_empty());
        set.extend(Check::ALL.iter().rev().copied());
        set.extend([Check::Tls]);
        assert_eq!(set.iter().collect::<Vec<_>>(), Check::ALL);
    }

    #[test]
    fn only_these_may_be_reported_only() {
        let relaxed = Check::ALL.iter().filter(|check| check.may_be_reported_only());
        let names: Vec<_> = relaxed.map(|check| check.name()).collect();
        assert_eq!(
            names,
            [
                "trace_id",
                "media_type",
                "if_match",
                "issuer",
                "subject",
                "audience",
                "issued_at",
                "lifetime",
                "reason_for_request",
                "scope",
                "resource_elements",
                "requesting_device",
                "requesting_practitioner",
                "nhs_number",
            ]
        );
    }
}
