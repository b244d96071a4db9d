//! A machine to install on: the files of this one with changes kept aside, systemd as its first process,
//! processes and a network of its own. What is done to it is gone with it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::tools::{GATEWAY, ended, is_root, program, repository, run, text, wait_for};
use crate::pages::Shell;

/// Where the repository is on it.
const SOURCE: &str = "/src";

/// Joins groups of processes of its own, so that systemd makes none among those of this machine.
const ALONE: &str = r#"
set -eu
group=$1
for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ -e "$tree/cgroup.procs" ]; then
        mkdir "$tree/$group"
        echo $$ >"$tree/$group/cgroup.procs"
    fi
done
shift
exec unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child bash -c "$@"
"#;

/// Makes the file systems, leaves those of this machine, and becomes systemd.
const BOOT: &str = r#"
set -eu
folder=$1 source=$2
cd "$folder"
mkdir -p root upper work upper/src of-source of-source-work
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=upper,workdir=work" root
mount -t overlay overlay -o "lowerdir=$source,upperdir=of-source,workdir=of-source-work" root/src
mount -t proc proc root/proc
mount --bind root/proc/sys root/proc/sys
mount -o remount,bind,ro root/proc/sys
mount -t sysfs -o ro sysfs root/sys
if mount -t cgroup2 cgroup2 root/sys/fs/cgroup 2>/dev/null && [ -e root/sys/fs/cgroup/cgroup.controllers ] && ! [ -d /sys/fs/cgroup/systemd ]; then
    :
else
    umount root/sys/fs/cgroup 2>/dev/null || true
    mount -t tmpfs -o mode=755 tmpfs root/sys/fs/cgroup
    mkdir root/sys/fs/cgroup/systemd root/sys/fs/cgroup/unified
    mount -t cgroup -o none,name=systemd cgroup root/sys/fs/cgroup/systemd
    mount -t cgroup2 cgroup2 root/sys/fs/cgroup/unified
fi
mount -t tmpfs -o mode=755 tmpfs root/dev
for device in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    set -- $device
    mknod -m 666 "root/dev/$1" c "$2" "$3"
done
mkdir root/dev/pts root/dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts root/dev/pts
ln -s pts/ptmx root/dev/ptmx
ln -s /proc/self/fd root/dev/fd
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
mount -t tmpfs -o mode=755 tmpfs root/run
mount -t tmpfs -o mode=1777 tmpfs root/tmp
mkdir -p root/mnt
# Images for containers have one that keeps every service as it is; a machine has none.
rm -f root/usr/sbin/policy-rc.d
cd root
pivot_root . mnt
umount -l /mnt
# What systemd mounts for a service is to be seen by it.
mount --make-rshared /
export container=test
exec chroot . /lib/systemd/systemd --unit=basic.target
"#;

/// It ends with this handle.
pub(crate) struct Machine {
    first: Child,
    group: String,
    folder: TempDir,
}

impl Machine {
    /// Starts one, with the program under test where a build would have put it. None where this user may
    /// not; then it says that `test` is left out.
    pub(crate) fn start(test: &str) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let folder = TempDir::with_prefix("gpconnect-machine-").unwrap();
        let built = folder.path().join("of-source/target/release");
        fs::create_dir_all(&built).unwrap();
        fs::copy(GATEWAY, built.join("gpconnect-gateway")).unwrap();
        let group = folder.path().file_name().unwrap().to_str().unwrap().to_owned();
        let mut boot = program("bash");
        boot.args(["-c", ALONE, "bash", &group, BOOT, "bash"]).arg(folder.path());
        boot.arg(repository(".")).stdin(Stdio::null()).stdout(Stdio::null());
        let first = boot.stderr(fs::File::create(folder.path().join("said")).unwrap());
        let machine = Self { first: first.spawn().unwrap(), group, folder };
        wait_for("systemd", || machine.state().is_some());
        Some(machine)
    }

    /// A shell on it, in the repository.
    pub(crate) fn shell(&self) -> Shell {
        let before = self.enter().unwrap_or_else(|| panic!("it has ended: {}", self.said()));
        Shell::within(before, SOURCE, "/run/shell")
    }

    /// What systemd says of itself once it is up.
    fn state(&self) -> Option<String> {
        let enter = self.enter()?;
        let mut ask = Command::new(&enter[0]);
        let output = ended(ask.args(&enter[1..]).args(["systemctl", "is-system-running"]));
        let said = text(&output);
        ["running", "degraded"].contains(&said.trim()).then_some(said)
    }

    /// What enters it; none while its first process is not there.
    fn enter(&self) -> Option<Vec<String>> {
        let parent = self.first.id().to_string();
        let output = ended(program("pgrep").args(["--parent", &parent]));
        let first = text(&output).trim().to_owned();
        let comm = fs::read_to_string(format!("/proc/{first}/comm")).ok()?;
        let all = ["nsenter", "--target", &first, "--mount", "--uts", "--ipc", "--net", "--pid"];
        (comm.trim() == "systemd").then(|| all.map(str::to_owned).to_vec())
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its first process dies with what started it, and all others with that.
        self.first.kill().ok();
        self.first.wait().ok();
        for tree in ["", "systemd", "unified"] {
            let group = PathBuf::from("/sys/fs/cgroup").join(tree).join(&self.group);
            if group.exists() {
                let remove = "for try in $(seq 100); do
                    find \"$0\" -depth -type d -exec rmdir {} + 2>/dev/null && exit 0; sleep 0.1; done";
                run(program("sh").args(["-c", remove]).arg(&group));
            }
        }
    }
}
