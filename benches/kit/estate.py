"""What the load is made of: practices, one consumer, its tokens and its requests.

Everything here is invented; the NHS number is from the range for tests.
"""

import base64
import dataclasses
import datetime
import json
import time

CONSUMER = "200000000359"
ORGANISATION = "RXX01"
# What the consumer's certificate names.
HOST = "epr.rxx01.example"
UPSTREAMS = ["north", "east", "south", "west"]
# What a consumer's requests say in Host.
SERVER_NAME = "gateway.example"
URN = "urn:nhs:names:services:gpconnect:"
FIND_PATIENT = URN + "fhir:rest:search:patient-1"
FIND_SLOTS = URN + "fhir:rest:search:slot-1"
CAPABILITIES = URN + "fhir:rest:read:metadata-1"
STRUCTURED_CAPABILITIES = URN + "structured:fhir:rest:read:metadata-1"
# The scopes that the interactions want: what a checking contender has to know.
SCOPES = {
    FIND_PATIENT: "patient/*.read",
    FIND_SLOTS: "organization/*.read",
    CAPABILITIES: "organization/*.read",
    URN + "fhir:rest:read:patient-1": "patient/*.read",
    URN + "fhir:rest:read:practitioner-1": "organization/*.read",
    URN + "fhir:rest:search:practitioner-1": "organization/*.read",
    URN + "fhir:rest:read:organization-1": "organization/*.read",
    URN + "fhir:rest:search:organization-1": "organization/*.read",
    URN + "fhir:rest:read:location-1": "organization/*.read",
    URN + "fhir:operation:gpc.registerpatient-1": "patient/*.write",
    URN + "fhir:rest:search:patient_appointments-1": "patient/*.read",
    URN + "fhir:rest:read:appointment-1": "patient/*.read",
    URN + "fhir:rest:create:appointment-1": "patient/*.write",
    URN + "fhir:rest:update:appointment-1": "patient/*.write",
    URN + "fhir:rest:cancel:appointment-1": "patient/*.write",
    URN + "fhir:operation:gpc.getstructuredrecord-1": "patient/*.read",
    STRUCTURED_CAPABILITIES: "organization/*.read",
}


@dataclasses.dataclass(frozen=True)
class Practice:
    """One of up to 10,000."""

    number: int

    @property
    def ods_code(self):
        return f"{'ABCDEFGHJK'[self.number // 1000]}{81000 + self.number % 1000}"

    @property
    def asid(self):
        return f"9189{self.number:08}"

    @property
    def party_key(self):
        return f"{self.ods_code}-{800000 + self.number}"

    @property
    def upstream(self):
        return UPSTREAMS[self.number % len(UPSTREAMS)]

    @property
    def service_root(self):
        return f"https://{self.upstream}.example/{self.ods_code}/STU3/1/gpconnect/fhir"

    @property
    def structured_root(self):
        return f"https://{self.upstream}.example/{self.ods_code}/STU3/1/gpconnect/structured/fhir"


def practices(count):
    """The first `count` practices."""
    return [Practice(number) for number in range(count)]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """One kind of request and the size of its answer."""

    name: str
    title: str
    interaction: str
    answer_bytes: int
    # Over mutual TLS: `kept` for requests over open connections, `new` for handshakes alone.
    tls: str = ""
    # Only these are measured, or all; with so many connections, or as many as the command says.
    only: tuple = ()
    connections: int = 0
    # Requests a second, or as many as are answered.
    rate: int = 0
    # What the requests say of answers from memory, for those that keep some.
    cache_control: str = ""

    def path(self):
        """What follows the service root."""
        if self.interaction == STRUCTURED_CAPABILITIES:
            return "metadata"
        if self.interaction == FIND_PATIENT:
            return "Patient?identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9000000009"
        day = datetime.date.today()
        start, end = day + datetime.timedelta(1), day + datetime.timedelta(14)
        return f"Slot?start=ge{start}&end=le{end}&status=free&_include=Slot%3Aschedule"


