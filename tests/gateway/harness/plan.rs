//! What a world is to be like, and the configuration files that make a gateway of it.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use gpconnect_gateway::simulator::{Clock, Estate};
use openssl::ssl::SslContext;

use super::{HOST, Mode, ORGANISATION};

/// A Monday morning: the simulator's diary is the same whenever a test runs.
pub(crate) const MONDAY: &str = "2026-11-23T08:00:00Z";

/// The wishes of a test; [`Plan::default`] is a good world.
pub(crate) struct Plan {
    /// How many practices the simulator plays; the first is `A20047`.
    pub(crate) practices: usize,
    /// Another address for them than the simulator's.
    pub(crate) upstream: Option<SocketAddr>,
    /// What the simulator speaks TLS with, and the `[upstream.tls]` to reach it by.
    pub(crate) tls: Option<(SslContext, String)>,
    /// `direct` or `proxy`.
    pub(crate) connection: &'static str,
    /// The next proxy, and which practices stand behind it.
    pub(crate) onward: Option<Onward>,
    /// Which practices stand at an address that refuses connections.
    pub(crate) refusing: Vec<usize>,
    /// What follows in gateway.toml, for instance `[timeouts]`.
    pub(crate) settings: String,
    /// All of consumers.toml: organisation, consumers, agreement, switches.
    pub(crate) consumers: String,
    /// Environment variables of the gateway.
    pub(crate) environment: Vec<(String, String)>,
    /// How many of the last requests the simulator keeps to show.
    pub(crate) recorded: usize,
    /// The simulator's clock; the gateway's is the machine's.
    pub(crate) clock: Clock,
}

/// A next proxy.
pub(crate) struct Onward {
    pub(crate) address: SocketAddr,
    /// The `[upstream.tls]` to reach it by, or the consent to do without.
    pub(crate) tls: String,
    /// The places of the practices behind it.
    pub(crate) places: Vec<usize>,
}

/// The name of its upstream.
pub(crate) const ONWARD: &str = "national";

impl Default for Plan {
    fn default() -> Self {
        Self {
            practices: 3,
            upstream: None,
            tls: None,
            connection: "direct",
            onward: None,
            refusing: Vec::new(),
            settings: String::new(),
            consumers: consumers(),
            environment: Vec::new(),
            recorded: 1_000,
            clock: Clock::fixed(MONDAY.parse().unwrap()),
        }
    }
}

impl Plan {
    /// Draws the practices, some of them behind the address that refuses.
    pub(crate) fn estate(&self) -> Estate {
        let mut estate = Estate::generate(1, self.practices);
        for place in &self.refusing {
            let code = estate.practices()[*place].ods_code;
            assert!(estate.move_behind(code, "refusing"));
        }
        for place in self.onward.iter().flat_map(|onward| &onward.places) {
            let code = estate.practices()[*place].ods_code;
            assert!(estate.move_behind(code, ONWARD));
        }
        estate
    }

    /// Writes the files of the gateway.
    pub(crate) fn write(
        &self,
        folder: &Path,
        estate: &Estate,
        upstream: SocketAddr,
        refusing: SocketAddr,
    ) {
        let file = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
        file("practices.toml", estate.directory_toml("provider", "everyone"));
        file("consumers.toml", self.consumers.clone());
        file("gateway.toml", self.gateway(upstream, refusing));
        make_keys(folder);
    }

    fn gateway(&self, upstream: SocketAddr, refusing: SocketAddr) -> String {
        let mut text = String::from(
            "[directory]\nfiles = [\"practices.toml\", \"consumers.toml\"]\n\n\
             [observe]\naddress = \"127.0.0.1:0\"\n\n",
        );
        for mode in Mode::BOTH {
            text.push_str(&format!(
                "[[listener]]\nname = \"{}\"\naddress = \"127.0.0.1:0\"\n\
                 server_names = [\"{HOST}\"]\ninsecure_plain_http = true\n\
                 insecure_everyone_is = [\"{}\"]\n\n",
                mode.word(),
                mode.asid(),
            ));
        }
        let tls = self.tls.as_ref().map_or(PLAIN, |(_, table)| table);
        text.push_str(&self::upstream("provider", upstream, self.connection, tls));
        if !self.refusing.is_empty() {
            text.push_str(&self::upstream("refusing", refusing, "direct", PLAIN));
        }
        if let Some(onward) = &self.onward {
            text.push_str(&self::upstream(ONWARD, onward.address, "proxy", &onward.tls));
        }
        text.push_str(&self.settings);
        text
    }
}

/// Makes the keys of a journal, unless they are there.
pub(crate) fn make_keys(folder: &Path) {
    let keys = folder.join("audit-keys");
    if !keys.exists() {
        gpconnect_gateway::audit::keys::make(&keys, "test.example/audit").unwrap();
    }
}

pub(crate) const PLAIN: &str = "insecure_plain_http = true\n";

fn upstream(name: &str, address: SocketAddr, connection: &str, tls: &str) -> String {
    format!(
        "[[upstream]]\nname = \"{name}\"\naddress = \"{address}\"\n\
         connection = \"{connection}\"\n{tls}\n"
    )
}

fn consumers() -> String {
    let mut text =
        format!("[[organisation]]\nods_code = \"{ORGANISATION}\"\nname = \"Example Hospital\"\n\n");
    for mode in Mode::BOTH {
        let word = mode.word();
        text.push_str(&format!(
            "[[consumer]]\nasid = \"{}\"\norganisation = \"{ORGANISATION}\"\n\
             host_name = \"{word}.rxx01.example\"\nparty_key = \"{ORGANISATION}-9200001\"\n\
             mode = \"{word}\"\ninteractions = [\"1.2.7\"]\n\n",
            mode.asid(),
        ));
    }
    text.push_str(&format!(
        "[[agreement]]\nreference = \"TEST-1\"\nconsumers = [\"{ORGANISATION}\"]\n\
         practices = [\"group:everyone\"]\n\
         capabilities = [\"foundations\", \"appointments\", \"structured\"]\n\n\
         [[enablement]]\npractices = [\"group:everyone\"]\ngp_connect = true\n\
         capabilities = [\"appointments\", \"structured\"]\n"
    ));
    text
}
