"""The proxies that are compared: what each is given to start with, and what it does."""

import json
import pathlib
import subprocess

from . import estate
from .machine import BENCHES
from .processes import Program, accepts, answers, free_port, wait_until

# For the report.
HAPROXY_DOES = [
    "Ssp-TraceID, Ssp-From, Ssp-To and Ssp-InteractionID are there",
    "the token's exp lies ahead, its reason_for_request is directcare, its requested_scope is what"
    " the interaction wants",
    "the ODS code is one of 1,000; one of four upstreams is chosen by it",
    "Forwarded, refusals as OperationOutcome, a JSON log line a request",
    "over TLS: client certificates by authority, time and revocation list",
]
HAPROXY_DOES_NOT = [
    "one reading of every head: doubled headers, odd framing, ambiguous targets",
    "that verb, path and interaction fit each other",
    "that sender and practice are registered for the interaction, that Ssp-To is the practice's",
    "sharing agreements, switches of practices and capabilities",
    "the other claims (iat, aud, iss, sub, device, organisation, practitioner), the token's form",
    "the proxy form of addresses, filling of headers, all faults in one answer",
    "over TLS: that the certificate is that of Ssp-From, a revocation on open connections",
    "body held whole, Via, Ssp-TraceID and no-store on every answer, metrics by practice",
]


class Contender:
    """One that is measured: where it listens, which practices it knows, where it logs."""

    def __init__(self, name, program, port, practices=1_000, log=None, start_seconds=None,
                 tls_port=None, metrics=None):
        self.name, self.program, self.port, self.tls_port = name, program, port, tls_port
        self.metrics = metrics
        self.practices, self.log, self.start_seconds = practices, log, start_seconds

    @property
    def checks(self):
        """Whether it claims to check: those that log also check."""
        return self.log is not None


def direct(provider):
    """No proxy at all: the load goes to the provider."""
    return Contender("direct", provider.program, provider.port)


def bare(binary, folder, provider, processor, pki=None):
    """The engine alone."""
    port, tls_port = free_port(), free_port() if pki else None
    addresses = [f"127.0.0.1:{port}", f"127.0.0.1:{provider.port}"]
    tls = [f"127.0.0.1:{tls_port}", pki.certificate, pki.key, pki.authority] if pki else []
    program = Program([binary, *addresses, "1", *tls], processor, folder / "bare.out")
    seconds = wait_until(lambda: accepts(tls_port or port), program)
    return Contender("bare", program, port, start_seconds=seconds, tls_port=tls_port)


def haproxy(folder, provider, processor, pki):
    """HAProxy with the checks that it can do."""
    port, tls_port, log = free_port(), free_port(), folder / "haproxy.log"
    known = estate.practices(1_000)
    write_map(folder / "practices.map", {each.ods_code: each.upstream for each in known})
    write_map(folder / "scopes.map", estate.SCOPES)
    backends = (f"backend {name}\n    server provider 127.0.0.1:{port}\n"
                for name, port in provider.ports.items())
    tls = f"crt {pki.both} ca-file {pki.authority} crl-file {pki.list}"
    values = {"FOLDER": folder, "TLSPORT": tls_port, "TLS": tls, "PORT": port, "BACKENDS": "\n".join(backends),
              "REFUSE_400": refusal(folder, 400, "invalid"),
              "REFUSE_404": refusal(folder, 404, "not-found")}
    text = (BENCHES / "haproxy.cfg").read_text()
    for word, value in values.items():
        text = text.replace(f"@{word}@", str(value))
    configuration = folder / "haproxy.cfg"
    configuration.write_text(text)
    # Its log lines are what it prints.
    program = Program(["haproxy", "-db", "-f", str(configuration)], processor, log)
    seconds = wait_until(lambda: accepts(port), program)
    return Contender("haproxy", program, port, log=log, start_seconds=seconds, tls_port=tls_port)


def write_map(file, pairs):
    """A map file of HAProxy."""
    file.write_text("".join(f"{key} {value}\n" for key, value in pairs.items()))


def refusal(folder, status, code):
    """What follows `http-request return`: an OperationOutcome with `status`."""
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}
    file = folder / f"outcome-{status}.json"
    file.write_text(json.dumps(outcome))
    return f"status {status} content-type application/fhir+json file {file} hdr Cache-Control no-store"


