"""Whether a contender does what it is measured for. A cheap refusal to check would look fast."""

import http.client
import json
import socket
import ssl
import time
import uuid

from . import estate
from .estate import CAPABILITIES, FIND_PATIENT, SCENARIOS
from .machine import Unable


class Proof:
    """The checks of one contender, each a name and whether it holds."""

    def __init__(self, contender, provider):
        self.contender, self.provider = contender, provider
        self.now, self.trace_ids, self.found = int(time.time()), [], []

    def note(self, name, holds):
        """Keeps the result of one check."""
        self.found.append((name, bool(holds)))

    def send(self, practice, interaction, path, without=None, bearer=None, **changed):
        """Sends one request; its status and body."""
        payload = {**estate.claims(practice, interaction, self.now), **changed}
        headers = estate.headers(practice, interaction, payload)
        headers["Ssp-TraceID"] = str(uuid.uuid4())
        self.trace_ids.append(headers["Ssp-TraceID"])
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        headers.pop(without, None)
        connection = http.client.HTTPConnection("127.0.0.1", self.contender.port, timeout=10)
        try:
            connection.request("GET", estate.target(practice, path), headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def answered(self):
        """Good requests get the provider's answer, whole."""
        last = estate.Practice(self.contender.practices - 1)
        for scenario in SCENARIOS:
            status, body = self.send(last, scenario.interaction, scenario.path())
            whole = len(body) >= scenario.answer_bytes and is_a("Bundle", body)
            self.note(f"good request, {scenario.name} answer", status == 200 and whole)

    def routed(self):
        """Practices are found, and the provider hears who asks."""
        for practice in estate.practices(len(estate.UPSTREAMS)):
            status, body = self.send(practice, CAPABILITIES, "metadata")
            heard = json.loads(body) if status == 200 else {}
            right = heard.get("port") == self.provider.ports[practice.upstream]
            self.note(f"routed to {practice.upstream}", right)
            self.note("trace id forwarded", heard.get("trace") == self.trace_ids[-1])
            self.note("Forwarded added", "for=" in heard.get("forwarded", ""))

    def refused(self):
        """Each fault gets its status and an OperationOutcome."""
        path, practice = SCENARIOS[0].path(), estate.Practice(7)
        old = self.now - 900
        cases = [(f"without {name}", 400, {"without": name})
                 for name in ("Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID")]
        cases += [
            ("without a token", 400, {"without": "Authorization"}),
            ("broken token", 400, {"bearer": "a.b."}),
            ("expired token", 400, {"iat": old, "exp": old + 300}),
            ("another reason", 400, {"reason_for_request": "research"}),
            ("another scope", 400, {"requested_scope": "patient/*.write"}),
        ]
        for name, wanted, request in cases:
            status, body = self.send(practice, FIND_PATIENT, path, **request)
            self.note(f"refused: {name}", status == wanted and is_a("OperationOutcome", body))
        status, body = self.send(Unknown(7), FIND_PATIENT, path)
        self.note("refused: unknown practice", status == 404 and is_a("OperationOutcome", body))

    def certified(self, pki):
        """Over TLS a consumer's certificate is asked for, and one that was revoked refused."""
        scenario, practice = SCENARIOS[0], estate.Practice(7)
        payload = estate.claims(practice, scenario.interaction, self.now)
        headers = estate.headers(practice, scenario.interaction, payload)
        headers["Ssp-TraceID"] = str(uuid.uuid4())
        wanted = estate.target(practice, scenario.path())
        cases = [("with a certificate", pki.consumer, True), ("without a certificate", None, False)]
        # Bare has no lists.
        cases += [("with a revoked one", pki.revoked, False)] if self.contender.checks else []
        for name, files, good in cases:
            status = over_tls(self.contender.tls_port, pki.authority, files, wanted, headers)
            self.note(f"over TLS {name}", (status == 200) == good)

    def logged(self):
        """Every request left one JSON line with its trace id and a status."""
        deadline = time.monotonic() + 5
        # Without Ssp-TraceID there is none to find.
        missing = set(self.trace_ids)
        while len(missing) > 1 and time.monotonic() < deadline:
            time.sleep(0.05)
            lines = self.contender.log.read_text().splitlines()
            lines = [json.loads(line) for line in lines if line.startswith("{")]
            missing -= {line.get("trace_id") for line in lines if line.get("status")}
        self.note("a log line for each request", len(missing) <= 1)


class Unknown(estate.Practice):
    """A practice that nobody knows."""

    @property
    def ods_code(self):
        return "Z99999"


def over_tls(port, authority, files, target, headers):
    """The status of one request over TLS; 0 when there was none."""
    context = ssl.create_default_context(cafile=authority)
    if files:
        context.load_cert_chain(*files)
    try:
        with socket.create_connection(("127.0.0.1", port), 10) as plain:
            with context.wrap_socket(plain, server_hostname=estate.SERVER_NAME) as stream:
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                stream.sendall(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode())
                return int(stream.recv(4_096).split(b" ")[1])
    except (OSError, IndexError, ValueError):
        return 0


def is_a(kind, body):
    """Whether a body is a FHIR resource of that type."""
    try:
        return json.loads(body).get("resourceType") == kind
    except (ValueError, AttributeError):
        return False


def prove(contender, provider, pki):
    """Raises unless all checks hold; how many there were."""
    proof = Proof(contender, provider)
    proof.answered()
    if contender.tls_port:
        proof.certified(pki)
    if contender.checks:
        proof.routed()
        proof.refused()
        proof.logged()
    failed = [name for name, holds in proof.found if not holds]
    if failed:
        raise Unable(f"{contender.name} does not do its work: {'; '.join(failed)}")
    return len(proof.found)
