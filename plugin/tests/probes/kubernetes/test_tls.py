"""TLS handshakes with real servers on loopback: what is too old, whose certificate does not fit, who is silent."""

from __future__ import annotations

import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
import trustme

from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes import tls
from release_gates.probes.kubernetes.documents import Document
from release_gates.probes.kubernetes.objects import deployed
from release_gates.probes.kubernetes.settings import Endpoint
from release_gates.probes.kubernetes.tls import Handshake, shake, tls_findings

TITLE = "Service/trading/edge"
EDGE = Document(
    "a",
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "edge", "namespace": "trading"}, "spec": {}},
)


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, suppress(OSError):
                    answer(client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def speaking(
    ca: trustme.CA, name: str, least: ssl.TLSVersion, most: ssl.TLSVersion
) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(name).configure_cert(context)
    context.minimum_version, context.maximum_version = least, most

    def answer(client: socket.socket) -> None:
        client.settimeout(5)
        with context.wrap_socket(client, server_side=True) as secured:
            secured.recv(1)

    return answer


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def asked(ca: trustme.CA, root: Path, answer: Callable[[socket.socket], None]) -> Handshake:
    ca.cert_pem.write_to_path(root / "ca.pem")
    with serving(answer) as port:
        return shake(Endpoint(address=f"127.0.0.1:{port}", server_name="edge.example", ca="ca.pem"), root)


NEW, OLD = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2


def test_a_port_that_speaks_1_3_alone_is_fine(ca: trustme.CA, tmp_path: Path) -> None:
    said = asked(ca, tmp_path, speaking(ca, "edge.example", NEW, NEW))
    assert (said.problem, said.accepted) == ("", ())
    assert not list(tls_findings(deployed([EDGE], namespace="x"), {TITLE: said}))


@pytest.mark.parametrize(
    ("name", "least", "most", "sentences"),
    [
        ("edge.example", OLD, NEW, ["accepts TLS 1.2"]),
        ("edge.example", OLD, OLD, ["does not speak TLS 1.3", "accepts TLS 1.2"]),
        ("other.example", NEW, NEW, ["its certificate does not fit: Hostname mismatch"]),
    ],
)
def test_a_port_that_is_too_old_or_somebody_else(
    name: str,
    least: ssl.TLSVersion,
    most: ssl.TLSVersion,
    sentences: list[str],
    ca: trustme.CA,
    tmp_path: Path,
) -> None:
    said = asked(ca, tmp_path, speaking(ca, name, least, most))
    found = list(tls_findings(deployed([EDGE], namespace="x"), {TITLE: said}))
    assert [one.rule for one in found] == ["NP06"] * len(sentences)
    assert all(sentence in one.text for sentence, one in zip(sentences, found, strict=True))


def test_every_old_version_is_asked_for_by_itself(ca: trustme.CA, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("edge.example").configure_cert(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1

    def answer(client: socket.socket) -> None:
        client.settimeout(5)
        with context.wrap_socket(client, server_side=True) as secured:
            secured.recv(1)

    assert asked(ca, tmp_path, answer).accepted == ("TLS 1.0", "TLS 1.1", "TLS 1.2")


def test_a_certificate_of_nobody_that_is_trusted(ca: trustme.CA, tmp_path: Path) -> None:
    said = asked(ca, tmp_path, speaking(trustme.CA(), "edge.example", NEW, NEW))
    assert "certificate does not fit" in said.problem


def test_plain_text_is_no_tls(ca: trustme.CA, tmp_path: Path) -> None:
    said = asked(ca, tmp_path, lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert "does not speak TLS 1.3" in said.problem


def test_who_does_not_answer_is_undecided(
    ca: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "TIMEOUT_S", 0.2)
    with pytest.raises(MeasurementError, match="no handshake within"):
        asked(ca, tmp_path, lambda client: threading.Event().wait(1) and None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MeasurementError, match="nobody answers"):
        shake(Endpoint(address=f"127.0.0.1:{port}"), tmp_path)
    with (
        serving(lambda client: None) as port,
        pytest.raises(MeasurementError, match=r"no\.pem, cannot be read"),
    ):
        shake(Endpoint(address=f"127.0.0.1:{port}", ca="no.pem"), tmp_path)


def test_a_service_that_is_not_deployed_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="is about none of"):
        list(tls_findings(deployed([EDGE], namespace="x"), {"Service/trading/x": Handshake("a:1", "", ())}))


@pytest.mark.parametrize(
    "said", [{"address": "x"}, {"address": ":1"}, {"address": "x:0"}, {"address": "x:1", "ca": "../a"}]
)
def test_an_address_that_is_none(said: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, Endpoint)
