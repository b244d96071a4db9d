"""A consumer built on fhirpy, a public FHIR client library, at work through the gateway.

Reads a patient, finds free slots, books an appointment and cancels it. Knows nothing of the Spine's
headers except the one that tells a cancellation from an amendment: an assisted consumer leaves the
others to the gateway. Prints one JSON object that says what it got.

Usage: fhir_client.py GATEWAY HOST PRACTICE ORGANISATION
"""

import base64
import json
import sys
import time

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome

PROFILES = "https://fhir.nhs.uk/STU3/StructureDefinition"
CANCEL = "urn:nhs:names:services:gpconnect:fhir:rest:cancel:appointment-1"


def token(service_root, organisation, scope):
    """A GP Connect token: three parts of base64, the last one empty."""
    now = int(time.time())
    user = "https://fhir.nhs.uk/Id/sds-user-id"
    claims = {
        "iss": "https://epr.rxx01.example/",
        "sub": "u-1",
        "aud": service_root,
        "iat": now,
        "exp": now + 300,
        "reason_for_request": "directcare",
        "requested_scope": scope,
        "requesting_device": {
            "resourceType": "Device",
            "identifier": [{"system": "https://epr.rxx01.example/devices", "value": "d-1"}],
            "model": "fhirpy",
            "version": "2",
        },
        "requesting_organization": {
            "resourceType": "Organization",
            "identifier": [
                {
                    "system": "https://fhir.nhs.uk/Id/ods-organization-code",
                    "value": organisation,
                }
            ],
            "name": "Example Hospital",
        },
        "requesting_practitioner": {
            "resourceType": "Practitioner",
            "id": "u-1",
            "identifier": [{"system": user, "value": "111222333444"}],
            "name": [{"family": "Kaur", "given": ["Asha"]}],
        },
    }
    parts = [{"alg": "none", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
    return "Bearer " + b".".join([*encoded, b""]).decode()


class Consumer:
    """Makes a client of the library for each kind of request: the token names its scope."""

    def __init__(self, gateway, host, practice, organisation):
        self.root = f"{gateway}/{practice}/STU3/1/gpconnect/fhir"
        self.host = host
        self.organisation = organisation

    def client(self, scope, **headers):
        common = {"Host": self.host, "Content-Type": "application/fhir+json;charset=utf-8"}
        return SyncFHIRClient(
            self.root,
            authorization=token(self.root, self.organisation, scope),
            extra_headers={**common, **headers},
        )


def appointment(client, patient, slot, organisation):
    """A booking of the slot for the patient."""
    return client.resource(
        "Appointment",
        meta={"profile": [f"{PROFILES}/GPConnect-Appointment-1"]},
        contained=[
            {
                "resourceType": "Organization",
                "id": "org",
                "identifier": [
                    {
                        "system": "https://fhir.nhs.uk/Id/ods-organization-code",
                        "value": organisation,
                    }
                ],
                "name": "Example Hospital",
                "telecom": [{"system": "phone", "value": "01632 960001"}],
            }
        ],
        extension=[
            {
                "url": f"{PROFILES}/Extension-GPConnect-BookingOrganisation-1",
                "valueReference": {"reference": "#org"},
            }
        ],
        status="booked",
        description="Follow-up",
        created="2026-11-23T09:15:00+00:00",
        start=slot["start"],
        end=slot["end"],
        slot=[{"reference": f"Slot/{slot['id']}"}],
        participant=[
            {"actor": {"reference": f"Patient/{patient['id']}"}, "status": "accepted"},
            {"actor": {"reference": "Location/1"}, "status": "accepted"},
        ],
    )


def cancel(consumer, booked):
    """Cancels what was booked; gives back the appointment, and what a second time comes to."""
    version = f'W/"{booked["meta"]["versionId"]}"'
    headers = {"Ssp-InteractionID": CANCEL, "If-Match": version}
    client = consumer.client("patient/*.write", **headers)
    cancelled = client.resource("Appointment", **booked.serialize())
    cancelled["status"] = "cancelled"
    cancelled["extension"] = [
        *cancelled["extension"],
        {
            "url": f"{PROFILES}/Extension-GPConnect-AppointmentCancellationReason-1",
            "valueString": "No longer needed",
        },
    ]
    cancelled.save()
    try:
        cancelled.save()
    except OperationOutcome as conflict:
        return cancelled, conflict.resource["issue"][0]["code"]
    return cancelled, None


def main():
    consumer = Consumer(*sys.argv[1:])
    reader = consumer.client("patient/*.read")
    number = "https://fhir.nhs.uk/Id/nhs-number|9000000009"
    found = reader.resources("Patient").search(identifier=number).fetch()
    patient = reader.reference("Patient", found[0]["id"]).to_resource()

    diary = consumer.client("organization/*.read").resources("Slot")
    diary = diary.search(start="ge2026-11-24", end="le2026-12-04", status="free")
    diary = diary.include("Slot", "schedule")
    slots = diary.fetch()

    writer = consumer.client("patient/*.write")
    booked = appointment(writer, patient, slots[0], consumer.organisation)
    booked.save()
    left = diary.fetch()
    read = reader.reference("Appointment", booked["id"]).to_resource()
    cancelled, conflict = cancel(consumer, booked)
    print(
        json.dumps(
            {
                "patient": patient.serialize(),
                "slots": [slot["id"] for slot in slots],
                "left": [slot["id"] for slot in left],
                "free_again": [slot["id"] for slot in diary.fetch()],
                "booked": booked.serialize(),
                "read": read.serialize(),
                "cancelled": cancelled.serialize(),
                "conflict": conflict,
            }
        )
    )


if __name__ == "__main__":
    main()
