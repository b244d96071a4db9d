//! docs/audit.md, over the journal of a gateway at work.

use std::fs;
use std::path::Path;

use jiff::{Timestamp, ToSpan as _};
use tempfile::TempDir;

use super::{Page, Shell};
use crate::audit::journal::Journal;
use crate::harness::interactions as all;
use crate::harness::{Call, Mode, World, call, token};
use crate::tls::soon;

/// The trace id of the refused request, as the document has it.
const REFUSED: &str = "629ea9ba-a077-4d99-b289-7a9b19fd4e03";

/// A place to work at, as the document has it: the journal of a gateway at work, `A`, and its keys.
struct Office {
    world: World,
    witness: TempDir,
    desk: TempDir,
}

impl Office {
    /// With a third epoch that is closed, in which a user asked for a patient.
    async fn open() -> Self {
        let witness = TempDir::with_prefix("gpconnect-witness-").unwrap();
        let settings = format!("[audit]\ncheckpoints = [{:?}]\n", witness.path());
        let mut world = World::start(|plan| plan.settings = settings).await;
        for epoch in 1..=3 {
            if epoch == 3 {
                ask(&world).await;
            }
            assert_eq!(world.gateway.stop().await, Some(0));
            world.gateway.start_again().await;
        }
        let desk = TempDir::with_prefix("gpconnect-desk-").unwrap();
        let folder = world.gateway.folder();
        std::os::unix::fs::symlink(folder.join("audit"), desk.path().join("A")).unwrap();
        for key in ["signing.pub", "search.key", "reader.key"] {
            fs::copy(folder.join("audit-keys").join(key), desk.path().join(key)).unwrap();
        }
        let office = Self { world, witness, desk };
        let segment = office.desk.path().join("A/00000003-000000000000.segment.zst");
        soon("the third epoch is compressed", async || segment.exists()).await;
        office
    }

    /// A shell in which the names of the document are those of this machine and this day.
    fn shell(&self) -> Shell {
        let journal = Journal::read(self.world.gateway.folder());
        let found = journal.of("intent").next().unwrap();
        let intent = format!("{}/{}", found["epoch"], found["seq"]);
        assert!(intent.starts_with("3/"), "{intent}");
        let day = |days: i64| {
            let moment = Timestamp::now().checked_add((24 * days).hours()).unwrap();
            moment.strftime("%F").to_string()
        };
        let mut shell = Shell::new(self.desk.path());
        shell.calls("/mnt/witness/audit", path(self.witness.path()));
        shell.calls("2026-11-23T00:", format!("{}T00:", day(-1)));
        shell.calls("2026-11-23T23:", format!("{}T23:", day(1)));
        shell.calls("3/1204", intent);
        shell.calls("00000003-000000001204", "A/00000003-000000000000");
        shell
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A user finds a patient, reads it, and is refused once.
async fn ask(world: &World) {
    let number = "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009";
    let call = |interaction: &crate::harness::Interaction, path| -> Call {
        let root = call::root(world.practice(0), interaction);
        let mut claims = token::claims(interaction.scope, root);
        claims["sub"] = "10019".into();
        claims["requesting_practitioner"]["id"] = "10019".into();
        world.call(Mode::Assist, interaction, path).claiming(&claims).without("Ssp-TraceID")
    };
    let read = call(&all::READ_PATIENT, "Patient/1");
    for (call, status) in [
        (call(&all::SEARCH_PATIENT, number), 200),
        (read.clone(), 200),
        (read.with("Ssp-To", "999999999999").with("Ssp-TraceID", REFUSED), 400),
    ] {
        assert_eq!(world.send(call).await.status, status);
    }
}

/// gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn an_investigator_finds_who_looked_and_proves_it() {
    let office = Office::open().await;
    let mut page = Page::open("docs/audit.md", office.shell());
    page.runs("gpconnect-gateway audit keys", &["signing.pub", "reader.key off this machine"]);
    let mut said = Vec::new();
    #[rustfmt::skip]
    let expected: [(&str, &[&str]); 11] = [
        ("gpconnect-gateway audit search A --nhs-number", &["9000000009", "10019", "Patient/1"]),
        ("gpconnect-gateway audit search A --user", &["10019", "Patient?identifier", "Patient/1"]),
        ("gpconnect-gateway audit search A --consumer 200000000359 --practice A20047 --since",
            &["fhir:rest:read:patient-1", "200 good", "receiver_mismatch"]),
        ("gpconnect-gateway audit search A --consumer 200000000359 --practice A20047 --decision refused",
            &["receiver_mismatch"]),
        ("gpconnect-gateway explain --journal A", &["refused", "receiver_mismatch", "to do:"]),
        ("gpconnect-gateway audit verify A", &["The journal is whole"]),
        ("gpconnect-gateway audit show A", &["9000000009", "Kaur"]),
        ("gpconnect-gateway audit tail A", &["start", "search"]),
        ("gpconnect-gateway audit stats A", &["receiver_mismatch", "fhir:rest:read:patient-1"]),
        ("gpconnect-gateway audit prove A", &[]),
        ("gpconnect-gateway audit check-proof", &["The record is in the journal", "epoch 3"]),
    ];
    for (begin, parts) in expected {
        said.push(page.runs(begin, parts));
    }
    for text in &said {
        assert!(!text.contains("Not on record"), "the gateway puts it down: {text}");
    }
    let key =
        page.shell().run("zstdcat A/00000003-000000000000.segment.zst | sed -n 1p | jq -r .seq");
    assert_eq!(String::from_utf8_lossy(&key.stdout), "0\n", "it begins with its head");
    assert_eq!(page.bytes("zstdcat ").len(), 32, "the segment's key");
    page.end();
}
