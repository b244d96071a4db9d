//! What each refusal means on the wire, written down a second time from the specification's tables
//! of errors: a mistake in the product's table must not make its tests agree.

use Coding::{Proxy, ProxyMethod, Spine};

/// Which codes an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    /// GP Connect's: code and display.
    Spine(&'static str, &'static str),
    /// The Spine Secure Proxy's: the status as code, the diagnostics as display.
    Proxy,
    /// The same for its 405.
    ProxyMethod,
}

impl Coding {
    pub(crate) const fn system(self) -> &'static str {
        match self {
            Spine(..) => "https://fhir.nhs.uk/STU3/ValueSet/Spine-ErrorOrWarningCode-1",
            Proxy => "http://fhir.nhs.net/ValueSet/gpconnect-schedule-response-code-1-0",
            ProxyMethod => "https://fhir.nhs.uk/StructureDefinition/spine-operationoutcome-1",
        }
    }
}

/// One word of log and metrics, and what a caller sees of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) word: &'static str,
    pub(crate) status: u16,
    pub(crate) issue: &'static str,
    pub(crate) coding: Coding,
}

const BAD: Coding = Spine("BAD_REQUEST", "Bad request");
const DENIED: Coding = Spine("ACCESS_DENIED", "Access denied");
const RESOURCE: Coding = Spine("INVALID_RESOURCE", "Invalid validation of resource");
const NHS_NUMBER: Coding = Spine("INVALID_NHS_NUMBER", "Invalid NHS number");
const RECORD: Coding = Spine("NO_RECORD_FOUND", "No record found");
const ORGANISATION: Coding = Spine("ORGANISATION_NOT_FOUND", "Organisation not found");
const NOT_BUILT: Coding = Spine("NOT_IMPLEMENTED", "Not implemented");
const SSL: Coding = Spine("ACCESS_DENIED_SSL", "SSL Protocol or Cipher requirements not met");
const INTERNAL: Coding = Spine("INTERNAL_SERVER_ERROR", "Unexpected internal server error");

const fn row(word: &'static str, status: u16, issue: &'static str, coding: Coding) -> Row {
    Row { word, status, issue, coding }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("plain_http",              497, "security",      SSL),
    row("certificate_missing",     496, "security",      SSL),
    row("certificate_refused",     495, "security",      SSL),
    row("terminator_unknown",      495, "security",      SSL),
    row("head_malformed",          400, "invalid",       BAD),
    row("http2_not_offered",       400, "invalid",       BAD),
    row("certificate_claimed",     400, "invalid",       BAD),
    row("certificate_unreadable",  400, "invalid",       BAD),
    row("header_repeated",         400, "invalid",       BAD),
    row("head_timeout",            408, "timeout",       BAD),
    row("head_too_long",           431, "too-long",      BAD),
    row("too_many_headers",        431, "too-long",      BAD),
    row("target_too_long",         414, "too-long",      BAD),
    row("host_not_served",         421, "invalid",       BAD),
    row("body_encoded",            415, "not-supported", Proxy),
    row("overloaded",              503, "transient",     INTERNAL),
    row("method_not_carried",      405, "not-supported", ProxyMethod),
    row("target_ambiguous",        400, "invalid",       BAD),
    row("not_a_gp_connect_path",   404, "not-found",     RECORD),
    row("header_missing",          400, "invalid",       BAD),
    row("header_invalid",          400, "invalid",       BAD),
    row("interaction_unknown",     400, "invalid",       BAD),
    row("interaction_ambiguous",   400, "invalid",       BAD),
    row("interaction_not_carried", 501, "not-supported", NOT_BUILT),
    row("interaction_mismatch",    400, "invalid",       BAD),
    row("logical_id_missing",      404, "not-found",     RECORD),
    row("media_type_unsupported",  415, "not-supported", Proxy),
    row("sender_not_caller",       403, "forbidden",     Proxy),
    row("sender_not_accredited",   403, "forbidden",     Proxy),
    row("practice_unknown",        404, "not-found",     ORGANISATION),
    row("receiver_not_accredited", 403, "forbidden",     Proxy),
    row("receiver_mismatch",       400, "invalid",       BAD),
    row("endpoint_varies",         400, "invalid",       Proxy),
    row("no_agreement",            403, "forbidden",     Proxy),
    row("token_malformed",         400, "invalid",       BAD),
    row("claim_missing",           400, "invalid",       BAD),
    row("claim_unreadable",        400, "invalid",       BAD),
    row("claim_invalid",           400, "invalid",       BAD),
    row("claim_misplaced",         400, "invalid",       BAD),
    row("claim_not_resource",      422, "invalid",       RESOURCE),
    row("claim_element",           422, "invalid",       RESOURCE),
    row("scope_mismatch",          400, "invalid",       BAD),
    row("token_expired",           400, "invalid",       BAD),
    row("organisation_mismatch",   403, "forbidden",     DENIED),
    row("access_token_refused",    400, "invalid",       BAD),
    row("issuer_unavailable",      503, "transient",     INTERNAL),
    row("access_token_unbound",    400, "invalid",       BAD),
    row("access_claim",            400, "invalid",       BAD),
    row("gp_connect_disabled",     403, "forbidden",     DENIED),
    row("capability_disabled",     403, "forbidden",     DENIED),
    row("switched_off",            403, "forbidden",     DENIED),
    row("request_loop",            508, "processing",    INTERNAL),
    row("body_too_long",           413, "too-long",      BAD),
    row("body_timeout",            408, "timeout",       BAD),
    row("body_broken",             400, "invalid",       BAD),
    row("body_unexpected",         400, "invalid",       BAD),
    row("body_unreadable",         400, "invalid",       BAD),
    row("several_patients",        400, "invalid",       BAD),
    row("nhs_number_invalid",      400, "value",         NHS_NUMBER),
    row("audit_unavailable",       503, "transient",     INTERNAL),
    row("upstream_unreachable",    502, "transient",     Proxy),
    row("upstream_not_trusted",    502, "transient",     Proxy),
    row("upstream_invalid",        502, "transient",     Proxy),
    row("upstream_failed",         502, "transient",     Proxy),
    row("upstream_timeout",        504, "transient",     Proxy),
];

/// The row of a word.
pub(crate) fn of(word: &str) -> Row {
    let found = ROWS.iter().find(|row| row.word == word);
    *found.unwrap_or_else(|| panic!("{word} is no word of the contract"))
}

/// Every word that `fault` may have, with those of answers that were cut.
pub(crate) fn words() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.word).chain(["", "answer_cut", "caller_gone", "cut"])
}
