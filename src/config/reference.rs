//! Every key of gateway.toml.

use std::time::Duration;

use gpconnect::{
    caching::{LONGEST_FAILING, LONGEST_FRESH, LONGEST_STALE},
    interaction::InteractionId,
    token::access::Algorithm,
};

use super::keys::{Absent, Form, Key, Kind};

const PROCESSORS: &str = "one for each processor, at most 16";

const PLAIN_UPSTREAM: &str = "an upstream without a tls table is spoken to in plain HTTP; add \
                              [upstream.tls], or write insecure_plain_http = true to say that you \
                              accept it";
const PLAIN_LISTENER: &str = "a listener without a tls table speaks plain HTTP; add [listener.tls], \
                              or write insecure_plain_http = true to say that you accept it";
const PLAIN_COLLECTOR: &str = "spans would go over the network in plain HTTP; write an https address, \
                               or insecure_plain_http = true to say that you accept it";
const PINNED_ONLY: &str = "socket must be there";

const ASIDS: Form = Form::new("an ASID, as in 200000000359", "^[0-9]{12}$");
const SOCKET: Form = Form::new("an address and a port, as in 127.0.0.1:8080", "^.+:[0-9]+$");
const SERVER_NAME: Form = Form::new("host or host:port", "^[a-z0-9.\\[\\]:-]+$");
const UPSTREAM: Form = Form::new("host:port", "^[a-z0-9.\\[\\]:-]+:[0-9]+$");
const FILE: Form = Form::new("a file, relative to the folder of this one", "\\S");
const FOLDER: Form = Form::new("a folder, relative to that of this file", "\\S");
const HOST: Form = Form::new("a host name in lower case, as in gp.example", "^[a-z0-9.-]+$");
const NAME: Form = Form::new("a name of letters, digits, \"-\", \"_\"", "^[A-Za-z0-9_-]{1,64}$");
const UID: Form = Form::new("the number of a user, as in \"1000\"", "^[0-9]+$");
const SHA256: Form = Form::new(
    "the SHA-256 of a certificate, as in \"3f:a1:...\", 32 pairs of hexadecimal digits",
    "^([0-9A-Fa-f]{2}:?){32}$",
);
const UNIX_SOCKET: Form = Form::new("the absolute path of a Unix socket", "^/");
const NEIGHBOUR: Form = Form::known("the id of an interaction", "\\S", neighbours);

const WITNESS_URL: Form = Form::new("an https address", "^https?://[^#@]+$");
const COLLECTOR_URL: Form = Form::new("an address of https or http", "^https?://[^#@]+$");
const PERCENTAGE: Form =
    Form::new("a percentage, as in \"0.5%\"", "^[0-9]{1,3}(\\.[0-9]{1,4})? *%$");
const KEYS_URL: Form = Form::new("an https address", "^https://[^#@]+$");
const CLAIM: Form = Form::new("the name of a claim, or names joined by dots", "^[!-~]{1,256}$");
const ALGORITHM: Form =
    Form::known("an algorithm with a public key, as in ES256", "\\S", algorithms);

fn algorithms() -> Vec<&'static str> {
    Algorithm::ALL.into_iter().map(Algorithm::as_str).collect()
}

fn neighbours() -> Vec<&'static str> {
    InteractionId::all().filter(|id| !id.row().in_1_2_7).map(InteractionId::short).collect()
}

/// From a millisecond to so many minutes.
const fn minutes(most: u64) -> Kind {
    Kind::Time(Duration::from_millis(1), Duration::from_secs(60 * most))
}

/// From nothing to this long.
const fn up_to(most: Duration) -> Kind {
    Kind::Time(Duration::ZERO, most)
}

