"""Engines on other hosts, by TLS and by ssh: reached as they are, or refused with a sentence."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from fixtures.docker_engine import docker_engine
from release_gates.errors import ProbeUnavailable
from release_gates.probes.container.engine import Engine


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    """Yield the socket of an engine of this host."""
    with docker_engine():
        yield os.environ.get("DOCKER_HOST", "").removeprefix("unix://") or "/var/run/docker.sock"


def identity(engine: Engine) -> str:
    with engine:
        return str(engine.api.info()["ID"])


# -- TLS --------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of the test."""

    def __init__(self, name: str) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec

        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.certificate = self._signed(self.name, self.key.public_key(), is_ca=True)

    def write(self, folder: Path, name: str, of: Authority | None = None) -> Path:
        """Write a key and a certificate for 127.0.0.1, and the authority that the reader is to believe."""
        from cryptography import x509
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
        (folder / "cert.pem").write_bytes(
            self._signed(subject, key.public_key(), is_ca=False).public_bytes(pem)
        )
        (folder / "ca.pem").write_bytes((of or self).certificate.public_bytes(pem))
        return folder

    def _signed(self, subject: Any, public: Any, *, is_ca: bool) -> Any:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        now = datetime.datetime.now(datetime.UTC)
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=is_ca, crl_sign=is_ca, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
        )
        return builder.sign(self.key, hashes.SHA256())


