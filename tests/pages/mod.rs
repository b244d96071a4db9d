//! A document, read block by block, whose commands are run as they stand. Whoever walks through one says
//! of each command what it must do, and of each other block what it is; a command that a test can't run is on
//! the list in here, with the reason. So nothing is passed over in silence.
//!
//! ```text
//! let mut page = Page::open("docs/admin.md", shell);
//! page.runs("gpconnect-gateway admin status", &["\"ready\": true"]);
//! let table = page.shows("toml", "[[upstream]]");
//! page.end();
//! ```

mod read;
mod shell;

use std::collections::VecDeque;

use read::Piece;
pub(crate) use shell::Shell;

/// The documents with blocks; each is walked through by a test.
pub(crate) const DOCUMENTS: [&str; 8] = [
    "README.md",
    "docs/admin.md",
    "docs/audit.md",
    "docs/consumers.md",
    "docs/deployment.md",
    "docs/explain.md",
    "docs/operations.md",
    "docs/runbook.md",
];

/// Commands that no test runs: where they stand, how they begin, and why.
pub(crate) const LEFT_OUT: [(&str, &str, &str); 6] = [
    ("README.md", "make demo", "it builds a release; `demo` itself is run below it"),
    ("README.md", "make test", "it is what runs this"),
    ("docs/deployment.md", "cargo build --release", "the program under test stands in its place"),
    (
        "docs/deployment.md",
        "docker build",
        "it needs a container engine; tests/packages/container.rs runs its root",
    ),
    ("docs/deployment.md", "docker run", "the same"),
    (
        "docs/deployment.md",
        "docker compose",
        "the same; tests/packages/compose.rs runs what it starts",
    ),
];

/// What documents leave to an authority, as functions of the shell: `authority NAME` makes `NAME.pem` and
/// its empty list `NAME.crl`; `sign NAME REQUEST CERTIFICATE` makes a certificate of a request; `issue NAME
/// HOST FILE` makes `FILE.pem` and its key.
pub(crate) const AUTHORITY: &str = r#"
set -e
curve="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc"
authority() {
    openssl req -x509 $curve -days 90 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" -addext keyUsage=critical,keyCertSign,cRLSign
    : >"$1.index"
    printf '[ca]
default_ca = a
[a]
database = %s.index
default_md = sha256
' "$1" >"$1.cnf"
    openssl ca -gencrl -config "$1.cnf" -cert "$1.pem" -keyfile "$1.key" -crldays 90 -out "$1.crl"
}
sign() {
    openssl x509 -req -in "$2" -CA "$1.pem" -CAkey "$1.key" -CAcreateserial -days 90 -copy_extensions copy -out "$3"
}
issue() {
    openssl req -new $curve -subj "/CN=$2" -addext "subjectAltName=DNS:$2" -keyout "$3.key" -out "$3.csr"
    sign "$1" "$3.csr" "$3.pem"
    chmod 600 "$3.key"
}
"#;

/// A document that is being walked through. Programs that were started end with it.
pub(crate) struct Page {
    document: &'static str,
    left: VecDeque<Piece>,
    shell: Shell,
}

impl Page {
    /// Opens a document, at its beginning.
    pub(crate) fn open(document: &'static str, shell: Shell) -> Self {
        assert!(DOCUMENTS.contains(&document), "{document} is not among DOCUMENTS");
        Self { document, left: read::pieces(document).into(), shell }
    }

    /// Runs the next command, which begins so and must end with 0; what it printed, which has each of
    /// `parts` in it.
    pub(crate) fn runs(&mut self, begin: &str, parts: &[&str]) -> String {
        self.ends(begin, 0, parts)
    }

    /// The same of one that prints what is no text.
    pub(crate) fn bytes(&mut self, begin: &str) -> Vec<u8> {
        let command = self.command(begin);
        let output = self.shell.run(&command);
        assert!(output.status.success(), "{}: {command}: {output:?}", self.document);
        output.stdout
    }

    /// The same of a command that must end with that code.
    pub(crate) fn ends(&mut self, begin: &str, code: i32, parts: &[&str]) -> String {
        let command = self.command(begin);
        let output = self.shell.run(&command);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let whose = format!("{}: {command}", self.document);
        assert_eq!(output.status.code(), Some(code), "{whose}\n{said}");
        for part in parts {
            assert!(said.contains(part), "{whose}: {part:?} in\n{said}");
        }
        said
    }

    /// Starts the next command, which begins so and stays; waits until it has printed `up`.
    pub(crate) fn stays(&mut self, begin: &str, up: &str) {
        let command = self.command(begin);
        self.shell.start(&command, up);
    }

    /// Passes over the next command, which is on the list of those that no test runs.
    pub(crate) fn leaves_out(&mut self, begin: &str) {
        let listed =
            LEFT_OUT.iter().any(|(place, listed, _)| *place == self.document && *listed == begin);
        assert!(listed, "{}: {begin} is not among LEFT_OUT", self.document);
        self.command(begin);
    }

    /// The next block, which is in that language and begins so.
    pub(crate) fn shows(&mut self, language: &str, begin: &str) -> String {
        match self.left.pop_front() {
            Some(Piece::Block { language: found, text, .. })
                if found == language && text.starts_with(begin) =>
            {
                text
            }
            other => panic!("{}: expected {language} {begin:?}, found {other:?}", self.document),
        }
    }

    /// The shell, to do what the document leaves to its reader.
    pub(crate) fn shell(&mut self) -> &mut Shell {
        &mut self.shell
    }

    /// Closes the document, of which nothing may be left.
    pub(crate) fn end(self) {
        assert!(self.left.is_empty(), "{}: nothing is said of {:#?}", self.document, self.left);
    }

    fn command(&mut self, begin: &str) -> String {
        match self.left.pop_front() {
            Some(Piece::Command { text, .. }) if text.starts_with(begin) => text,
            other => panic!("{}: expected {begin:?}, found {other:?}", self.document),
        }
    }
}