#[rustfmt::skip]
/// The keys of gateway.toml.
pub const GATEWAY: &[Key] = &[
    Key::table("server", SERVER, "The process as a whole."),
    Key { name: "directory", kind: Kind::Table(DIRECTORY), absent: Absent::Means("a mistake"), meaning: "Where practices, consumers and agreements are written." },
    Key::tables("listener", LISTENER, "Where consumers connect to."),
    Key::table("observe", OBSERVE, "Where metrics and health are read."),
    Key::table("admin", ADMIN, "Where operations ask and give orders."),
    Key::tables("upstream", UPSTREAMS, "How the systems of practices are reached."),
    Key::tables("issuer", ISSUERS, "Whose access tokens are believed: of consumer systems with token = \"oauth\"."),
    Key::table("interactions", INTERACTIONS, "What is carried besides the interactions of GP Connect 1.2.7."),
    Key::table("checks", CHECKS, "What is checked although it is for the practice's system to say."),
    Key::table("refusals", REFUSALS, "How refusals are written where the specification leaves a choice."),
    Key::table("limits", LIMITS, "What a request may be, and how many at once."),
    Key::table("timeouts", TIMEOUTS, "How long anything is waited for."),
    Key { name: "cache", kind: Kind::Table(CACHE), absent: Absent::Means("nothing is kept"), meaning: "Answers that are kept in memory: capability statements and organisations, which hold no patient." },
    Key::table("gateway", ITSELF, "The gateway as one who asks."),
    Key::table("log", LOG, "The log."),
    Key::table("audit", AUDIT, "The journal of every access. It can't be switched off."),
    Key { name: "traces", kind: Kind::Table(TRACES), absent: Absent::Means("no spans are made"), meaning: "Spans of requests, for a collector of OpenTelemetry. They name no patient." },
];

#[rustfmt::skip]
const SERVER: &[Key] = &[
    Key::optional("threads", Kind::Number(1, 256), PROCESSORS, "Threads that carry requests."),
    Key::default("notice", Kind::Time(Duration::ZERO, Duration::from_secs(600)), "\"0s\"", "How long a stopping gateway still takes requests while /readyz is red, so that balancers turn to others first."),
    Key::default("drain", Kind::Time(Duration::ZERO, Duration::from_secs(600)), "\"5s\"", "How long a stopping gateway lets requests finish."),
];

#[rustfmt::skip]
const DIRECTORY: &[Key] = &[
    Key::required("files", Kind::List(FILE, false), "[\"practices.toml\", \"consumers.toml\", \"agreements.toml\"]", "the files with practices, consumers and agreements"),
];

#[rustfmt::skip]
const LISTENER: &[Key] = &[
    Key::required("name", Kind::Text(NAME), "\"consumers\"", "its name in logs and metrics"),
    Key::optional("address", Kind::Text(SOCKET), "behind_terminator.socket must be there", "The address and port to listen at."),
    Key::required("server_names", Kind::List(SERVER_NAME, false), "[\"localhost:8080\"]", "what a request's Host may say; any other is answered 421"),
    Key::optional("insecure_plain_http", Kind::Consent(PLAIN_LISTENER), "a tls table must be there", "Plain HTTP, without proof of who is calling; at a loopback address only."),
    Key::optional("insecure_everyone_is", Kind::List(ASIDS, false), "a tls table must be there", "The ASIDs of the consumer systems that every caller of a plain listener may be; with one, callers need no Ssp-From in assist mode."),
    Key { name: "tls", kind: Kind::Table(LISTENER_TLS), absent: Absent::Means("plain HTTP"), meaning: "TLS with client certificates, which say who is calling." },
    Key { name: "behind_terminator", kind: Kind::Table(TERMINATOR), absent: Absent::Means("callers come without a terminator of TLS"), meaning: "In place of tls: another program speaks TLS with the callers and tells of their certificates in Client-Cert and Client-Cert-Chain (RFC 9440)." },
];

#[rustfmt::skip]
const TERMINATOR: &[Key] = &[
    Key::optional("certificate", Kind::Text(FILE), PINNED_ONLY, "The listener's certificate and those that lead to its authority, in PEM: it is shown to the terminator."),
    Key::optional("key", Kind::Text(FILE), PINNED_ONLY, "The key of the certificate, in PEM; others must not be able to read it."),
    Key::optional("terminators", Kind::List(SHA256, false), PINNED_ONLY, "The SHA-256 of the certificates that terminators show; several while one is replaced."),
    Key::optional("socket", Kind::Text(UNIX_SOCKET), "address, certificate, key and terminators must be there", "In place of address, certificate, key and terminators: a Unix socket for a terminator on this machine."),
    Key::optional("socket_uids", Kind::List(UID, false), "the gateway's own", "The users whose programs may use the socket."),
    Key::required("client_authorities", Kind::List(FILE, false), "[\"consumers-ca.pem\"]", "the authorities of client certificates, up to their roots, in PEM"),
    Key::required("revocation_lists", Kind::List(FILE, false), "[\"consumers-ca.crl\"]", "the revocation list of each of those authorities, in PEM or DER"),
];

