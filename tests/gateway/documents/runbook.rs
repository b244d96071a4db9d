//! docs/runbook.md: what it names between backticks is run too, for who is paged pastes it.

use std::collections::BTreeSet;
use std::fs;

use super::{Page, Shell, repository};
use crate::harness::interactions as all;
use crate::harness::{Mode, World};

/// Where a gateway that is asked about is.
async fn world() -> World {
    let world = World::start(|_| {}).await;
    let read = world.call(Mode::Assist, &all::READ_PATIENT, "Patient/1");
    assert_eq!(world.send(read.clone()).await.status, 200);
    assert_eq!(world.send(read.with("Ssp-To", "999999999999")).await.status, 400);
    world
}

fn shell(world: &World) -> Shell {
    let folder = world.gateway.folder();
    let mut shell = Shell::new(folder);
    shell.calls("AUDIT", folder.join("audit").to_str().unwrap());
    shell.calls("CONFIG", folder.join("gateway.toml").to_str().unwrap());
    shell
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_four_commands_tell_what_there_is_to_know() {
    let world = world().await;
    let mut page = Page::open("docs/runbook.md", shell(&world));
    page.runs("gpconnect-gateway admin status", &["ready"]);
    page.runs("gpconnect-gateway admin practices", &["A20047"]);
    page.runs("gpconnect-gateway directory lookup", &["A20047"]);
    page.runs("gpconnect-gateway audit search", &["fhir:rest:read:patient-1"]);
    page.end();
}

/// The commands of the gateway between backticks that are written out, each once.
fn commands() -> BTreeSet<String> {
    let text = fs::read_to_string(repository("docs/runbook.md")).unwrap();
    let prose = text.split("```").step_by(2).collect::<String>().replace('\n', " ");
    let spans = prose.split('`').skip(1).step_by(2);
    let spans = spans.filter(|span| span.starts_with("gpconnect-gateway "));
    spans.filter(|span| span.split(' ').count() > 2).map(str::to_owned).collect()
}

/// These change something, or look at what is not there in this test.
const OTHERWISE: [(&str, &str); 3] = [
    ("gpconnect-gateway request metadata", "names that stand for a gateway and files"),
    ("gpconnect-gateway audit verify AUDIT --key signing.pub", "docs/audit.md has it"),
    ("gpconnect-gateway switch off", "docs/admin.md has it"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_section_says_to_look_with_can_be_pasted() {
    let world = world().await;
    let shell = shell(&world);
    let commands = commands();
    assert!(commands.len() > 12, "{commands:#?}");
    for (begin, _) in OTHERWISE {
        assert!(commands.iter().any(|command| command.starts_with(begin)), "{begin}");
    }
    for command in &commands {
        if OTHERWISE.iter().any(|(begin, _)| command.starts_with(begin)) {
            continue;
        }
        let output = shell.run(command);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        // A search that finds nothing here says so by 1.
        let is_search = command.starts_with("gpconnect-gateway audit search");
        let good = output.status.success() || is_search && output.status.code() == Some(1);
        assert!(good, "{command}: {}\n{said}", output.status);
    }
}