class Proxy(socketserver.ThreadingTCPServer):
    """TLS with client certificates in front of the engine's socket."""

    daemon_threads = True

    def __init__(self, certificates: Path, behind: str) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self.context.load_verify_locations(certificates / "ca.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.behind = behind
        super().__init__(("127.0.0.1", 0), Pump)


class Pump(socketserver.BaseRequestHandler):
    """One connection: bytes both ways until one side ends."""

    server: Proxy

    def handle(self) -> None:
        with (
            suppress(OSError),
            self.server.context.wrap_socket(self.request, server_side=True) as outer,
            socket.socket(socket.AF_UNIX) as inner,
        ):
            inner.connect(self.server.behind)
            back = threading.Thread(target=pump, args=(inner, outer))
            back.start()
            pump(outer, inner)
            back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def tls(local: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Serve the engine by TLS, and write the certificates of its clients; map names to DOCKER_CERT_PATH."""
    folder = tmp_path_factory.mktemp("tls")
    ours, other = Authority("ours"), Authority("other")
    clients = {
        "good": ours.write(folder / "good", "client"),
        "believes another": ours.write(folder / "believing", "client", of=other),
        "is of another": other.write(folder / "strange", "client", of=ours),
    }
    with Proxy(ours.write(folder / "server", "engine"), local) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        where = {"where": f"tcp://127.0.0.1:{server.server_address[1]}"}
        try:
            yield {**{name: str(path) for name, path in clients.items()}, **where}
        finally:
            server.shutdown()
            thread.join()


def by_tls(tls: dict[str, str], client: str, **changes: str) -> Engine:
    settings = {"DOCKER_HOST": tls["where"], "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": tls[client]}
    return Engine({**settings, **changes})


def test_an_engine_by_tls_is_the_same_engine(
    local: str, tls: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bundle.pem").write_bytes((Path(tls["believes another"]) / "ca.pem").read_bytes())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))  # is about other servers
    assert identity(by_tls(tls, "good")) == identity(Engine({"DOCKER_HOST": f"unix://{local}"}))


@pytest.mark.parametrize("client", ["believes another", "is of another"])
def test_who_is_not_trusted_is_an_error_that_says_so(tls: dict[str, str], client: str) -> None:
    with pytest.raises(
        ProbeUnavailable,
        match=r"(?i)(certificate|tls|ssl|reset|aborted).*\[container-engine-(tls|unreachable)\]",
    ):
        by_tls(tls, client)


def test_an_engine_that_nobody_verified_is_refused(tls: dict[str, str]) -> None:
    with pytest.raises(ProbeUnavailable, match=r"nobody verifies the engine.*\[container-engine-tls\]"):
        by_tls(tls, "good", DOCKER_TLS_VERIFY="")


def test_plain_words_to_an_engine_with_tls_are_an_error(tls: dict[str, str]) -> None:
    with pytest.raises(ProbeUnavailable, match="container-engine-"):
        Engine({"DOCKER_HOST": tls["where"]})


def test_certificates_that_are_absent_are_an_error(tls: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(ProbeUnavailable, match="container-engine-"):
        by_tls(tls, "good", DOCKER_CERT_PATH=str(tmp_path))


# -- ssh --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Serve ssh on loopback with a key of the test; yield the port and the folder of the client's files."""
    folder = tmp_path_factory.mktemp("ssh")
    keys = {name: asyncssh.generate_private_key("ssh-ed25519") for name in ("host", "client", "stranger")}
    for name, key in keys.items():
        key.write_private_key(folder / name)
        (folder / name).chmod(0o600)
    (folder / "authorized").write_bytes(keys["client"].export_public_key())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    class Server(asyncssh.SSHServer):  # type: ignore[misc, name-defined]
        def unix_connection_requested(self, dest_path: str) -> bool:
            return True

    async def cat(process: Any) -> None:
        async for line in process.stdin:
            process.stdout.write(line)
        process.exit(0)

    async def serve() -> Any:
        return await asyncssh.create_server(
            Server,
            "127.0.0.1",
            0,
            server_host_keys=[keys["host"]],
            authorized_client_keys=str(folder / "authorized"),
            process_factory=cat,
        )

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(30)
    port = server.sockets[0].getsockname()[1]
    public = keys["host"].export_public_key().decode().strip()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {public}\n")
    (folder / "unknown").write_text("")
    try:
        yield port, folder
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture
def configured(ssh_server: tuple[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what lets `ssh` use a key and a list of known hosts of the test, whoever runs it."""

    def use(key: str = "client", known: str = "known") -> str:
        port, folder = ssh_server
        lines = [
            f"IdentityFile {folder / key}",
            "IdentitiesOnly yes",
            f"UserKnownHostsFile {folder / known}",
            "GlobalKnownHostsFile /dev/null",
            "StrictHostKeyChecking yes",
        ]
        (tmp_path / "config").write_text("\n".join(lines) + "\n")
        program = tmp_path / "ssh"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {tmp_path / "config"} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return f"ssh://gate@127.0.0.1:{port}"

    return use


def test_an_engine_by_ssh_is_the_same_engine_and_ends_with_it(local: str, configured: Any) -> None:
    engine = Engine({"DOCKER_HOST": f"{configured()}{local}"})
    tunnel = engine._tunnel
    assert tunnel is not None
    assert tunnel._process is not None
    folder, pid = tunnel._folder, tunnel._process.pid
    assert engine.socket == ""
    assert identity(engine) == identity(Engine({"DOCKER_HOST": f"unix://{local}"}))
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"key": "stranger"}, r"Permission denied.*\[container-engine-denied\]"),
        ({"known": "unknown"}, r"Host key verification failed.*\[container-engine-unreachable\]"),
    ],
)
def test_what_ssh_says_is_said(local: str, configured: Any, options: dict[str, str], says: str) -> None:
    with pytest.raises(ProbeUnavailable, match=says):
        Engine({"DOCKER_HOST": f"{configured(**options)}{local}"})


def test_no_engine_behind_ssh_is_an_error(configured: Any) -> None:
    with pytest.raises(ProbeUnavailable, match=r"ssh works, and no Docker engine answers behind it"):
        Engine({"DOCKER_HOST": f"{configured()}/nowhere/docker.sock"})


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("ssh://127.0.0.1:1", "Connection refused"),
        ("ssh://", "it names no host"),
        ("ssh://-oProxyCommand=touch", "it names no host"),
        ("ssh://h:70000", "Port out of range"),
    ],
)
def test_a_host_that_is_none_is_an_error(where: str, says: str) -> None:
    with pytest.raises(ProbeUnavailable, match=rf"{says}.*\[container-engine-unreachable\]"):
        Engine({"DOCKER_HOST": where})


def test_without_ssh_it_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProbeUnavailable, match="ssh cannot be started"):
        Engine({"DOCKER_HOST": "ssh://127.0.0.1"})


def test_ssh_ends_when_the_gate_is_killed(local: str, configured: Any) -> None:
    code = (
        "import os, signal, sys\n"
        "from release_gates.probes.container.engine import Engine\n"
        "engine = Engine()\n"
        "print(engine._tunnel._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    where = f"{configured()}{local}"
    environment = {**os.environ, "DOCKER_HOST": where}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    proc = Path(f"/proc/{done.stdout.strip()}")
    deadline = time.monotonic() + 60
    while proc.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not proc.exists()