def gateway(binary, folder, provider, processor, count, pki=None, name=None, collector=None):
    """The gateway with `count` practices and as many agreements times a hundred; with a collector, one
    request in a hundred is traced."""
    name = name or f"gateway {count:,}"
    folder = folder / name.replace(" ", "-").replace(",", "")
    folder.mkdir()
    port, observe, log = free_port(), free_port(), folder / "gateway.log"
    tls_port = free_port() if pki else None
    text = settings(port, observe, log, provider) + (listener(tls_port, pki) if pki else "")
    text += traces(collector) if collector else ""
    (folder / "gateway.toml").write_text(text)
    (folder / "practices.toml").write_text(practices(count))
    (folder / "consumers.toml").write_text(consumers())
    command = [binary, "serve", "--config", str(folder / "gateway.toml")]
    keys = folder / "audit-keys"
    if not keys.exists():
        make = [binary, "audit", "keys", "--name", "bench.example/audit", str(keys)]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    program = Program(command, processor, folder / "gateway.out")
    seconds = wait_until(lambda: answers(f"http://127.0.0.1:{observe}/readyz"), program)
    observe = f"http://127.0.0.1:{observe}/metrics"
    return Contender(name, program, port, count, log, seconds, tls_port, observe)


def settings(port, observe, log, provider):
    """gateway.toml."""
    upstreams = "".join(f"""
[[upstream]]
name = "{name}"
address = "127.0.0.1:{port}"
insecure_plain_http = true
""" for name, port in provider.ports.items())
    return f"""
[server]
threads = 1

[directory]
files = ["practices.toml", "consumers.toml"]

[[listener]]
name = "consumers"
address = "127.0.0.1:{port}"
server_names = ["{estate.SERVER_NAME}"]
insecure_plain_http = true
insecure_everyone_is = ["{estate.CONSUMER}"]

[cache]

[observe]
address = "127.0.0.1:{observe}"

[log]
format = "json"
file = "{log}"
{upstreams}"""


def traces(collector):
    """One request in a hundred is traced."""
    return f"""
[traces]
endpoint = "{collector.endpoint}"
protocol = "http/protobuf"
ratio = "1%"
"""


def listener(port, pki):
    """The listener that wants client certificates."""
    return f"""
[[listener]]
name = "secure"
address = "127.0.0.1:{port}"
server_names = ["{estate.SERVER_NAME}"]

[listener.tls]
certificate = "{pki.certificate}"
key = "{pki.key}"
client_authorities = ["{pki.authority}"]
revocation_lists = ["{pki.list}"]
"""


def practices(count):
    """The practices, in groups of a hundred, with everything switched on."""
    known = estate.practices(count)
    parts = [practice(each) for each in known]
    groups = []
    for first in range(0, count, 100):
        groups.append(f"area-{first // 100}")
        members = [each.ods_code for each in known[first:first + 100]]
        parts.append(f'[[group]]\nname = "{groups[-1]}"\nmembers = {json.dumps(members)}\n')
    areas = json.dumps([f"group:{name}" for name in groups])
    parts.append(f"""
[[group]]
name = "region"
members = {areas}

[[enablement]]
practices = ["group:region"]
gp_connect = true
capabilities = ["appointments", "structured"]

[[agreement]]
reference = "DSA-BENCH"
consumers = ["group:hospitals"]
practices = ["group:region"]
capabilities = ["foundations", "appointments", "structured"]
""")
    return "".join(parts)


def practice(each):
    """One practice and its provider system."""
    return f"""
[[organisation]]
ods_code = "{each.ods_code}"
name = "Practice {each.number}"

[[provider]]
organisation = "{each.ods_code}"
asid = "{each.asid}"
party_key = "{each.party_key}"
upstream = "{each.upstream}"
service_roots.foundations = "{each.service_root}"
service_roots.appointments = "{each.service_root}"
service_roots.structured = "{each.structured_root}"
"""


def consumers():
    """A hundred consumer organisations, the load's own first."""
    codes = [estate.ORGANISATION] + [f"RYY{number:02}" for number in range(1, 100)]
    parts = [f"""
[[organisation]]
ods_code = "{code}"
name = "Hospital {number}"

[[consumer]]
asid = "{int(estate.CONSUMER) + number}"
organisation = "{code}"
host_name = "epr.{code.lower()}.example"
party_key = "{code}-{9200001 + number}"
mode = "transparent"
interactions = ["1.2.7"]
""" for number, code in enumerate(codes)]
    parts.append(f'[[group]]\nname = "hospitals"\nmembers = {json.dumps(codes)}\n')
    return "".join(parts)
