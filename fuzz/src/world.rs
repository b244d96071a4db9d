//! The gateway that inputs are given to: two practices, of which one has all switched off, and
//! three consumers. Everything in it is invented.

use std::{path::Path, sync::LazyLock};

use gpconnect::policy::{ConsumerIndex, Policy};
use gpconnect_gateway::{
    config::{self, Document, Environment, Limits, Notebook, ServerName},
    directory::Directory,
};

/// What a request is judged by.
pub struct World {
    /// Practices, consumers, agreements.
    pub policy: Policy,
    /// What a request may be.
    pub limits: Limits,
    /// What `Host` may say.
    pub server_names: Vec<ServerName>,
    /// Every consumer.
    pub candidates: Vec<ConsumerIndex>,
}

/// The second at which every request arrives.
pub const NOW: i64 = 1_795_420_900;

/// The day of [`NOW`].
pub const TODAY: jiff::civil::Date = jiff::civil::date(2026, 11, 23);

const GATEWAY: &str = r#"
[directory]
files = ["directory.toml"]
[[listener]]
name = "consumers"
address = "127.0.0.1:8080"
server_names = ["gw.example", "localhost:8080"]
insecure_plain_http = true
insecure_everyone_is = ["200000000359"]
[[upstream]]
name = "supplier"
address = "127.0.0.1:19000"
insecure_plain_http = true
"#;

const DIRECTORY: &str = r#"
[[organisation]]
ods_code = "A20047"
name = "The Avenue Surgery"
[[organisation]]
ods_code = "B83617"
name = "Harbour Street Medical Centre"
[[organisation]]
ods_code = "RXX01"
name = "Northern Hospital"
[[organisation]]
ods_code = "RYY02"
name = "Night Call 111"

[[provider]]
organisation = "A20047"
asid = "918999198993"
party_key = "A20047-821452"
upstream = "supplier"
service_roots.foundations = "https://gp.example/A20047/STU3/1/gpconnect"
service_roots.appointments = "https://gp.example/A20047/STU3/1/gpconnect"
service_roots.structured = "https://gp.example/A20047/STU3/1/gpconnect/structured"
[[provider]]
organisation = "B83617"
asid = "918999198994"
party_key = "B83617-821453"
upstream = "supplier"
service_roots.foundations = "https://gp.example/B83617/STU3/1/gpconnect"
service_roots.appointments = "https://gp.example/B83617/STU3/1/gpconnect"

[[enablement]]
practices = ["A20047"]
gp_connect = true
capabilities = ["appointments", "structured"]

[[consumer]]
asid = "200000000359"
organisation = "RXX01"
host_name = "epr.rxx01.example"
interactions = ["1.2.7"]
[[consumer]]
asid = "200000000360"
organisation = "RXX01"
host_name = "portal.rxx01.example"
mode = "assist"
interactions = ["1.2.7"]
[[consumer]]
asid = "200000000361"
organisation = "RYY02"
host_name = "booking.ryy02.example"
interactions = ["fhir:rest:read:metadata-1", "fhir:rest:search:slot-1"]

[[agreement]]
reference = "DSA-1"
consumers = ["RXX01"]
practices = ["A20047", "B83617"]
capabilities = ["foundations", "appointments", "structured"]
[[agreement]]
reference = "DSA-2"
consumers = ["RYY02"]
practices = ["A20047"]
capabilities = ["appointments"]
"#;

/// The one world, built when it is first asked for.
pub fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(build);
    &WORLD
}

fn build() -> World {
    let notebook = Notebook::default();
    let gateway = Document::parse("gateway.toml", GATEWAY, &notebook);
    let environment = Environment::default();
    let (settings, known) = config::read(gateway, &environment, Path::new(""), &notebook);
    let documents = [Document::parse("directory.toml", DIRECTORY, &notebook)];
    let directory = Directory::read(&documents, true, &known, TODAY, &notebook);
    let (mistakes, _) = notebook.into_findings();
    assert!(mistakes.is_empty(), "{mistakes}");
    let settings = settings.expect("settings without a mistake");
    let Directory { organisations, practices, consumers, agreements } = directory;
    let candidates = (0..3).map(ConsumerIndex).collect();
    let agreements = agreements.pairs(&organisations);
    World {
        policy: Policy::new(practices, consumers, agreements, known.carried),
        limits: settings.limits,
        server_names: settings.listeners[0].server_names.clone(),
        candidates,
    }
}