#[rustfmt::skip]
const LISTENER_TLS: &[Key] = &[
    Key::required("certificate", Kind::Text(FILE), "\"gateway.pem\"", "its certificate and those that lead to its authority, in PEM"),
    Key::required("key", Kind::Text(FILE), "\"gateway.key\"", "the key of the certificate, in PEM; others must not be able to read it"),
    Key::required("client_authorities", Kind::List(FILE, false), "[\"consumers-ca.pem\"]", "the authorities of client certificates, up to their roots, in PEM"),
    Key::required("revocation_lists", Kind::List(FILE, false), "[\"consumers-ca.crl\"]", "the revocation list of each of those authorities, in PEM or DER"),
    Key::default("profile", Kind::Word(&["modern", "gp-connect"]), "\"modern\"", "\"modern\": TLS 1.2 and 1.3; \"gp-connect\": TLS 1.2 with the cipher suites that GP Connect prescribes."),
    Key::default("refusal", Kind::Word(&["http", "handshake"]), "\"http\"", "How a caller without an acceptable certificate is told: \"http\" answers 495 or 496 and closes, \"handshake\" fails the handshake."),
    Key::optional("dh_parameters", Kind::Text(FILE), "ffdhe2048 of RFC 7919", "Diffie-Hellman parameters for profile \"gp-connect\", of at least 2048 bits, in PEM."),
];

#[rustfmt::skip]
const OBSERVE: &[Key] = &[
    Key::default("address", Kind::Text(SOCKET), "\"127.0.0.1:9090\"", "Where /metrics, /livez and /readyz are served. They name no patient, but who may read them is the network's to say."),
];

#[rustfmt::skip]
const ADMIN: &[Key] = &[
    Key::default("state", Kind::Text(FOLDER), "\"state\"", "The folder of what belongs to the running gateway: what operations have switched off, and a socket of the admin API for its own user and root."),
    Key::optional("socket", Kind::Text(UNIX_SOCKET), "only the one in state", "A further Unix socket of the admin API."),
    Key::optional("socket_uids", Kind::List(UID, false), "the gateway's own, and root", "The users who may use that socket, in every role."),
    Key::optional("address", Kind::Text(SOCKET), "no TCP", "The address and port of the admin API for callers with tokens. Plain HTTP, so a loopback address only."),
    Key::optional("server_names", Kind::List(SERVER_NAME, false), "address must be absent too", "What a call's Host may say at that address; any other is answered 421."),
    Key::optional("tokens", Kind::Text(FILE), "address must be absent too", "Who may call at that address: name, roles and SHA-256 of each token, one a line; read again on reload. gpconnect-gateway admin token makes one."),
];

#[rustfmt::skip]
const UPSTREAMS: &[Key] = &[
    Key::required("name", Kind::Text(NAME), "\"north-supplier\"", "its name; providers refer to it"),
    Key::required("address", Kind::Text(UPSTREAM), "\"127.0.0.1:19000\"", "the host and port to connect to, whatever host stands in service roots"),
    Key::default("connection", Kind::Word(&["direct", "proxy"]), "\"direct\"", "\"direct\": the practices' own systems; \"proxy\": a proxy such as the national one, requests go to it in proxy form."),
    Key::optional("insecure_plain_http", Kind::Consent(PLAIN_UPSTREAM), "a tls table must be there", "Plain HTTP towards this upstream."),
    Key { name: "tls", kind: Kind::Table(UPSTREAM_TLS), absent: Absent::Means("plain HTTP"), meaning: "TLS with certificates of both ends." },
];

