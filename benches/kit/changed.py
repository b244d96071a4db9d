"""Gateways without something that the product always does, to tell what that costs.

The product has no way to do without: so each is built of a changed copy of its source, under a name of
its own, and starts nowhere but here.
"""

import shutil

from .machine import PROJECT, Unable, cargo

JOURNAL = "src/audit/mod.rs"
TELEMETRY = "src/telemetry/mod.rs"

# File, what stands there once, what is put behind it. The condition is opaque to the compiler, so that
# the rest of each function is neither reached nor warned of.
CHANGES = {
    # No journal.
    "unaudited": [
        (JOURNAL, "pub fn intend(&self, request: &Request<'_>) -> Option<(Ticket, Durable)> {", """
        if std::hint::black_box(true) {
            let (durable, told) = oneshot::channel();
            return durable.send(true).is_ok().then_some((Ticket(0), Durable(told)));
        }
"""),
        (JOURNAL, """
        ended: &Record<'_>,
        service_root: &str,
        known: &[Known],
    ) {""", """
        if std::hint::black_box(true) {
            return;
        }
"""),
    ],
    # No metrics of requests; the log line is written.
    "unobserved": [
        (TELEMETRY, "pub fn finished(&self, record: &Record<'_>) {", """
        if std::hint::black_box(true) {
            self.log.write(line::request(record, self.style));
            return;
        }
"""),
        (TELEMETRY, """
        patients: &Patients,
        fhir_request: &str,
    ) {""", """
        if std::hint::black_box(true) {
            return;
        }
"""),
    ],
}


def build(name):
    """Builds one for release; the path of the binary."""
    folder = PROJECT / "target" / name
    copy, binary = folder / "source", f"{name}-for-benches-only"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(PROJECT, copy, ignore=left_out)
    named = ("Cargo.toml", '[[bin]]\nname = "', f'{binary}"\n# was: "')
    for file, place, more in [named, *CHANGES[name]]:
        path = copy / file
        text = path.read_text()
        if text.count(place) != 1:
            raise Unable(f"{file} has no longer one {place.strip()!r}: mend benches/kit/changed.py")
        path.write_text(text.replace(place, place + more))
    # In a folder of its own: cargo takes the changed library for the gateway's, since both have one
    # name, and would put it into a binary of the gateway.
    return cargo(copy, binary, folder / "built")


def left_out(folder, names):
    """What is no source."""
    return {name for name in names if name in ("target", ".git")}
