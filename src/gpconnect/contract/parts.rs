//! The parts of a request that a fault can be about: its headers and the claims of its token.

use std::fmt;

use super::Check;

/// A header that the decision asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Header {
    /// `Host`.
    Host,
    /// `Ssp-TraceID`.
    TraceId,
    /// `Ssp-From`.
    From,
    /// `Ssp-To`.
    To,
    /// `Ssp-InteractionID`.
    InteractionId,
    /// `If-Match`.
    IfMatch,
    /// `Authorization`.
    Authorization,
}

impl Header {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "Host",
            Self::TraceId => "Ssp-TraceID",
            Self::From => "Ssp-From",
            Self::To => "Ssp-To",
            Self::InteractionId => "Ssp-InteractionID",
            Self::IfMatch => "If-Match",
            Self::Authorization => "Authorization",
        }
    }

    /// The check that asks for it.
    pub const fn presence(self) -> Check {
        match self {
            Self::Host => Check::HeadForm,
            Self::TraceId | Self::From | Self::To | Self::InteractionId => Check::SspHeaders,
            Self::IfMatch => Check::IfMatch,
            Self::Authorization => Check::Authorization,
        }
    }

    /// The check that looks at its form.
    pub const fn syntax(self) -> Check {
        match self {
            Self::Host => Check::HeadForm,
            Self::TraceId => Check::TraceId,
            Self::From | Self::To | Self::InteractionId => Check::SspSyntax,
            Self::IfMatch => Check::IfMatch,
            Self::Authorization => Check::Authorization,
        }
    }
}

impl fmt::Display for Header {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// A claim of the GP Connect token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// `iss`: who made the token.
    Iss,
    /// `sub`: the user's id.
    Sub,
    /// `aud`: whom it is for.
    Aud,
    /// `iat`: when it was made.
    Iat,
    /// `exp`: when it ends.
    Exp,
    /// `reason_for_request`.
    ReasonForRequest,
    /// `requested_scope`.
    RequestedScope,
    /// `requesting_device`.
    RequestingDevice,
    /// `requesting_organization`.
    RequestingOrganization,
    /// `requesting_practitioner`.
    RequestingPractitioner,
    /// `requested_record`, in 0.x only.
    RequestedRecord,
}

impl Claim {
    /// All of them, in the order of the specification.
    pub const ALL: [Self; 11] = [
        Self::Iss,
        Self::Sub,
        Self::Aud,
        Self::Iat,
        Self::Exp,
        Self::ReasonForRequest,
        Self::RequestedScope,
        Self::RequestingDevice,
        Self::RequestingOrganization,
        Self::RequestingPractitioner,
        Self::RequestedRecord,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iss => "iss",
            Self::Sub => "sub",
            Self::Aud => "aud",
            Self::Iat => "iat",
            Self::Exp => "exp",
            Self::ReasonForRequest => "reason_for_request",
            Self::RequestedScope => "requested_scope",
            Self::RequestingDevice => "requesting_device",
            Self::RequestingOrganization => "requesting_organization",
            Self::RequestingPractitioner => "requesting_practitioner",
            Self::RequestedRecord => "requested_record",
        }
    }

    /// What belongs there, for people.
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Iss => "a string with the consumer's URL",
            Self::Sub => "a string with the user's id",
            Self::Aud => "a string with the practice's service root",
            Self::Iat => "a whole number of seconds since 1970",
            Self::Exp => "a whole number, 300 more than iat",
            Self::ReasonForRequest => "a string such as directcare",
            Self::RequestedScope => "a string such as patient/*.read",
            Self::RequestingDevice => "a FHIR Device",
            Self::RequestingOrganization => "a FHIR Organization",
            Self::RequestingPractitioner => "a FHIR Practitioner",
            Self::RequestedRecord => "a FHIR Patient or Organization",
        }
    }

    /// The FHIR type that belongs there; nothing for a simple claim.
    pub const fn resource(self) -> &'static str {
        match self {
            Self::RequestingDevice => "Device",
            Self::RequestingOrganization => "Organization",
            Self::RequestingPractitioner => "Practitioner",
            Self::RequestedRecord => "Patient or Organization",
            Self::Iss
            | Self::Sub
            | Self::Aud
            | Self::Iat
            | Self::Exp
            | Self::ReasonForRequest
            | Self::RequestedScope => "",
        }
    }

    /// The check of its value.
    pub const fn value(self) -> Check {
        match self {
            Self::Iss => Check::Issuer,
            Self::Sub => Check::Subject,
            Self::Aud => Check::Audience,
            Self::Iat => Check::IssuedAt,
            Self::Exp => Check::Lifetime,
            Self::ReasonForRequest => Check::ReasonForRequest,
            Self::RequestedScope => Check::Scope,
            Self::RequestingDevice => Check::RequestingDevice,
            Self::RequestingOrganization => Check::RequestingOrganization,
            Self::RequestingPractitioner => Check::RequestingPractitioner,
            Self::RequestedRecord => Check::ResourceType,
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