#[rustfmt::skip]
const UPSTREAM_TLS: &[Key] = &[
    Key::required("certificate", Kind::Text(FILE), "\"gateway.pem\"", "our own certificate and those that lead to its authority, in PEM"),
    Key::required("key", Kind::Text(FILE), "\"gateway.key\"", "the key of the certificate, in PEM; others must not be able to read it"),
    Key::required("authorities", Kind::List(FILE, false), "[\"providers-ca.pem\"]", "the authorities of the upstream's certificates, up to their roots, in PEM"),
    Key::required("revocation_lists", Kind::List(FILE, false), "[\"providers-ca.crl\"]", "the revocation list of each of those authorities, in PEM or DER"),
    Key::optional("server_name", Kind::Text(HOST), "the host of the practice's service root; behind connection = \"proxy\" that of the address", "The host that the upstream's certificate must name."),
    Key::default("minimum_version", Kind::Word(&["1.2", "1.3"]), "\"1.2\"", "The oldest version of TLS."),
];

#[rustfmt::skip]
const ISSUERS: &[Key] = &[
    Key::required("name", Kind::Text(NAME), "\"trust\"", "its name in logs and metrics; consumers refer to it"),
    Key::required("issuer", Kind::Text(Form::TEXT), "\"https://id.trust.example/\"", "what iss says in its tokens, letter by letter"),
    Key::required("audience", Kind::List(Form::TEXT, false), "[\"https://gateway.example/\"]", "what aud may say in tokens that are for this gateway"),
    Key::optional("jwks_file", Kind::Text(FILE), "jwks_url must be there", "Its keys, as a JSON Web Key Set; read again when the file changes."),
    Key::optional("jwks_url", Kind::Text(KEYS_URL), "jwks_file must be there", "Where its keys are fetched: an https address that answers a JSON Web Key Set itself. Redirects are not followed."),
    Key::optional("jwks_authorities", Kind::Text(FILE), "those of the system", "The authorities of the certificate behind jwks_url, in PEM; read at the start and on reload."),
    Key::default("jwks_refresh", Kind::Time(Duration::from_secs(60), Duration::from_secs(86_400)), "\"15m\"", "How often keys are fetched again. A token that names an unknown key has them fetched at once, at most every 30 seconds."),
    Key::default("algorithms", Kind::List(ALGORITHM, false), "[\"RS256\", \"PS256\", \"ES256\", \"EdDSA\"]", "How its tokens may be signed."),
    Key::default("cnf", Kind::Word(&["required", "optional"]), "\"required\"", "\"required\": a token says by cnf.x5t#S256 (RFC 8705) to which client certificate it was given; \"optional\": one that does not say is good for whoever holds it."),
    Key::default("longest", Kind::Time(Duration::from_secs(1), Duration::from_secs(3_600)), "\"1h\"", "How long its tokens may live, from iat to exp."),
    Key::table("claims", ISSUER_CLAIMS, "What its claims are called: names, joined by dots where they stand in each other."),
];

#[rustfmt::skip]
const ISSUER_CLAIMS: &[Key] = &[
    Key::default("user_id", Kind::Text(CLAIM), "\"sub\"", "The user's id."),
    Key::default("family_name", Kind::Text(CLAIM), "\"family_name\"", "The user's family name."),
    Key::default("given_name", Kind::Text(CLAIM), "\"given_name\"", "The user's given name."),
    Key::optional("prefix", Kind::Text(CLAIM), "no prefix", "What stands before the name; the claim may be missing."),
    Key::optional("sds_user_id", Kind::Text(CLAIM), "UNK", "The user's SDS user id; the claim may be missing."),
    Key::optional("role", Kind::Text(CLAIM), "UNK", "The user's SDS role profile; the claim may be missing."),
    Key::default("organisation", Kind::Text(CLAIM), "\"ods_code\"", "The ODS code of the user's organisation."),
    Key::optional("device", Kind::Text(CLAIM), "the ASID of the sending system", "The user's device; the claim may be missing."),
];