SCENARIOS = [
    Scenario("2k", "find a patient, answer of 2 kB", FIND_PATIENT, 2_000),
    Scenario("200k", "find free slots, answer of 200 kB", FIND_SLOTS, 200_000),
]
# The figures of `handshakes` are for 1,000 handshakes.
TLS_SCENARIOS = [
    Scenario("2k-tls", "find a patient over mutual TLS, answer of 2 kB", FIND_PATIENT, 2_000, "kept"),
    Scenario("handshakes", "full handshakes of mutual TLS, no request", FIND_PATIENT, 0, "new"),
]
# What the journal costs.
JOURNAL_SCENARIOS = [
    Scenario("journal", "find a patient, 256 connections, beside a build without the journal",
             FIND_PATIENT, 2_000, only=("gateway 1,000", "unaudited"), connections=256),
    Scenario("journal-500", "find a patient, 500 a second, beside a build without the journal",
             FIND_PATIENT, 2_000, only=("gateway 1,000", "unaudited"), rate=500),
]
# What metrics and traces cost.
OBSERVED_SCENARIOS = [
    Scenario("observed", "find a patient, one in a hundred traced, beside a build without metrics",
             FIND_PATIENT, 2_000, only=("gateway 1,000", "traced", "deaf", "unobserved")),
]
# The first fills the memory for the second; the statements of 1,000 practices fit.
CACHE_SCENARIOS = [
    Scenario("miss", "read a capability statement of 16 kB, asked of the provider",
             STRUCTURED_CAPABILITIES, 16_000, only=("gateway 1,000",), cache_control="no-cache"),
    Scenario("hit", "the same from memory", STRUCTURED_CAPABILITIES, 16_000,
             only=("gateway 1,000",), cache_control="max-age=3600"),
]
EVERY_SCENARIO = SCENARIOS + TLS_SCENARIOS + JOURNAL_SCENARIOS + OBSERVED_SCENARIOS + CACHE_SCENARIOS


def claims(practice, interaction, now):
    """What the token of a request made at `now` says."""
    local = "https://epr.rxx01.example/Id"
    return {
        "iss": "https://epr.rxx01.example/gpconnect",
        "sub": "10019",
        "aud": service_root(practice, interaction),
        "exp": now + 300,
        "iat": now,
        "reason_for_request": "directcare",
        "requested_scope": SCOPES[interaction],
        "requesting_device": {
            "resourceType": "Device",
            "identifier": [{"system": f"{local}/device", "value": "WARD-7-PC-12"}],
            "model": "Northern EPR",
            "version": "7.3.1",
        },
        "requesting_organization": {
            "resourceType": "Organization",
            "identifier": [
                {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": ORGANISATION},
            ],
            "name": "Northern Hospital",
            "telecom": [{"system": "phone", "value": "0113 496 0000", "use": "work"}],
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": "10019",
            "identifier": [
                {"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "111122223333"},
                {"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "444455556666"},
                {"system": f"{local}/user", "value": "0d3a2c53-4f6f-4b9c-9a0e-8f2d2c8f6a41"},
            ],
            "name": [{"family": "Kaur", "given": ["Amrit"], "prefix": ["Dr"]}],
        },
    }


def token(payload):
    """An unsigned token: header, claims, nothing."""
    parts = [{"alg": "none", "typ": "JWT"}, payload]
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in parts]
    encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
    return ".".join(encoded) + "."


def headers(practice, interaction, payload):
    """The headers of a good request, all but its trace id."""
    return {
        "Host": SERVER_NAME,
        "Accept": "application/fhir+json",
        "Ssp-From": CONSUMER,
        "Ssp-To": practice.asid,
        "Ssp-InteractionID": interaction,
        "Authorization": f"Bearer {token(payload)}",
    }


def service_root(practice, interaction):
    """The root at which a practice answers an interaction."""
    structured = interaction == STRUCTURED_CAPABILITIES
    return practice.structured_root if structured else practice.service_root


def target(practice, path, interaction=FIND_PATIENT):
    """The request target, in ODS form."""
    root = service_root(practice, interaction).partition(f"/{practice.ods_code}/")[2]
    return f"/{practice.ods_code}/{root}/{path}"


def write_heads(file, scenario, count):
    """Writes a request head with a fresh token for each practice, to be ended by a trace id."""
    now, path = int(time.time()), scenario.path()
    with open(file, "w", newline="") as out:
        for practice in practices(count):
            payload = claims(practice, scenario.interaction, now)
            out.write(f"GET {target(practice, path, scenario.interaction)} HTTP/1.1\r\n")
            for name, value in headers(practice, scenario.interaction, payload).items():
                out.write(f"{name}: {value}\r\n")
            if scenario.cache_control:
                out.write(f"Cache-Control: {scenario.cache_control}\r\n")
            out.write("\r\n")
