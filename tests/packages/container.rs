//! The root file system of the container image, and the gateway in it: as another user than root, with
//! nothing writable but its state.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::site::Site;
use super::tools::{
    GATEWAY, Running, ended, get, is_root, program, repository, run, text, wait_for,
};
use crate::ports::own_address;

/// The user in the image.
const USER: u32 = 65_532;

/// Mounts as an engine does with `--read-only`, then becomes the gateway.
const ENTER: &str = r#"
set -eu
root=$1 config=$2 keys=$3 state=$4
shift 4
mount --bind "$root" "$root"
mount --bind "$config" "$root/etc/gpconnect-gateway"
mount --bind "$keys" "$root/run/secrets"
mount --bind "$state" "$root/var/lib/gpconnect-gateway"
for place in "$root" "$root/etc/gpconnect-gateway" "$root/run/secrets"; do
    mount -o remount,bind,ro "$place"
done
exec chroot --userspec=65532:65532 "$root" /usr/bin/gpconnect-gateway "$@"
"#;

struct Image {
    folder: TempDir,
}

impl Image {
    fn new() -> Self {
        let folder = TempDir::with_prefix("gpconnect-image-").unwrap();
        for name in ["config", "state"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let image = Self { folder };
        let mut make = program(repository("deploy/container/rootfs").to_str().unwrap());
        run(make.arg(GATEWAY).arg(image.path("root")));
        image
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The gateway within, with a configuration and keys that belong to its user.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut enter = program("unshare");
        enter.args(["--mount", "sh", "-c", ENTER, "sh"]).arg(self.path("root"));
        enter.arg(self.path("config")).arg(self.path("config/keys")).arg(self.path("state"));
        enter.args(arguments).env("CREDENTIALS_DIRECTORY", "/run/secrets");
        enter
    }

    /// Sets it up.
    fn with_site(self) -> Self {
        Site::of_example("direct", &self.path("config"));
        let mut owner = program("chown");
        owner.args(["-R", &format!("{USER}:{USER}")]).arg(self.path("config/keys"));
        run(owner.arg(self.path("state")));
        self
    }
}

/// Each file below `folder`, by its path in there.
fn files(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{below}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), &name, found);
        } else {
            found.insert(name);
        }
    }
}

#[test]
fn the_image_holds_the_gateway_and_what_it_needs() {
    if !is_root("the image holds the gateway and what it needs") {
        return;
    }
    let image = Image::new();
    let root = image.path("root");
    let mut found = BTreeSet::new();
    files(&root, "", &mut found);
    let is_library = |name: &str| name.starts_with("/usr/lib") && name.contains(".so.");
    let others: Vec<_> = found
        .iter()
        .filter(|name| !is_library(name))
        .filter(|name| !name.starts_with("/var/lib/dpkg/status.d/"))
        .filter(|name| !name.starts_with("/usr/share/doc/"))
        .map(String::as_str)
        .collect();
    assert_eq!(
        others,
        [
            "/etc/group",
            "/etc/nsswitch.conf",
            "/etc/os-release",
            "/etc/passwd",
            "/etc/ssl/certs/ca-certificates.crt",
            "/etc/ssl/openssl.cnf",
            "/lib",
            "/lib64",
            "/usr/bin/gpconnect-gateway",
            "/usr/lib/ssl/cert.pem",
            "/usr/lib/ssl/openssl.cnf",
        ]
    );
    for package in ["libc6", "libssl3"] {
        let known = fs::read_to_string(root.join("var/lib/dpkg/status.d").join(package)).unwrap();
        assert!(known.contains(&format!("Package: {package}\n")), "for scanners: {known}");
        assert!(root.join("usr/share/doc").join(package).join("copyright").is_file());
    }
    for name in &found {
        let about = fs::symlink_metadata(root.join(name.trim_start_matches('/'))).unwrap();
        assert_eq!(about.permissions().mode() & 0o6000, 0, "{name} gives nobody's rights away");
        assert!(about.is_symlink() || about.mode() & 0o022 == 0, "{name} can't be written");
    }
    let state = fs::metadata(root.join("var/lib/gpconnect-gateway")).unwrap();
    assert_eq!((state.uid(), state.mode() & 0o777), (USER, 0o700));
}

#[test]
fn the_gateway_works_in_its_image() {
    if !is_root("the gateway works in its image") {
        return;
    }
    let image = Image::new().with_site();
    let version = run(&mut image.command(&["--version"]));
    assert_eq!(version, run(Command::new(GATEWAY).arg("--version")));
    let file = "/etc/gpconnect-gateway/gateway.toml";
    let said = run(&mut image.command(&["check", "--config", file]));
    assert!(said.contains("0 mistakes, 0 warnings"), "{said}");
    let outside =
        ended(&mut image.command(&["audit", "keys", "--name", "a.example/b", "/tmp/keys"]));
    assert!(text(&outside).contains("Read-only file system"), "{outside:?}");

    let (listener, observe) = (own_address(), own_address());
    let mut serve = image.command(&["serve", "--config", file]);
    serve.stdout(Stdio::null()).envs([
        ("GPCG__LISTENER__0__ADDRESS", listener.to_string()),
        ("GPCG__OBSERVE__ADDRESS", observe.to_string()),
        ("GPCG__SERVER__NOTICE", "0s".to_owned()),
    ]);
    let gateway = Running(serve.spawn().unwrap());
    wait_for("readiness", || get(observe, "/readyz").is_some_and(|(status, _)| status == 200));
    assert_eq!(get(observe, "/livez").unwrap(), (200, "alive\n".to_owned()));
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.0.id())).unwrap();
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
    let ids: Vec<_> = line("Uid:").split_whitespace().collect();
    assert!(ids.iter().all(|id| *id == USER.to_string()), "{ids:?}");
    assert_eq!(line("CapEff:"), "0".repeat(16));
    gateway.stop();
    let mut journal = BTreeSet::new();
    files(&image.path("state"), "", &mut journal);
    assert!(journal.iter().any(|name| name.contains(".segment")), "{journal:?}");
}

/// The image is made of what is tested here.
#[test]
fn the_dockerfile_says_what_the_tests_do() {
    let dockerfile = fs::read_to_string(repository("deploy/container/Dockerfile")).unwrap();
    let manifest = fs::read_to_string(repository("Cargo.toml")).unwrap();
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap();
    let version = version.trim_matches('"');
    let (build, image) = dockerfile.split_once("FROM scratch\n").unwrap();
    assert!(build.contains(&format!("FROM rust:{version}-bookworm AS build")), "{build}");
    let made = "deploy/container/rootfs target/release/gpconnect-gateway /rootfs";
    assert!(build.contains(made), "{build}");
    for line in [
        "COPY --from=build /rootfs /".to_owned(),
        format!("USER {USER}:{USER}"),
        "ENV CREDENTIALS_DIRECTORY=/run/secrets".to_owned(),
        "ENTRYPOINT [\"/usr/bin/gpconnect-gateway\"]".to_owned(),
    ] {
        assert!(image.lines().any(|it| it == line), "{line} in {image}");
    }
}
