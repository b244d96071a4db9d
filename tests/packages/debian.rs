//! The Debian package: what is in it, and what installing and removing it does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::site::Site;
use super::tools::{GATEWAY, ended, is_root, program, repository, run, text};

const NAME: &str = "gpconnect-gateway";

/// The package of the binary under test, made once.
fn package() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let make = || {
        let folder = TempDir::with_prefix("gpconnect-package-").unwrap();
        let mut build = program(repository("deploy/debian/build").to_str().unwrap());
        // A debug binary is large, and nobody keeps this package.
        build.arg(GATEWAY).arg(folder.path()).env("DPKG_DEB_COMPRESSOR_LEVEL", "0");
        let said = run(&mut build);
        let file = PathBuf::from(said.lines().last().unwrap());
        assert!(file.is_file(), "{said}");
        (folder, file)
    };
    &MADE.get_or_init(make).1
}

/// Mode, owner and name of each file and folder.
fn contents() -> BTreeSet<(String, String, String)> {
    let listed = run(program("dpkg-deb").arg("--contents").arg(package()));
    let entry = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        (words[0].to_owned(), words[1].to_owned(), words[5].trim_start_matches('.').to_owned())
    };
    listed.lines().map(entry).collect()
}

#[test]
fn what_is_in_the_package() {
    let contents = contents();
    for (mode, _, name) in &contents {
        let expected = match name.as_str() {
            "/etc/gpconnect-gateway/keys/" => "drwx------",
            "/usr/bin/gpconnect-gateway"
            | "/usr/share/doc/gpconnect-gateway/examples/rotate-certificate" => "-rwxr-xr-x",
            folder if folder.ends_with('/') => "drwxr-xr-x",
            _ => "-rw-r--r--",
        };
        assert_eq!(mode, expected, "{name}");
    }
    assert!(contents.iter().all(|(_, owner, _)| owner == "root/root"), "{contents:#?}");
    let names: BTreeSet<_> = contents.iter().map(|(_, _, name)| name.as_str()).collect();
    for name in [
        "/usr/bin/gpconnect-gateway",
        "/lib/systemd/system/gpconnect-gateway.service",
        "/usr/lib/sysusers.d/gpconnect-gateway.conf",
        "/etc/gpconnect-gateway/gateway.toml",
        "/usr/share/man/man1/gpconnect-gateway.1.gz",
        "/usr/share/bash-completion/completions/gpconnect-gateway",
        "/usr/share/zsh/vendor-completions/_gpconnect-gateway",
        "/usr/share/fish/vendor_completions.d/gpconnect-gateway.fish",
        "/usr/share/doc/gpconnect-gateway/copyright",
        "/usr/share/doc/gpconnect-gateway/operations.md",
        "/usr/share/doc/gpconnect-gateway/examples/gateway.toml",
        "/usr/share/doc/gpconnect-gateway/examples/direct/gateway.toml",
    ] {
        assert!(names.contains(name), "{name} in {names:#?}");
    }
    // A package that brought a journal or a key would remove it too.
    let brought: Vec<_> =
        names.iter().filter(|name| name.contains("/var/") || name.ends_with(".key")).collect();
    assert!(brought.is_empty(), "{brought:?}");
    let settings = run(program("dpkg-deb").args(["--info"]).arg(package()).arg("conffiles"));
    let settings: BTreeSet<_> = settings.lines().collect();
    let in_etc = |name: &&str| name.starts_with("/etc/") && !name.ends_with('/');
    assert_eq!(settings, names.iter().copied().filter(in_etc).collect(), "each is the operator's");
}

#[test]
fn the_package_says_what_it_needs() {
    let field = |name: &str| {
        run(program("dpkg-deb").arg("--field").arg(package()).arg(name)).trim().to_owned()
    };
    let version = run(Command::new(GATEWAY).arg("--version"));
    assert_eq!(format!("{NAME} {}", field("Version")), version.trim());
    let depends = field("Depends");
    for needed in ["libc6 (>=", "libssl3", "ca-certificates", "systemd", "procps"] {
        assert!(depends.contains(needed), "{needed} in {depends}");
    }
}

#[test]
fn debian_finds_nothing_wrong_with_the_package() {
    let mut lintian = program("lintian");
    lintian.args(["--fail-on", "error,warning", "--allow-root"]).arg(package());
    let said = run(&mut lintian);
    assert_eq!(said, "");
}