#[rustfmt::skip]
const INTERACTIONS: &[Key] = &[
    Key::default("also", Kind::List(NEIGHBOUR, true), "[]", "Interactions of other versions that are carried too, as in \"documents:fhir:rest:read:binary-1\"."),
];

#[rustfmt::skip]
const CHECKS: &[Key] = &[
    Key::default("nhs_number", Kind::Flag, "false", "Whether an NHS number in a query or a body must have ten digits and the right check digit; else 400."),
];

#[rustfmt::skip]
const REFUSALS: &[Key] = &[
    Key::default("bearer_errors", Kind::Word(&["gpconnect", "rfc6750"]), "\"gpconnect\"", "\"gpconnect\": what is wrong with a token is answered 400; \"rfc6750\": 401, and 403 for its scope. WWW-Authenticate says more in both."),
    Key::default("error_coding_system", Kind::Word(&["valueset", "codesystem"]), "\"valueset\"", "\"valueset\": the system of error codes as GP Connect 1.2.7 writes it; \"codesystem\": as newer versions do."),
];

#[rustfmt::skip]
const LIMITS: &[Key] = &[
    Key::default("head_bytes", Kind::Size(1024, (1 << 20) - 1), "32768", "The request line and all headers together; beyond it 431."),
    Key::default("headers", Kind::Number(10, 256), "100", "Header lines of a request; beyond it 431."),
    Key::default("target_bytes", Kind::Size(256, 65_534), "8192", "The request target; beyond it 414."),
    Key::default("body_bytes", Kind::Size(1, 65_536), "65536", "The request body, which is held whole; beyond it 413."),
    Key::default("token_bytes", Kind::Size(256, 1 << 20), "16384", "The token in Authorization; beyond it 400."),
    Key::default("connections", Kind::Number(1, 1_000_000), "10000", "Connections of all consumers; further ones are answered 503 and closed, over TLS only closed."),
    Key::default("in_flight", Kind::Number(1, 1_000_000), "2000", "Requests at once; further ones are answered 503."),
];

#[rustfmt::skip]
const TIMEOUTS: &[Key] = &[
    Key::default("handshake", minutes(1), "\"10s\"", "A TLS handshake with a consumer, from its connection to its end."),
    Key::default("head", minutes(5), "\"10s\"", "From the first byte of a request to the end of its headers."),
    Key::default("body", minutes(10), "\"30s\"", "From the end of a request's headers to the end of its body."),
    Key::default("idle", minutes(60), "\"60s\"", "A consumer's connection without a request."),
    Key::default("connect", minutes(1), "\"2s\"", "The connection to an upstream."),
    Key::default("query", minutes(10), "\"30s\"", "A provider's silence after a query: before its answer, and within it."),
    Key::default("command", minutes(10), "\"10s\"", "A provider's silence after a command (register, book, amend, cancel): before its answer, and within it."),
    Key::default("consumer_stall", minutes(10), "\"30s\"", "A consumer that takes nothing of its answer."),
    Key::default("exchange", minutes(1440), "\"10m\"", "A request from its first byte to the last byte of its answer."),
    Key::default("upstream_idle", minutes(60), "\"50s\"", "A connection to an upstream without a request. Less than the provider's own, so that none is closed under a request."),
];

#[rustfmt::skip]
const CACHE: &[Key] = &[
    Key::default("enabled", Kind::Flag, "true", "Whether answers are kept at all."),
    Key::default("bytes", Kind::Size(1 << 20, 1 << 36), "\"64 MiB\"", "What all answers together may take."),
    Key::default("entry_bytes", Kind::Size(1 << 10, 16 << 20), "\"1 MiB\"", "The largest answer that is kept."),
    Key::default("statement_fresh", up_to(LONGEST_FRESH), "\"15m\"", "How long a capability statement is good."),
    Key::default("statement_stale", up_to(LONGEST_STALE), "\"5m\"", "How long behind that it is given while the provider is asked again."),
    Key::default("statement_if_error", up_to(LONGEST_FAILING), "\"10m\"", "How long behind that it is given when the provider fails."),
    Key::default("organisation_fresh", up_to(LONGEST_FRESH), "\"15m\"", "How long an organisation that was read by its id is good."),
    Key::default("organisation_stale", up_to(LONGEST_STALE), "\"5m\"", "How long behind that it is given while the provider is asked again."),
    Key::default("organisation_if_error", up_to(LONGEST_FAILING), "\"1h\"", "How long behind that it is given when the provider fails."),
    Key::default("search_fresh", up_to(LONGEST_FRESH), "\"15m\"", "How long an organisation that was found by its ODS code is good."),
    Key::default("search_stale", up_to(LONGEST_STALE), "\"5m\"", "How long behind that it is given while the provider is asked again."),
    Key::default("search_if_error", up_to(LONGEST_FAILING), "\"1h\"", "How long behind that it is given when the provider fails."),
    Key::default("search_empty", up_to(Duration::from_secs(300)), "\"30s\"", "How long the answer that no organisation was found is good."),
];

