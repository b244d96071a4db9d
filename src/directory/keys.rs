//! Every key of a directory file.

use gpconnect::{
    interaction::{Capability, InteractionId},
    token::AudiencePolicy,
};

use crate::config::{Absent, Form, Key, Kind};

const ODS_CODE: Form = Form::new("an ODS code, as in A20047", "^[A-Z0-9]{3,12}$");
const ASID: Form = Form::new("an ASID, as in 200000000359", "^[0-9]{12}$");
const PARTY_KEY: Form =
    Form::new("a party key, as in A20047-821452", "^[A-Za-z0-9]{3,12}-[0-9]{6,7}$");
const CPA_ID: Form = Form::new("a CPA id, as in S20001A000182", "^[A-Za-z0-9]{1,32}$");
const HOST_NAME: Form = Form::new("a host name, as in epr.rxx01.example", "^[a-z0-9.-]{1,253}$");
const SERVICE_ROOT: Form = Form::new(
    "a service root, as in https://gp.example/A20047/STU3/1/gpconnect",
    "^https://[^/]+/[A-Z0-9]{3,12}/(STU3|DSTU2)/[0-9]+/.*[^/]$",
);
const INTERACTION: Form =
    Form::known("\"1.2.7\" (all seventeen), or the id of an interaction", "\\S", interactions);
const MEMBER: Form = Form::new(
    "an ODS code, or a group as in \"group:north\"",
    "^([A-Z0-9]{3,12}|group:[A-Za-z0-9_-]{1,64})$",
);
const CAPABILITY: Form = Form::known(
    "a capability",
    "^(foundations|appointments|structured|documents|html)$",
    capabilities,
);
const SWITCH: Form = Form::known(
    "a capability with a switch of its own",
    "^(appointments|structured|documents|html)$",
    switches,
);
const UPSTREAM: Form =
    Form::new("the name of an [[upstream]] in gateway.toml", "^[A-Za-z0-9_-]{1,64}$");
const ISSUER: Form =
    Form::new("the name of an [[issuer]] in gateway.toml", "^[A-Za-z0-9_-]{1,64}$");
const RELAXABLE: Form =
    Form::known("a check that may be reported only", "^[a-z_]+$", super::report_only::names);
const DAY: Form = Form::new("a day, as in 2027-01-31", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
const GROUP: Form = Form::new("a name of letters, digits, \"-\", \"_\"", "^[A-Za-z0-9_-]{1,64}$");

fn interactions() -> Vec<&'static str> {
    InteractionId::all().map(InteractionId::short).collect()
}

fn capabilities() -> Vec<&'static str> {
    Capability::ALL.map(Capability::as_str).to_vec()
}

fn switches() -> Vec<&'static str> {
    capabilities().into_iter().filter(|word| *word != Capability::Foundations.as_str()).collect()
}

#[rustfmt::skip]
/// The keys of a directory file. Any section may stand in any of the files.
pub const DIRECTORY: &[Key] = &[
    Key::tables("organisation", ORGANISATION, "Organisations: practices, and those that consumers belong to."),
    Key::tables("provider", PROVIDER, "The systems of practices that answer requests."),
    Key::tables("consumer", CONSUMER, "The systems that send requests."),
    Key::tables("group", GROUP_KEYS, "Organisations under one name, so that agreements and switches stay short."),
    Key::tables("agreement", AGREEMENT, "Data sharing agreements; what none allows is refused."),
    Key::tables("enablement", ENABLEMENT, "What practices have switched on; everything else is off."),
];

#[rustfmt::skip]
const ORGANISATION: &[Key] = &[
    Key::required("ods_code", Kind::Text(ODS_CODE), "\"A20047\"", "its organisation code; each once"),
    Key::required("name", Kind::Text(Form::TEXT), "\"The Avenue Surgery\"", "its name, for people"),
];

#[rustfmt::skip]
const PROVIDER: &[Key] = &[
    Key::required("organisation", Kind::Text(ODS_CODE), "\"A20047\"", "the practice, an [[organisation]]"),
    Key::required("asid", Kind::Text(ASID), "\"918999198993\"", "the system's ASID, which Ssp-To names"),
    Key::required("party_key", Kind::Text(PARTY_KEY), "\"A20047-821452\"", "the key of its message handling server"),
    Key::optional("cpa_id", Kind::Text(CPA_ID), "error texts that name one say \"unknown\"", "The contract id of its directory record."),
    Key::required("upstream", Kind::Text(UPSTREAM), "\"north-supplier\"", "how it is reached, an [[upstream]] of gateway.toml"),
    Key { name: "service_roots", kind: Kind::Table(SERVICE_ROOTS), absent: Absent::Mistake("{ foundations = \"https://...\", structured = \"https://...\" }"), meaning: "the registered base URL of each capability" },
    Key::optional("interactions", Kind::List(INTERACTION, false), "those of 1.2.7 in the capabilities that have a service root", "What it is accredited to receive."),
];

