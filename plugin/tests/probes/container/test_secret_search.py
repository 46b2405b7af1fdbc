"""Secrets in files: found wherever the pieces end, by line, and never told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import ProbeUnavailable
from release_gates.probes.container import secret_search
from release_gates.probes.container.secret_patterns import in_setting, in_text, is_secret_name
from release_gates.probes.container.secret_search import Search, is_configuration

AWS = b"AKIA" + b"W4XJQ2NLZ7RTMEPB"
KEY = b"-----BEGIN " + b"EC PRIVATE KEY-----\nMHcCAQEEIB3x\n"
GITLAB = b"glpat-" + b"x4Yz8QwErTyUiOpAsDfG"
PLAIN = b"nothing of interest in this line\n"


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def found(path: str, content: bytes, size: int = 1 << 20) -> list[tuple[str, int]]:
    return [(each.kind, each.line) for each in Search().search(path, pieces(content, size))]


@pytest.mark.parametrize("size", [300, 333, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        (AWS + b"\n", "an AWS access key"),
        (KEY, "a private key"),
        (b"token = '" + GITLAB + b"'\n", "GitLab Token (detect-secrets)"),
    ],
)
def test_a_secret_is_found_on_its_line_wherever_pieces_end(secret: bytes, kind: str, size: int) -> None:
    content = PLAIN * 70 + secret + PLAIN * 70
    assert found("srv/notes.txt", content, size) == [(kind, 71)]


def test_a_key_in_a_binary_has_no_line() -> None:
    assert found("bin/engine", b"\x7fELF\0\0" + b"\n" * 9 + KEY + b"\0") == [("a private key", 0)]


def test_a_line_without_an_end_is_looked_through() -> None:
    content = b"x = " + b"y" * 3_000_000 + b" " + AWS + b" " + b"z" * 10_000
    assert found("srv/app.js", content) == [("an AWS access key", 1)]


def test_a_private_key_within_json_is_one() -> None:
    text = b'{"key": "-----BEGIN ' + b'PRIVATE KEY-----\\nMIIEvQIBADAN\\n"}'
    assert ("a private key", 1) in found("srv/account.txt", text)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("etc/x.conf", "db_password = hunter2"),
        ("app/config.yaml", "  fixPass" + "word: 'hun ter2'"),
        ("app/.env", "export PGPASSWORD=hunter2 # prod"),
        ("app/x.json", '  "client_sec' + 'ret": "hunter2",'),
        ("app/x.properties", "spring.datasource.password=hunter2"),
        ("app/x.ini", "aws_secret_access_key = /hUnTer2Hunter2"),
        ("app/x.yaml", "url: postgres://app:" + "hunter2@db/orders"),
    ],
)
def test_a_setting_that_holds_a_password_is_found_and_not_shown(path: str, line: str) -> None:
    (said,) = [each for each in found(path, b"a: 1\n" + line.encode() + b"\n") if each[1]]
    assert said[1] == 2
    assert "hun" not in said[0].lower()


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("app/x.yaml", "password: ${DB_PASSWORD}"),
        ("app/x.yaml", "password_file: /run/secrets/db"),
        ("app/x.yaml", "password: /run/secrets/db"),
        ("app/x.yaml", "password: vault:secret/db#password"),
        ("app/x.yaml", "token_ttl: 3600"),
        ("etc/nsswitch.conf", "passwd: files"),
        ("etc/app.conf", "# password = hunter2 was here"),
        ("usr/share/doc/x.conf", "password = hunter2"),
        ("app/node_modules/x/config.json", '{"pass' + 'word": "hunter2"}'),
        ("srv/main.cpp", "const auto password = read_password();"),
        ("app/aws.yaml", "key: AKIA" + "IOSFODNN7EXAMPLE"),
    ],
)
def test_what_is_no_secret_is_none(path: str, line: str) -> None:
    assert found(path, line.encode() + b"\n") == []


def test_one_file_has_so_many_findings_and_no_more() -> None:
    content = b"".join(b"AKIA" + bytes([65 + number]) * 16 + b"\n" for number in range(20)) * 5
    assert len(found("srv/keys", content)) == secret_search.MOST_IN_FILE


def test_more_suspicious_lines_than_anybody_looks_at_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_search, "MOST_LINES", 50)
    assert found("etc/x.conf", b"key = 1\n" * 50) == []
    with pytest.raises(ValueError, match="more than 50 lines"):
        found("etc/x.conf", b"key = 1\n" * 51)


def test_without_detect_secrets_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    for cached in (secret_search.shapes, secret_search.keywords):
        cached.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "detect_secrets.plugins.keyword", None)
    with pytest.raises(ProbeUnavailable, match="container-package-missing"):
        secret_search.keywords()
    monkeypatch.setitem(__import__("sys").modules, "detect_secrets.plugins.slack", None)
    with pytest.raises(ProbeUnavailable, match="container-package-missing"):
        Search()


def test_names_of_secrets() -> None:
    for name in ("DB_PASSWORD", "PGPASSWORD", "apiKey", "fix.session.token", "client_secret", "clientSecret"):
        assert is_secret_name(name), name
    for name in ("PASSWORD_FILE", "tokenizer", "keyboard", "TOKEN_TTL", "secretary"):
        assert not is_secret_name(name), name
    assert list(in_text("RUN export PGPASSWORD=hunter2")) == ["PGPASSWORD"]
    assert is_configuration("app/config.yaml")


@given(st.binary(max_size=400), st.sampled_from(["etc/x.conf", "srv/x", "app/x.json"]), st.integers(1, 50))
def test_any_bytes_are_searched(content: bytes, path: str, size: int) -> None:
    assert len(found(path, content, size)) <= secret_search.MOST_IN_FILE


@given(st.text(max_size=100))
def test_any_line_is_a_setting_or_none(line: str) -> None:
    assert in_setting(line) in line