#[rustfmt::skip]
const ITSELF: &[Key] = &[
    Key { name: "identity", kind: Kind::Table(IDENTITY), absent: Absent::Means("the gateway asks nothing of its own accord"), meaning: "As which consumer system the gateway asks of its own accord: for answers in memory before they are stale, and for practices' capability statements." },
];

#[rustfmt::skip]
const IDENTITY: &[Key] = &[
    Key::required("asid", Kind::Text(ASIDS), "\"200000000399\"", "the ASID of the gateway itself; a [[consumer]] of the directory has it"),
    Key::required("iss", Kind::Text(Form::TEXT), "\"https://gateway.example/\"", "its own URL: iss in its tokens, and the start of its own identifier systems"),
    Key::required("user_id", Kind::Text(Form::TEXT), "\"duty-1\"", "the id of the person who answers for what it asks; GP Connect has no users but persons"),
    Key::required("family_name", Kind::Text(Form::TEXT), "\"Okafor\"", "the family name of that person"),
    Key::required("given_name", Kind::Text(Form::TEXT), "\"Ada\"", "the given name of that person"),
    Key::optional("prefix", Kind::Text(Form::TEXT), "no prefix", "What stands before the name."),
    Key::optional("sds_user_id", Kind::Text(Form::TEXT), "UNK", "The person's SDS user id."),
    Key::optional("role_profile", Kind::Text(Form::TEXT), "UNK", "The person's SDS role profile id."),
    Key::optional("device_id", Kind::Text(Form::TEXT), "its ASID", "The id of the device in its tokens."),
    Key::default("refresh", Kind::Flag, "true", "Whether answers in memory that consumers have asked for within an hour are asked for anew before they are stale."),
    Key::default("crawl", Kind::Flag, "true", "Whether each practice is asked for its capability statements."),
    Key::default("crawl_every", Kind::Time(Duration::from_secs(60), Duration::from_secs(7 * 86_400)), "\"24h\"", "How old what is known of a capability statement gets before it is asked for again."),
    Key::default("requests_per_minute", Kind::Number(1, 600), "30", "How many requests it sends in a minute at most, over all practices."),
];

#[rustfmt::skip]
const LOG: &[Key] = &[
    Key::default("format", Kind::Word(&["auto", "json", "logfmt", "human"]), "\"auto\"", "\"json\": one object a line; \"logfmt\": the same as name=value; \"human\": for a terminal; \"auto\": human on a terminal, else json."),
    Key::optional("file", Kind::Text(FILE), "standard output", "Where the log goes; reopened on SIGHUP."),
];

#[rustfmt::skip]
const WITNESSES: &[Key] = &[
    Key::required("name", Kind::Text(NAME), "\"region\"", "its name in logs and metrics"),
    Key::required("url", Kind::Text(WITNESS_URL), "\"https://witness.example/gateway1\"", "where it takes checkpoints: https, or http at an address of this machine; redirects are not followed"),
    Key::optional("authorities", Kind::Text(FILE), "those of the system", "The authorities of its certificate, in PEM."),
    Key::optional("certificate", Kind::Text(FILE), "none is shown", "The certificate that it knows us by and those that lead to its authority, in PEM."),
    Key::optional("key", Kind::Text(FILE), "none is shown", "The key of the certificate, in PEM; others must not be able to read it."),
    Key::optional("token_file", Kind::Text(FILE), "no Authorization is sent", "The bearer token that it knows us by; others must not be able to read it."),
];

