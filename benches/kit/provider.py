"""The provider systems: one nginx on four ports, fast enough never to be what is measured."""

import json
import pathlib

from . import estate
from .machine import BENCHES
from .processes import Program, accepts, free_port, wait_until


class Provider:
    """The running provider systems."""

    def __init__(self, folder, processor):
        folder = pathlib.Path(folder)
        self.ports = {name: free_port() for name in estate.UPSTREAMS}
        self.port = self.ports[estate.UPSTREAMS[0]]
        (folder / "slots.json").write_text(bundle(estate.SCENARIOS[1].answer_bytes))
        (folder / "statement.json").write_text(statement(estate.CACHE_SCENARIOS[0].answer_bytes))
        text = (BENCHES / "provider.conf").read_text()
        listen = "\n".join(f"listen 127.0.0.1:{port};" for port in self.ports.values())
        patient = json.dumps(searchset([found()]), separators=(",", ":"))
        for word, value in (("FOLDER", str(folder)), ("LISTEN", listen), ("PATIENT", patient)):
            text = text.replace(f"@{word}@", value)
        (folder / "provider.conf").write_text(text)
        command = ["nginx", "-p", str(folder), "-c", "provider.conf", "-e", "provider.err"]
        self.program = Program(command, processor, folder / "provider.out")
        wait_until(lambda: accepts(self.port), self.program)


def searchset(entries):
    """What a search finds."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def found():
    """The one patient of an NHS number, in the shape of the real ones: the answer is of 2 kB."""
    definitions = "https://fhir.nhs.uk/STU3/StructureDefinition"
    codes = "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect"

    def coded(system, code, display):
        return {"coding": [{"system": f"{codes}-{system}-1", "code": code, "display": display}]}

    return {
        "fullUrl": "https://north.example/STU3/1/gpconnect/fhir/Patient/1704",
        "resource": {
            "resourceType": "Patient",
            "id": "1704",
            "meta": {"versionId": "1469448000000", "lastUpdated": "2026-07-25T12:00:00.000+00:00",
                     "profile": [f"{definitions}/CareConnect-GPC-Patient-1"]},
            "extension": [
                {"url": f"{definitions}/Extension-CareConnect-GPC-RegistrationDetails-1", "extension": [
                    {"url": "registrationPeriod", "valuePeriod": {"start": "1992-07-08"}},
                    {"url": "registrationType", "valueCodeableConcept":
                     coded("RegistrationType", "R", "Regular")}]},
                {"url": f"{definitions}/Extension-CareConnect-GPC-NHSCommunication-1", "extension": [
                    {"url": "language", "valueCodeableConcept":
                     coded("HumanLanguage", "en", "English")},
                    {"url": "interpreterRequired", "valueBoolean": False}]},
            ],
            "identifier": [{
                "extension": [{
                    "url": f"{definitions}/Extension-CareConnect-GPC-NHSNumberVerificationStatus-1",
                    "valueCodeableConcept": coded("NHSNumberVerificationStatus", "01",
                                                  "Number present and verified")}],
                "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009"}],
            "active": True,
            "name": [{"use": "official", "text": "EXAMPLE, Robin (Mx)", "family": "Example",
                      "given": ["Robin"], "prefix": ["Mx"]}],
            "telecom": [{"system": "phone", "value": "0113 496 0000", "use": "home"},
                        {"system": "phone", "value": "07700 900000", "use": "mobile"}],
            "gender": "female",
            "birthDate": "1970-01-01",
            "maritalStatus": coded("MaritalStatus", "M", "Married"),
            "address": [{"use": "home", "type": "physical", "line": ["1 Mill Lane"],
                         "city": "Leeds", "postalCode": "LS1 4HY"}],
            "generalPractitioner": [{"reference": "Practitioner/2"}],
            "managingOrganization": {"reference": "Organization/7"},
        },
    }


def bundle(size):
    """A searchset of at least `size` bytes."""
    entries = []
    while True:
        number = len(entries) + 1
        entries.append({
            "fullUrl": f"https://north.example/STU3/1/gpconnect/fhir/Patient/{number}",
            "resource": {
                "resourceType": "Patient",
                "id": str(number),
                "meta": {"versionId": "1", "profile": [
                    "https://fhir.nhs.uk/STU3/StructureDefinition/CareConnect-GPC-Patient-1"]},
                "identifier": [
                    {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9000000009"}],
                "active": True,
                "name": [{"use": "official", "family": "Example", "given": ["Robin"]}],
                "gender": "female",
                "birthDate": "1970-01-01",
                "address": [{"use": "home", "line": [f"{number} Mill Lane"], "city": "Leeds"}],
            },
        })
        text = json.dumps(searchset(entries), separators=(",", ":"))
        if len(text) >= size:
            return text


def statement(size):
    """A capability statement of at least `size` bytes."""
    resources = []
    while True:
        resources.append({
            "type": f"Resource{len(resources)}",
            "profile": {"reference": "https://fhir.nhs.uk/STU3/StructureDefinition/Example-1"},
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": "identifier", "type": "token", "documentation": "system|value"}],
        })
        whole = {"resourceType": "CapabilityStatement", "status": "active", "date": "2026-01-01",
                 "kind": "capability", "fhirVersion": "3.0.1", "acceptUnknown": "both",
                 "format": ["application/fhir+json", "application/fhir+xml"],
                 "rest": [{"mode": "server", "resource": resources}]}
        text = json.dumps(whole, separators=(",", ":"))
        if len(text) >= size:
            return text
