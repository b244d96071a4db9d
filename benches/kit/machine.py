"""What a run needs of the machine: packages, the two builds, two processors."""

import json
import os
import pathlib
import shutil
import subprocess

BENCHES = pathlib.Path(__file__).resolve().parent.parent
PROJECT = BENCHES.parent
PACKAGES = ["haproxy", "nginx", "openssl", "wrk"]
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")


class Unable(Exception):
    """The run can't go on; the text says why and what to do."""


def set_up(packages=PACKAGES):
    """Installs the Debian packages that are missing, without starting any service."""
    missing = [name for name in packages if not shutil.which(name, path=search_path())]
    if not missing:
        return
    by_hand = f"install them yourself: apt-get install {' '.join(missing)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unable(f"missing: {', '.join(missing)}. Not root on Debian, so {by_hand}")
    print(f"installing {', '.join(missing)}", flush=True)
    own_policy = forbid_services(by_hand)
    try:
        install(missing)
    finally:
        if own_policy:
            POLICY.unlink()
    keep_off_at_boot(missing)


def search_path():
    """Where programs are: a root shell may lack the folders of the system's own."""
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def forbid_services(by_hand):
    """Makes the packages install without starting; true if a file for that was made."""
    if not POLICY.exists():
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
        return True
    if subprocess.run([POLICY, "nginx", "start"], capture_output=True).returncode != 101:
        raise Unable(f"{POLICY} lets packages start services, so {by_hand}")
    return False


def install(packages):
    """Runs apt-get, quietly unless it fails."""
    wait = ["-o", "DPkg::Lock::Timeout=300"]
    quiet = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for step in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(["apt-get", *wait, *step], env=quiet, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unable(f"apt-get {step[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def keep_off_at_boot(packages):
    """What was installed for a benchmark is no service of this machine."""
    if not shutil.which("systemctl"):
        return
    for name in packages:
        if pathlib.Path(f"/lib/systemd/system/{name}.service").exists():
            subprocess.run(["systemctl", "disable", "--quiet", name], capture_output=True)


def build():
    """Builds gateway, bare proxy and the load over TLS for release; the paths of the binaries."""
    drifted = different_versions()
    if drifted:
        print(f"note: gateway and bare proxy use different versions of {', '.join(drifted)}")
    return (cargo(PROJECT, "gpconnect-gateway"), cargo(BENCHES / "bare", "bare-proxy"),
            cargo(BENCHES / "bare", "tls-load"))


def cargo(folder, name, target=None):
    """Builds the package in `folder`; the path of its binary `name`."""
    print(f"building {name} for release", flush=True)
    command = ["cargo", "build", "--release", "--locked", "--bin", name]
    command += ["--message-format", "json-render-diagnostics"]
    # One folder for gateway and bare proxy, so that what they share is built once.
    target = target or os.environ.get("CARGO_TARGET_DIR", PROJECT / "target")
    settings = dict(os.environ, CARGO_TARGET_DIR=str(target), OPENSSL_NO_VENDOR="1")
    done = subprocess.run(command, cwd=folder, env=settings, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Unable(f"{name} does not build")
    messages = map(json.loads, done.stdout.splitlines())
    made = [m["executable"] for m in messages if m.get("executable")]
    return made[-1]


def different_versions():
    """The packages that both builds use in versions of their own."""
    ours, bare = locked(PROJECT / "Cargo.lock"), locked(BENCHES / "bare" / "Cargo.lock")
    return sorted(name for name in bare if name in ours and not bare[name] <= ours[name])


def locked(path):
    """Name to versions of the packages in a lock file."""
    versions, name = {}, None
    for line in path.read_text().splitlines():
        key, _, value = line.partition(" = ")
        if key == "name":
            name = value.strip('"')
        elif key == "version" and name:
            versions.setdefault(name, set()).add(value.strip('"'))
            name = None
    return versions


def processors():
    """The processor for the contender, and the one for load and provider."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise Unable("a run needs two processors: one for the contender, one for the load")
    return usable[0], usable[1]


def description():
    """One line on machine and programs, for the report."""
    first, second = processors()
    text = pathlib.Path("/proc/cpuinfo").read_text()
    models = [line.partition(": ")[2] for line in text.splitlines() if "model name" in line]
    siblings = pathlib.Path(f"/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list")
    together = siblings.exists() and second in listed(siblings.read_text())
    parts = [
        f"{os.cpu_count()} processors ({models[0] if models else 'unknown'})",
        "both used ones on one core" if together else "",
        f"Linux {os.uname().release}",
        first_line("haproxy", "-v").partition(" 20")[0],
        first_line("nginx", "-v").removeprefix("nginx version: "),
        first_line("wrk", "-v").partition(" [")[0],
        first_line("rustc", "--version").partition(" (")[0],
    ]
    return ", ".join(part for part in parts if part)


def listed(ranges):
    """The numbers in a list such as `0-1,4`."""
    numbers = set()
    for part in ranges.strip().split(","):
        low, _, high = part.partition("-")
        numbers.update(range(int(low), int(high or low) + 1))
    return numbers


def first_line(*command):
    """What a program says first, wherever it says it."""
    program = shutil.which(command[0], path=search_path()) or command[0]
    try:
        done = subprocess.run([program, *command[1:]], capture_output=True, text=True)
    except OSError:
        return f"{command[0]}: not found"
    return ((done.stdout + done.stderr).strip().splitlines() or [command[0]])[0]