#[rustfmt::skip]
const AUDIT: &[Key] = &[
    Key::default("directory", Kind::Text(FOLDER), "\"audit\"", "The folder of the journal, on a disk of its own where possible."),
    Key::default("signing_key", Kind::Text(FILE), "\"audit-keys/signing.key\"", "The key that signs checkpoints, and the journal's name in it; others must not be able to read it."),
    Key::default("search_key", Kind::Text(FILE), "\"audit-keys/search.key\"", "The key of the hashes that records are searched by; others must not be able to read it."),
    Key::default("recipients", Kind::Text(FILE), "\"audit-keys/recipients.txt\"", "The public keys of those who may read identifiers, age1..., one a line."),
    Key::optional("checkpoints", Kind::List(FOLDER, false), "checkpoints stay on this machine, and it is warned of", "Folders on other machines' disks, for copies of checkpoints."),
    Key::tables("witness", WITNESSES, "Places that checkpoints are sent to by HTTP POST."),
    Key::default("log_checkpoints", Kind::Flag, "false", "Whether each checkpoint is a line of the log too: for a log that leaves this machine."),
    Key::default("segment_bytes", Kind::Size(1 << 20, 1 << 32), "\"64 MiB\"", "A segment of this size is followed by a new one."),
    Key::default("segment_age", Kind::Time(Duration::from_secs(60), Duration::from_secs(31 * 86_400)), "\"24h\"", "A segment of this age is followed by a new one."),
    Key::default("reserve_bytes", Kind::Size(1 << 20, 1 << 30), "\"16 MiB\"", "Room on the journal's disk that is kept for how requests under way end when it is full; while there is none, requests are refused."),
    Key::optional("keep", Kind::Time(Duration::from_secs(86_400), Duration::from_secs(36_500 * 86_400)), "nothing is removed for its age", "Whole segments are removed when their last record is older than this, as in \"2555d\"; the journal says so."),
    Key::optional("keep_bytes", Kind::Size(1 << 26, 1 << 50), "nothing is removed for its size", "The oldest segments are removed when all together, as they are on the disk, are larger than this; the journal says so."),
];

#[rustfmt::skip]
const TRACES: &[Key] = &[
    Key::required("endpoint", Kind::Text(COLLECTOR_URL), "\"https://collector.example:4317\"", "where the collector takes OTLP: https, or http; for http/protobuf /v1/traces is added where no path is written. Redirects are not followed"),
    Key::default("protocol", Kind::Word(&["grpc", "http/protobuf"]), "\"grpc\"", "What is spoken: \"grpc\", usually at port 4317, or \"http/protobuf\", usually at port 4318."),
    Key::default("ratio", Kind::Text(PERCENTAGE), "\"1%\"", "Of how many requests spans are made, by chance."),
    Key::default("callers_per_second", Kind::Number(0, 100_000), "10", "Of how many requests a second spans are made because traceparent says that the caller traces them; beyond it, chance decides."),
    Key::default("slow", Kind::Time(Duration::from_millis(1), Duration::from_secs(600)), "\"1s\"", "A request that takes so long, and had no spans, gets one afterwards, as do those that fail; at most 100 a second."),
    Key::optional("headers_file", Kind::Text(FILE), "no further headers are sent", "Headers that go with each batch, as name: value, one a line; others must not be able to read it."),
    Key::optional("authorities", Kind::Text(FILE), "those of the system", "The authorities of the collector's certificate, in PEM."),
    Key::optional("certificate", Kind::Text(FILE), "none is shown", "The certificate that it knows us by and those that lead to its authority, in PEM."),
    Key::optional("key", Kind::Text(FILE), "none is shown", "The key of the certificate, in PEM; others must not be able to read it."),
    Key::optional("insecure_plain_http", Kind::Consent(PLAIN_COLLECTOR), "https, or an address of this machine", "Plain HTTP to a collector beyond this machine."),
];
