//! Writes configurations of any size into a temporary folder.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// How much to write.
#[derive(Clone, Copy)]
pub(super) struct Estate {
    pub(super) practices: usize,
    /// Organisations with one system each; each may ask every practice.
    pub(super) consumers: usize,
}

/// A written configuration; gone when dropped.
pub(super) struct Written {
    folder: TempDir,
}

impl Written {
    pub(super) fn gateway(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    pub(super) fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

impl Estate {
    pub(super) fn write(self) -> Written {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("gateway.toml", gateway());
        write("practices.toml", self.practices());
        write("consumers.toml", self.consumers());
        write("agreements.toml", agreements());
        Written { folder }
    }

    fn practices(self) -> String {
        let mut text = String::new();
        for number in 0..self.practices {
            practice(&mut text, number);
        }
        let codes = (0..self.practices).map(|number| format!("\"{}\"", practice_code(number)));
        group(&mut text, "practices", codes);
        text.push_str(
            "[[enablement]]\npractices = [\"group:practices\"]\ngp_connect = true\n\
             capabilities = [\"appointments\", \"structured\"]\n",
        );
        text
    }

    fn consumers(self) -> String {
        let mut text = String::new();
        for number in 0..self.consumers {
            consumer(&mut text, number);
        }
        let codes = (0..self.consumers).map(|number| format!("\"{}\"", consumer_code(number)));
        group(&mut text, "consumers", codes);
        text
    }
}

pub(super) fn practice_code(number: usize) -> String {
    format!("A{number:05}")
}

pub(super) fn consumer_code(number: usize) -> String {
    format!("RX{number:03}")
}

pub(super) fn consumer_asid(number: usize) -> String {
    format!("2{number:011}")
}

fn gateway() -> String {
    format!(
        r#"[directory]
files = ["practices.toml", "consumers.toml", "agreements.toml"]

[[listener]]
name = "consumers"
address = "127.0.0.1:8080"
server_names = ["localhost:8080"]
insecure_plain_http = true
insecure_everyone_is = ["{}"]

[[upstream]]
name = "north"
address = "127.0.0.1:19000"
insecure_plain_http = true
"#,
        consumer_asid(0)
    )
}

fn practice(text: &mut String, number: usize) {
    let code = practice_code(number);
    write!(
        text,
        r#"[[organisation]]
ods_code = "{code}"
name = "Practice number {number}"

[[provider]]
organisation = "{code}"
asid = "9{number:011}"
party_key = "{code}-800001"
cpa_id = "S20001A{number:06}"
upstream = "north"
service_roots.foundations = "https://gp.north.example/{code}/STU3/1/gpconnect"
service_roots.appointments = "https://gp.north.example/{code}/STU3/1/gpconnect"
service_roots.structured = "https://gp.north.example/{code}/STU3/1/gpconnect/structured"

"#
    )
    .unwrap();
}

fn consumer(text: &mut String, number: usize) {
    let (code, asid) = (consumer_code(number), consumer_asid(number));
    write!(
        text,
        r#"[[organisation]]
ods_code = "{code}"
name = "Organisation number {number}"

[[consumer]]
asid = "{asid}"
organisation = "{code}"
host_name = "epr.{}.example"
interactions = ["1.2.7"]

"#,
        code.to_lowercase()
    )
    .unwrap();
}

fn group(text: &mut String, name: &str, members: impl Iterator<Item = String>) {
    let members = members.collect::<Vec<_>>().join(", ");
    write!(text, "[[group]]\nname = \"{name}\"\nmembers = [{members}]\n\n").unwrap();
}

fn agreements() -> String {
    String::from(
        "[[agreement]]\nreference = \"DSA-1\"\nconsumers = [\"group:consumers\"]\n\
         practices = [\"group:practices\"]\n\
         capabilities = [\"foundations\", \"appointments\", \"structured\"]\n",
    )
}

/// The folder of the package, under which configurations and cases lie.
pub(super) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
