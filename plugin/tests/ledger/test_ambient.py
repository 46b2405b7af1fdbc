"""Signing as a workflow: sigstore's own client, against an instance of ours on this host."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from plugin.tests.ledger.sigstore_instance import CLAIMS, SINCE, WORKFLOW, Instance
from plugin.tests.ledger.test_identities import identity
from release_gates.errors import TrustError
from release_gates.ledger.attestations.ambient import ambient_seal
from release_gates.ledger.attestations.opening import opened
from release_gates.ledger.attestations.rules import rules_statement
from release_gates.model.trust import Trust

ROLES = ("evidence", "verdict")


class Served:
    """The services that a signer asks: certificates, the log, and the job's own for a token."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.workflow, self.asked = instance, WORKFLOW, 0
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                served.asked += 1
                made = served.certificate(asked) if "signingCert" in self.path else served.entry(asked)
                self.answer(201, made)

            def do_GET(self) -> None:
                """Give a token, as GitHub does to a job that may have one."""
                self.answer(200, {"value": vouched()})

            def answer(self, status: int, made: dict[str, Any]) -> None:
                data = json.dumps(made).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def certificate(self, asked: dict[str, Any]) -> dict[str, Any]:
        request = x509.load_pem_x509_csr(base64.b64decode(asked["certificateSigningRequest"]))
        now = datetime.now(UTC).replace(microsecond=0)
        made = self.instance.certificate(request.public_key(), now, workflow=self.workflow)
        chain = [each.public_bytes(Encoding.PEM).decode() for each in (made, self.instance.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def entry(self, asked: dict[str, Any]) -> dict[str, Any]:
        proposed = asked["spec"]["proposedContent"]
        certificate = x509.load_pem_x509_certificate(base64.b64decode(proposed["verifiers"][0]))
        envelope = json.loads(proposed["envelope"])
        made = self.instance.entry(envelope, certificate, datetime.now(UTC), self.instance.log)
        proof = made["inclusionProof"]
        told = {
            "logIndex": 1,
            "treeSize": 2,
            "rootHash": base64.b64decode(proof["rootHash"]).hex(),
            "hashes": [base64.b64decode(each).hex() for each in proof["hashes"]],
            "checkpoint": proof["checkpoint"]["envelope"],
        }
        promise = made["inclusionPromise"]["signedEntryTimestamp"]
        return {
            "an-entry": {
                "body": made["canonicalizedBody"],
                "integratedTime": int(made["integratedTime"]),
                "logID": base64.b64decode(made["logId"]["keyId"]).hex(),
                "logIndex": 1,
                "verification": {"inclusionProof": told, "signedEntryTimestamp": promise},
            }
        }

    @property
    def config(self) -> str:
        service = {"url": self.url, "majorApiVersion": 1, "validFor": {"start": SINCE}, "operator": "us"}
        return json.dumps(
            {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service],
                "rekorTlogUrls": [service],
                "rekorTlogConfig": {"selector": "ANY"},
            }
        )


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("sigstore.oidc.detect_credential", vouched)
    with serving(Instance()) as made:
        yield made


@contextmanager
def serving(instance: Instance) -> Iterator[Served]:
    """Serve an instance on this host, until the end of the block."""
    made = Served(instance)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        made.server.shutdown()
        thread.join()
        made.server.server_close()


def vouched() -> str:
    """Return what a CI service gives a job; whoever issues certificates would look at its signature."""
    now = int(datetime.now(UTC).timestamp())
    said = {
        "iss": CLAIMS[8],
        "aud": "sigstore",
        "sub": "job",
        "iat": now,
        "exp": now + 300,
        "job_workflow_ref": WORKFLOW,
    }
    parts = (json.dumps(each).encode() for each in ({"alg": "none"}, said))
    return ".".join([base64.urlsafe_b64encode(each).decode().rstrip("=") for each in parts] + [""])


def trust_in(instance: Instance, **changes: Any) -> Trust:
    day = datetime.now(UTC).date()
    days = {"valid_from": day - timedelta(days=1), "valid_until": day + timedelta(days=1)}
    return Trust(identities=(identity(**{**days, **changes}),), trusted_root=instance.trusted_root())


def test_what_is_signed_is_what_is_believed(served: Served) -> None:
    trust = trust_in(served.instance)
    statement = rules_statement("a" * 64, by="somebody", signed=datetime.now(UTC))
    seal = ambient_seal(trust, ROLES, "staging", served.config)
    lines = [seal(statement), seal(statement)]
    for line in lines:
        found = opened(line, trust)
        assert (found.payload, found.key.name) == (statement, "gates")
    assert served.asked == 3  # one certificate serves all lines of a run


def test_what_would_be_refused_is_not_handed_out(served: Served) -> None:
    served.workflow = WORKFLOW.replace("gates.yml", "other.yml")
    seal = ambient_seal(trust_in(served.instance), ROLES, "staging", served.config)
    with pytest.raises(TrustError) as found:
        seal(rules_statement("a" * 64, by="somebody", signed=datetime.now(UTC)))
    assert found.value.slug == "identity-unknown"


def test_an_instance_that_does_not_answer_is_said_so(served: Served) -> None:
    trust, config = trust_in(served.instance), served.config
    nowhere = config.replace(served.url, "http://127.0.0.1:9")
    for text in (nowhere, "{}", "["):
        with pytest.raises(TrustError) as found:
            ambient_seal(trust, ROLES, "staging", text)
        assert found.value.slug == "sigstore-not-signed"
    other = trust_in(Instance())
    with pytest.raises(TrustError, match="sigstore did not sign"):
        ambient_seal(other, ROLES, "staging", config)
