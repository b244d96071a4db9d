//! A region with everything in it that operations may see: good and bad practices, consumers of every
//! kind, strangers, and each sort of refusal and failure.

use std::fs;
use std::path::Path;

use gpconnect_gateway::simulator::Practice;
use gpconnect_gateway::tls::issue::Issued;
use jiff::{ToSpan as _, Zoned, tz::TimeZone};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::interactions::{
    BOOK_APPOINTMENT, READ_METADATA, READ_ORGANIZATION, READ_PATIENT, SEARCH_SLOT,
};
use crate::harness::token::claims;
use crate::harness::{Call, Form, Interaction, Mode, World};
use crate::resources::FREE_SLOTS;
use crate::tls::{Client, Pki, quoted};
use crate::tokens;

/// Practices: the first is good, these three stand where nobody answers, and two have faults.
const REFUSING: [usize; 3] = [1, 2, 3];
const FAILING: usize = 4;
const SLOW: usize = 5;
const PRACTICES: usize = 8;

/// The region at work.
pub(super) struct Traffic {
    pub(super) world: World,
    pki: Pki,
    consumer: Issued,
    _keys: TempDir,
}

impl Traffic {
    pub(super) async fn start() -> Self {
        let (pki, keys) = (Pki::new(), TempDir::with_prefix("gpconnect-keys-").unwrap());
        let (issuer, oauth) = tokens::registered(keys.path());
        let settings = [pki.listener(""), issuer, witness(&pki), "[cache]\n".to_owned()].concat();
        let world = World::start(|plan| {
            plan.practices = PRACTICES;
            plan.refusing = REFUSING.to_vec();
            plan.settings = settings;
            plan.consumers = let_off(&plan.consumers) + &oauth;
        })
        .await;
        let order = |place: usize, fault: &str| {
            let code = world.practice(place).ods_code;
            world.simulator.faults().order(Some(code), vec![fault.parse().unwrap()]);
        };
        order(FAILING, "status=500");
        order(SLOW, "latency=300ms");
        let consumer = pki.consumer(Mode::Transparent);
        let traffic = Self { world, pki, consumer, _keys: keys };
        traffic.change().await;
        traffic
    }

    /// What changes while a gateway runs: its configuration, for better and for worse, and its files.
    async fn change(&self) {
        let reload =
            |change: fn(String) -> String| self.world.gateway.reload("gateway.toml", change);
        reload(|text| text.replace("[cache]\n", "[cache]\nentry_bytes = \"512 KiB\"\n")).await;
        reload(|text| text + "\n[nonsense]\n").await;
        self.pki.show(&self.pki.gateway());
    }

    /// What the variables of dashboards are to be: the practice and the consumer of which there is
    /// something to see everywhere.
    pub(super) fn chosen(&self) -> [String; 2] {
        let practice = self.world.practice(FAILING).ods_code;
        [format!("practice={practice}"), format!("consumer={}", Mode::Transparent.asid())]
    }

    /// Everything once.
    pub(super) async fn round(&self) {
        for mode in Mode::BOTH {
            for call in self.calls(mode) {
                // Some are to fail, and to close their connection; what is counted of them is looked
                // at elsewhere.
                self.world.connect(mode).await.try_send(call).await.ok();
            }
        }
        self.over_tls().await;
    }

    fn calls(&self, mode: Mode) -> Vec<Call> {
        let practice = |place: usize| self.world.practice(place);
        let call = |place: usize, interaction: &Interaction, path: &str| {
            Call::new(mode, Form::Ods, practice(place), interaction, path)
        };
        let patient = |place| call(place, &READ_PATIENT, "Patient/1");
        let mut calls: Vec<Call> = (0..PRACTICES).map(patient).collect();
        calls.extend([
            patient(0),
            call(0, &SEARCH_SLOT, FREE_SLOTS),
            call(0, &READ_METADATA, "metadata"),
            call(0, &READ_METADATA, "metadata"),
            call(6, &READ_ORGANIZATION, "Organization/1"),
            // No resource: the practice refuses it, in its own time.
            call(SLOW, &BOOK_APPOINTMENT, "Appointment").json(&json!({})),
            call(0, &BOOK_APPOINTMENT, "Appointment").json(&json!({})),
            // Of these the gateway refuses each.
            patient(0).without("Authorization"),
            patient(0).with("Ssp-From", "200000009999"),
            patient(0).with("Ssp-To", "200000009999"),
            patient(0).claiming(&of_another_organisation(practice(0))),
            patient(0).claiming(&of_tomorrow(practice(0))),
            Call { target: "/Z99999/STU3/1/gpconnect/fhir/Patient/1".to_owned(), ..patient(0) },
            Call { target: "/nowhere".to_owned(), ..patient(0) },
        ]);
        if mode == Mode::Transparent {
            calls.push(patient(0).claiming(&for_another_practice(practice(0))));
        }
        calls
    }

    /// A consumer with its certificate, one with a bad access token, and a stranger without either.
    async fn over_tls(&self) {
        let address = self.world.gateway.listeners["secure"];
        let call = self.world.call(Mode::Transparent, &READ_PATIENT, "Patient/1");
        let known = Client::new(address, &self.pki, Some(&self.consumer));
        known.connect().await.try_send(call.clone()).await.ok();
        let wards = self.pki.issue(&tokens::order());
        let wards = Client::new(address, &self.pki, Some(&wards));
        let bearer = call.clone().with("Ssp-From", tokens::WARDS).with("Authorization", "Bearer x");
        wards.connect().await.try_send(bearer).await.ok();
        let stranger = Client::new(address, &self.pki, None);
        stranger.connect().await.try_send(call).await.ok();
    }
}

/// A place for checkpoints where nobody listens.
fn witness(pki: &Pki) -> String {
    format!(
        "[[audit.witness]]\nname = \"nobody\"\nurl = \"https://localhost:1/gateway1\"\n\
         authorities = {}\n\n",
        quoted(&pki.file("authorities.pem")),
    )
}

/// The consumers, the transparent one let off what its tokens are for.
fn let_off(consumers: &str) -> String {
    let day = Zoned::now().with_time_zone(TimeZone::UTC).date() + 30.days();
    let interactions = "interactions = [\"1.2.7\"]\n\n";
    let table = format!(
        "{interactions}[[consumer.report_only]]\ncheck = \"audience\"\nowner = \"Desk\"\n\
         until = \"{day}\"\n\n"
    );
    consumers.replacen(interactions, &table, 1)
}

fn for_another_practice(practice: &Practice) -> Value {
    let mut claims = claims("patient/*.read", practice.service_root.as_str());
    claims["aud"] = json!("https://gp.example/Z99999/STU3/1/gpconnect");
    claims
}

fn of_another_organisation(practice: &Practice) -> Value {
    let mut claims = claims("patient/*.read", practice.service_root.as_str());
    claims["requesting_organization"]["identifier"][0]["value"] = json!("RYY02");
    claims
}

fn of_tomorrow(practice: &Practice) -> Value {
    let mut claims = claims("patient/*.read", practice.service_root.as_str());
    for claim in ["iat", "exp"] {
        claims[claim] = json!(claims[claim].as_u64().unwrap() + 86_400);
    }
    claims
}

/// The text of a file in the repository.
pub(super) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}