#[test]
fn the_manual_page_names_every_command() {
    let folder = TempDir::with_prefix("gpconnect-manual-").unwrap();
    run(program("dpkg-deb").arg("--extract").arg(package()).arg(folder.path()));
    let page = folder.path().join("usr/share/man/man1/gpconnect-gateway.1.gz");
    let page = run(program("zcat").arg(page));
    let (_, page) = page.split_once(".SH COMMANDS").unwrap();
    let (page, _) = page.split_once(".SH EXIT STATUS").unwrap();
    let named: BTreeSet<_> = page.lines().filter_map(|line| line.strip_prefix(".B ")).collect();
    let help = run(Command::new(GATEWAY).arg("--help"));
    let commands = help.split_once("Commands:").unwrap().1.split_once("Options:").unwrap().0;
    let commands = commands.lines().filter_map(|line| line.strip_prefix("  "));
    let commands: BTreeSet<_> = commands
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert!(named.len() > 10, "{page}");
    assert_eq!(named, commands);
}

/// A root folder of its own, with nothing in it but dpkg's records.
struct Root(TempDir);

impl Root {
    fn new() -> Self {
        let root = TempDir::with_prefix("gpconnect-root-").unwrap();
        let records = root.path().join("var/lib/dpkg");
        fs::create_dir_all(records.join("info")).unwrap();
        fs::create_dir_all(records.join("updates")).unwrap();
        fs::write(records.join("status"), "").unwrap();
        fs::write(records.join("available"), "").unwrap();
        Self(root)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The package's scripts run outside, and are told of the folder by `DPKG_ROOT`.
    fn dpkg(&self, order: &str, what: &Path) -> Output {
        let mut dpkg = program("dpkg");
        dpkg.arg(format!("--root={}", self.0.path().display()));
        dpkg.args(["--force-script-chrootless", "--force-depends", order]).arg(what);
        let output = ended(&mut dpkg);
        assert!(output.status.success(), "{dpkg:?}: {}", text(&output));
        output
    }
}

/// Installed, set up as the documentation says, checked; changed settings outlive an update, and the
/// journal and keys outlive everything.
#[test]
fn the_package_is_installed_updated_removed_and_purged() {
    if !is_root("the package is installed, updated, removed and purged") {
        return;
    }
    let root = Root::new();
    let said = text(&root.dpkg("--install", package()));
    assert!(said.contains("it needs keys and certificates first"), "{said}");
    let users = fs::read_to_string(root.path("etc/passwd")).unwrap();
    let user = users.lines().find(|line| line.starts_with("gpconnect-gateway:")).unwrap();
    assert!(user.ends_with(":/var/lib/gpconnect-gateway:/usr/sbin/nologin"), "{user}");
    assert!(!root.path("var/lib/gpconnect-gateway").exists());
    assert!(!root.path("etc/systemd").exists(), "the service is not enabled");

    let site = Site::with_keys(&root.path("etc/gpconnect-gateway"));
    site.is_good();
    let version = run(Command::new(root.path("usr/bin/gpconnect-gateway")).arg("--version"));
    assert!(version.starts_with(NAME), "{version}");

    let settings = root.path("etc/gpconnect-gateway/practices.toml");
    let ours = fs::read_to_string(&settings).unwrap() + "# ours\n";
    fs::write(&settings, &ours).unwrap();
    let said = text(&root.dpkg("--install", package()));
    assert!(!said.contains("needs keys"), "{said}");
    assert_eq!(fs::read_to_string(&settings).unwrap(), ours);

    let journal = root.path("var/lib/gpconnect-gateway/audit/1-000001.segment");
    fs::create_dir_all(journal.parent().unwrap()).unwrap();
    fs::write(&journal, "records").unwrap();
    for order in ["--remove", "--purge"] {
        let said = text(&root.dpkg(order, Path::new(NAME)));
        assert!(said.contains("the audit journal was kept, in"), "{order}: {said}");
        assert_eq!(fs::read_to_string(&journal).unwrap(), "records", "{order}");
        assert!(!root.path("usr/bin/gpconnect-gateway").exists(), "{order}");
        assert_eq!(settings.exists(), order == "--remove", "{order}");
        assert!(root.path("etc/gpconnect-gateway/keys/signing.key").exists(), "{order}");
        assert_eq!(said.contains("keys were kept, in"), order == "--purge", "{order}: {said}");
    }
}

/// The same binary and commit make the same bytes, so that anybody can see what a package was made of.
#[test]
fn the_package_can_be_made_again() {
    let folder = TempDir::with_prefix("gpconnect-package-").unwrap();
    let mut build = program(repository("deploy/debian/build").to_str().unwrap());
    run(build.arg(GATEWAY).arg(folder.path()).env("DPKG_DEB_COMPRESSOR_LEVEL", "0"));
    let again = folder.path().join(package().file_name().unwrap());
    assert!(fs::read(again).unwrap() == fs::read(package()).unwrap());
}