#[rustfmt::skip]
const SERVICE_ROOTS: &[Key] = &[
    Key::optional("foundations", Kind::Text(SERVICE_ROOT), "not offered", "Patients, practitioners, organisations, locations."),
    Key::optional("appointments", Kind::Text(SERVICE_ROOT), "not offered", "Appointment Management; usually the root of foundations."),
    Key::optional("structured", Kind::Text(SERVICE_ROOT), "not offered", "Access Record Structured; a root of its own."),
    Key::optional("documents", Kind::Text(SERVICE_ROOT), "not offered", "Access Documents (not in 1.2.7)."),
    Key::optional("html", Kind::Text(SERVICE_ROOT), "not offered", "Access Record HTML (0.5 and 0.7)."),
];

#[rustfmt::skip]
const CONSUMER: &[Key] = &[
    Key::required("asid", Kind::Text(ASID), "\"200000000359\"", "the system's ASID, which Ssp-From names; each once"),
    Key::required("organisation", Kind::Text(ODS_CODE), "\"RXX01\"", "the organisation that its requests originate from, an [[organisation]]"),
    Key::required("host_name", Kind::Text(HOST_NAME), "\"epr.rxx01.example\"", "the host name in its client certificate"),
    Key::optional("party_key", Kind::Text(PARTY_KEY), "unknown", "The key of its message handling server, which it may share."),
    Key::default("mode", Kind::Word(&["transparent", "assist"]), "\"transparent\"", "\"transparent\": what it sends is not changed and what it leaves out is an error; \"assist\": headers that leave one choice are filled in."),
    Key::required("interactions", Kind::List(INTERACTION, false), "[\"1.2.7\"]", "what it is accredited to send"),
    Key::default("aud_policy", Kind::Word(AudiencePolicy::WORDS), "\"ods\"", "How closely aud in its tokens has to point to the practice. \"ods\": a URL with the practice's ODS code as a segment; \"prefix\": a URL that begins as the service root does, up to the versions; \"exact\": the service root; \"off\": anything."),
    Key::default("token_without_final_dot", Kind::Flag, "false", "Whether its tokens may lack the dot at the end."),
    Key::default("insecure_token_of_any_organisation", Kind::Flag, "false", "Whether its tokens may name another organisation than its own."),
    Key::default("token", Kind::Word(&["gpconnect", "oauth"]), "\"gpconnect\"", "What it sends in Authorization. \"gpconnect\": a GP Connect token of its own, unsigned; \"oauth\": the access token of one of its issuers, of which the gateway makes the GP Connect token."),
    Key::optional("issuers", Kind::List(ISSUER, false), "none; token = \"oauth\" needs it", "Whose access tokens it sends."),
    Key::optional("device_model", Kind::Text(Form::TEXT), "unknown; token = \"oauth\" needs it", "The system's product name, for GP Connect tokens that the gateway makes."),
    Key::optional("device_version", Kind::Text(Form::TEXT), "unknown; token = \"oauth\" needs it", "The system's product version, likewise."),
    Key::default("single_issue", Kind::Flag, "false", "Whether a refusal tells the deciding fault only, as the national proxy does; else also what else is wrong with headers and token."),
    Key::tables("report_only", REPORT_ONLY, "Checks that it is let off for a while: their faults are counted and logged, not enforced."),
];

#[rustfmt::skip]
const REPORT_ONLY: &[Key] = &[
    Key::required("check", Kind::Text(RELAXABLE), "\"audience\"", "the check; each once"),
    Key::required("owner", Kind::Text(Form::TEXT), "\"Supplier desk, ticket 4711\"", "who answers for it"),
    Key::required("until", Kind::Text(DAY), "\"2027-01-31\"", "the last day, in UTC, at most 90 days ahead; from the next one on the check is enforced"),
];

#[rustfmt::skip]
const GROUP_KEYS: &[Key] = &[
    Key::required("name", Kind::Text(GROUP), "\"north\"", "its name; elsewhere \"group:north\" stands for its members"),
    Key::required("members", Kind::List(MEMBER, false), "[\"A20047\", \"group:other\"]", "organisations and other groups"),
];

#[rustfmt::skip]
const AGREEMENT: &[Key] = &[
    Key::required("reference", Kind::Text(Form::TEXT), "\"DSA-1\"", "under what name the agreement is filed; several sections may share one"),
    Key::required("consumers", Kind::List(MEMBER, false), "[\"RXX01\", \"group:hospitals\"]", "the organisations that may ask"),
    Key::required("practices", Kind::List(MEMBER, false), "[\"group:north\"]", "the practices that answer"),
    Key::required("capabilities", Kind::List(CAPABILITY, false), "[\"foundations\", \"appointments\", \"structured\"]", "for what"),
];

#[rustfmt::skip]
const ENABLEMENT: &[Key] = &[
    Key::required("practices", Kind::List(MEMBER, false), "[\"group:north\"]", "the practices whose switches these are; each practice once"),
    Key::default("gp_connect", Kind::Flag, "false", "GP Connect as a whole. Foundations have no other switch."),
    Key::default("capabilities", Kind::List(SWITCH, true), "[]", "The capabilities that are on, if GP Connect is."),
    Key::default("cache", Kind::Flag, "true", "Whether answers of these practices may be kept in memory, where [cache] in gateway.toml keeps any."),
];
