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
        text = (BENCHES / "provider.conf").read_text()
        listen = "\n".join(f"listen 127.0.0.1:{port};" for port in self.ports.values())
        small = bundle(estate.SCENARIOS[0].answer_bytes)
        for word, value in (("FOLDER", str(folder)), ("LISTEN", listen), ("PATIENT", small)):
            text = text.replace(f"@{word}@", value)
        (folder / "provider.conf").write_text(text)
        command = ["nginx", "-p", str(folder), "-c", "provider.conf", "-e", "provider.err"]
        self.program = Program(command, processor, folder / "provider.out")
        wait_until(lambda: accepts(self.port), self.program)


def bundle(size):
    """A searchset of at least `size` bytes, in the shape of the real ones."""
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
        whole = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
        text = json.dumps(whole, separators=(",", ":"))
        if len(text) >= size:
            return text
