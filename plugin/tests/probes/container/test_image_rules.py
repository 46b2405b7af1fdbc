"""Images by their archives: each bad one is caught by exactly its rule, and no torn one passes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import struct
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.trading_system.image import File, Image, archive, layer_tar
from release_gates.errors import MeasurementError
from release_gates.probes.container.archive import read_archive
from release_gates.probes.container.catalogue import ids
from release_gates.probes.container.image_facts import ImageFacts, image_facts
from release_gates.probes.container.image_rules import CHECKS
from release_gates.probes.container.judging import Report, judge
from release_gates.probes.container.oci_index import Index
from release_gates.probes.container.profile import PROFILES
from release_gates.probes.container.stream import read_ahead

NOW = datetime(2026, 11, 21, tzinfo=UTC)
CONFIG = {
    "User": "65532:65532",
    "Entrypoint": ["/engine"],
    "Healthcheck": {"Test": ["CMD", "/engine", "--healthcheck"]},
    "Labels": {
        "org.opencontainers.image.revision": "0123abc",
        "org.opencontainers.image.source": "https://x",
    },
}
ENGINE = File(path="/engine", content=b"\x7fELF" + b"engine" * 100)
KEY = b"-----BEGIN " + b"OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n"
STRIPE = b"// pay\nconst key = '" + b"sk_" + b"live_" + b"4eC39HqLyjWDarjtT1zdp7dc" + b"';\n"
PASSWD = b"root:x:0:0:root:/root:/sbin/nologin\nengine:x:65532:65532::/:/sbin/nologin\n"


def image(
    *more: tuple[File, ...], history: tuple[str, ...] = ("COPY engine /engine",), **config: Any
) -> Image:
    return Image(
        config={**CONFIG, **config},
        layers=((ENGINE,), *more),
        history=history,
        created="2026-11-01T00:00:00Z",
    )


def f(path: str, content: bytes = b"x", mode: int = 0o644, **more: Any) -> File:
    return File(path=path, content=content, mode=mode, **more)


def capable(permitted: int, version: int = 2) -> dict[str, str]:
    """Return the header of a file with capabilities: ``struct vfs_cap_data``, as Docker writes it."""
    words = [version << 24 | 1, permitted & 0xFFFFFFFF, 0, permitted >> 32, 0]
    raw = struct.pack(f"<{len(words)}I", *words)
    return {"SCHILY.xattr.security.capability": raw.decode("utf-8", "surrogateescape")}


def facts(source: Image, *, name: str = "engine:1.4", released: bool = True) -> ImageFacts:
    data, identity = archive(source)
    saved = read_archive(chunks(data), place="image.tar", identity=f"sha256:{identity}")
    digests = ("registry/engine@sha256:" + "c" * 64,) if released else ()
    return image_facts(saved, name=name, now=NOW, repo_digests=digests)


def chunks(data: bytes, size: int = 70_000) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def report(found: ImageFacts, **changes: Any) -> Report:
    profile = replace(PROFILES["service"], **changes)
    return judge(found, profile, CHECKS, subject="engine")


BAD: dict[str, tuple[str, Image]] = {
    "no user": ("IM01", image(User="")),
    "user 00": ("IM01", image(User="00:1")),
    "a name that is uid 0": ("IM01", image((f("/etc/passwd", b"toor:x:0:0::/:/\n"),), User="toor")),
    "a name that nobody has": ("IM01", image((f("/etc/passwd", PASSWD),), User="ghost")),
    "the name of a lower layer": (
        "IM01",
        image((f("/etc/passwd", PASSWD),), (f("/etc/passwd", b"engine:x:0:0::/:/\n"),), User="engine"),
    ),
    "too large": ("IM02", image((f("/data", b"\0" * (2 << 20)),))),
    "a password in ENV": ("IM03", image(Env=["DB_PASSWORD=hunter2"])),
    "a token in a label": ("IM03", image(Labels={**CONFIG["Labels"], "build.token": "hunter2"})),  # type: ignore[dict-item]
    "a password in the history": ("IM03", image(history=("RUN login --password hunter2",))),
    "a password behind another word": ("IM03", image(history=("RUN export DB_PASSWORD=hunter2 && x",))),
    "a build argument in the history": ("IM03", image(history=("|1 NPM_TOKEN=hunter2 /bin/sh -c npm ci",))),
    "a key in a layer": ("IM03", image((f("/srv/config", KEY),))),
    "a key that a higher layer hides": ("IM03", image((f("/srv/config", KEY),), (f("/srv/.wh.config"),))),
    "a key in a folder that is gone": ("IM03", image((f("/srv/a/config", KEY),), (f("/.wh.srv"),))),
    "a key below an opaque folder": ("IM03", image((f("/srv/config", KEY),), (f("/srv/.wh..wh..opq"),))),
    "a key that a higher layer replaces": (
        "IM03",
        image((f("/root/.env", b"A=1"),), (f("/root/.env", b""),)),
    ),
    "a key over the edge of two pieces": ("IM03", image((f("/blob", b"\0" * ((1 << 20) - 20) + KEY),))),
    "a password in a setting": ("IM03", image((f("/app/config.yaml", b"a: 1\ndb_password: hunter2\n"),))),
    "a key under another name in a setting": (
        "IM03",
        image((f("/app/x.json", json.dumps(dict.fromkeys(["dbPassword"], "hunter2")).encode()),)),
    ),
    "a token that detect-secrets knows": ("IM03", image((f("/app/run.js", STRIPE),))),
    "a password on the command line": ("IM03", image(Cmd=["--password", "hunter2"])),
    "a password in the healthcheck": (
        "IM03",
        image(Healthcheck={"Test": ["CMD-SHELL", "PGPASSWORD=hunter2 pg_isready"]}),
    ),
    "capabilities of a file": ("IM04", image((f("/bin/ping", mode=0o755, headers=capable(1 << 13)),))),
    "capabilities of version 3": ("IM04", image((f("/bin/x", mode=0o755, headers=capable(1 << 38, 3)),))),
    "setuid": ("IM04", image((f("/bin/ping", mode=0o4755),))),
    "setgid": ("IM04", image((f("/bin/wall", mode=0o2755),))),
    "a shell": ("IM05", image((f("/usr/bin/dash", mode=0o755),))),
    "a package manager": ("IM05", image((f("/sbin/apk", mode=0o755),))),
    "a compiler": ("IM05", image((f("/usr/bin/gcc", mode=0o755),))),
    "no healthcheck": ("IM06", image(Healthcheck=None)),
    "healthcheck NONE": ("IM06", image(Healthcheck={"Test": ["NONE"]})),
    "no label": ("IM09", image(Labels=None)),
    "old": ("IM09", replace(image(), created="2026-01-01T00:00:00Z")),
    "from the future": ("IM09", replace(image(), created="2027-01-01T00:00:00Z")),
    "no password in shadow": ("IM10", image((f("/etc/shadow", b"root::1:2:3:::\n"),))),
    "no password in passwd": ("IM10", image((f("/etc/passwd", b"root::0:0::/:/\n"),))),
    "a name of digits that is uid 0": (
        "IM01",
        image((f("/etc/passwd", b"65532:x:0:7::/:/\n"),)),
    ),
    "a second root, written 00": (
        "IM10",
        image((f("/etc/passwd", PASSWD + b"toor:x:00:1::/:/\n"),)),
    ),
    "one uid for two": ("IM10", image((f("/etc/passwd", PASSWD + b"twin:x:65532:1::/:/\n"),))),
}


def test_every_rule_is_broken_by_a_case() -> None:
    elsewhere = {"IM07", "IM08"}
    assert {*CHECKS, "IM11", "IM12"} == set(ids("IM"))
    assert {rule for rule, _ in BAD.values()} == set(CHECKS) - elsewhere


@pytest.mark.parametrize("name", BAD)
def test_caught_by_exactly_its_rule(name: str) -> None:
    rule, bad = BAD[name]
    found = report(facts(bad), size_budget=2 << 20)
    assert {finding.rule.id for finding in found.findings} == {rule}, [
        each.sentence for each in found.findings
    ]
    assert found.doubts == ()
    assert "hunter2" not in found.findings[0].sentence, "a secret is never shown"


@pytest.mark.parametrize(
    "good",
    [
        image(),
        image(User="engine", Entrypoint=["/engine"]) and image((f("/etc/passwd", PASSWD),), User="engine"),
        image(
            (f("/bin/ping", mode=0o4755), f("/bin/sh", mode=0o755)), (f("/bin/.wh.ping"), f("/bin/.wh.sh"))
        ),
        image((f("/bin/ping", mode=0o4755),), (f("/bin/ping", mode=0o755),)),
        image((f("/etc/ssl/ca.pem", b"-----BEGIN CERTIFICATE-----\nMII\n"),)),
        image((f("/usr/share/doc/sh", mode=0o644),)),
        image(Env=["PASSWORD_FILE=/run/secrets/db", "PATH=/"]),
        replace(image(), created="1970-01-01T00:00:00Z"),
    ],
)
def test_no_false_alarm(good: Image) -> None:
    assert report(facts(good)) == Report()


def test_tags_and_digests() -> None:
    found = {
        "latest": report(facts(image(), name="engine:latest")),
        "unknown": report(facts(image(), released=False)),
        "another": report(facts(image()), released="d" * 64),
    }
    for name, of in found.items():
        assert [each.rule.id for each in of.findings] == ["IM08"], name
    own = facts(image(), released=False)
    assert report(own, released=own.identity.removeprefix("sha256:")) == Report()


def index(*images: tuple[str, str]) -> Index:
    return Index(digest="1d" * 32, images=images)


def test_platforms() -> None:
    both = ("linux/amd64", "linux/arm64")
    found = report(facts(image()), platforms=both)
    assert [each.rule.id for each in found.findings] == ["IM07"]
    own = index(("linux/amd64", "c" * 64), ("linux/arm64/v8", "d" * 64))
    assert report(replace(facts(image()), index=own), platforms=both) == Report()
    less = replace(facts(image()), index=index(("linux/amd64", "c" * 64)))
    assert [each.rule.id for each in report(less, platforms=both).findings] == ["IM07"]


@pytest.mark.parametrize(
    "images", [(), (("linux/amd64", "d" * 64),), (("linux/arm64", "c" * 64), ("linux/amd64", "d" * 64))]
)
def test_the_index_of_another_image_is_no_pass(images: tuple[tuple[str, str], ...]) -> None:
    found = report(replace(facts(image()), index=index(*images)))
    assert [doubt.rule.id for doubt in found.doubts] == ["IM07"]


def test_an_image_that_was_pulled_by_the_digest_of_the_index_belongs_to_it() -> None:
    pulled = replace(
        facts(image()), index=index(("linux/amd64", "d" * 64)), repo_digests=(f"r/e@sha256:{'1d' * 32}",)
    )
    assert report(pulled) == Report()


@pytest.mark.parametrize(
    ("path", "config"),
    [("/etc/passwd", {}), ("/etc/shadow", {}), ("/etc", {}), ("/etc/passwd", {"User": "app"})],
)
def test_accounts_behind_a_link_are_no_pass(path: str, config: dict[str, Any]) -> None:
    """The layer holds the accounts under another name, so that nobody has read them."""
    linked = image((f(path, b"", link="../srv/accounts"), f("/srv/accounts", b"root::0:0::/:/\n")), **config)
    found = report(facts(linked))
    assert {doubt.rule.id for doubt in found.doubts} == {"IM01", "IM10"}
    mended = replace(
        linked,
        layers=(
            *linked.layers,
            (
                f("/etc/.wh." + path.rpartition("/")[2]),
                f(f"/.wh{path}".replace("/.wh/etc", "/.wh.etc") if path == "/etc" else "/x"),
            ),
        ),
    )
    assert report(facts(mended)).of("IM10") == Report()


def test_a_secret_is_named_by_layer_path_and_line_and_never_shown() -> None:
    key = b"1\n2\n" + KEY
    found = report(
        facts(image((f("/srv/a", key),), (f("/srv/.wh.a"), f("/srv/b.env", b"\nA=1\nAPI_KEY=hunter2\n"))))
    )
    said = [each.sentence for each in found.findings]
    assert len(said) == 2
    assert "/srv/a, line 3, layer 2 of 3 (sha256:" in said[0]
    assert "a private key, which a higher layer only hides" in said[0]
    assert "/srv/b.env, line 3, layer 3 of 3" in said[1]
    assert "in effect: a value for API_KEY." in said[1]
    assert not [each for each in said if "hunter2" in each or "b3Blb" in each]


def test_many_secrets_are_counted() -> None:
    many = tuple(f(f"/srv/{number}.pem", KEY) for number in range(40))
    said = [each.sentence for each in report(facts(image(many))).findings]
    assert len(said) == 31
    assert "10 more places" in said[-1]


def test_an_image_of_another_commit_is_not_the_candidates() -> None:
    """Labels are inherited: the revision may be that of the base image."""
    own = "0123abc" + "d" * 33
    assert report(facts(image()), commit=own) == Report()
    for commit in ("f" * 40, "0123ab"):
        found = report(facts(image()), commit=commit)
        assert [each.rule.id for each in found.findings] == ["IM09"]
    short = image(Labels={**CONFIG["Labels"], "org.opencontainers.image.revision": "0"})  # type: ignore[dict-item]
    assert [each.rule.id for each in report(facts(short), commit=own).findings] == ["IM09"]


def test_what_policy_calls_public_is_no_secret_and_nothing_else() -> None:
    found = facts(image((f("/usr/lib/libgnutls.so.30", b"\x7fELF\0" + KEY), f("/srv/a.pem", KEY))))
    said = report(found, no_secrets=("usr/lib/libgnutls.so.*",)).findings
    assert [each.fault.declared.split(",")[0] for each in said] == ["/srv/a.pem"]


def manifest_of(config: bytes) -> bytes:
    return json.dumps(
        {"config": {"digest": f"sha256:{hashlib.sha256(config).hexdigest()}"}, "layers": []}
    ).encode()


def test_an_image_that_is_known_by_its_manifest_is_in_its_archive() -> None:
    """As containerd's store has it; the archive has to hold the manifest that leads to the configuration."""
    config = b'{"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}}'
    manifest = manifest_of(config)
    digest = hashlib.sha256(manifest).hexdigest()
    index_ = json.dumps({"manifests": [{"digest": f"sha256:{digest}"}]}).encode()
    entries = [f("c", config), f("blobs/m", manifest), f("blobs/i", index_)]
    data = layer_tar([*entries, f("manifest.json", b'[{"Config": "c", "Layers": []}]')])
    for known in (manifest, index_):
        assert read(data, f"sha256:{hashlib.sha256(known).hexdigest()}").config
    less = layer_tar([entries[0], entries[2], f("manifest.json", b'[{"Config": "c", "Layers": []}]')])
    other = layer_tar(
        [f("c", config), f("m", manifest_of(b"{}")), f("manifest.json", b'[{"Config": "c", "Layers": []}]')]
    )
    with pytest.raises(MeasurementError, match="was asked for"):
        read(less, f"sha256:{hashlib.sha256(index_).hexdigest()}")
    with pytest.raises(MeasurementError, match="was asked for"):
        read(other, f"sha256:{hashlib.sha256(manifest_of(b'{}')).hexdigest()}")


DATA, IDENTITY = archive(image((f("/etc/passwd", PASSWD),), (f("/bin/x", b"y" * 40_000, 0o4755),)))


def read(data: bytes, identity: str = "") -> Any:
    return read_archive(chunks(data), place="image.tar", identity=identity)


@pytest.mark.parametrize("kept", [0, 1, 511, 512, 1024, 10_240, len(DATA) // 2, len(DATA) - 10_240])
def test_a_torn_archive_is_an_error(kept: int) -> None:
    with pytest.raises(MeasurementError, match="container-archive"):
        read(DATA[:kept])


def test_a_layer_that_was_changed_is_an_error() -> None:
    at = DATA.index(b"engineengine")
    with pytest.raises(MeasurementError, match="its configuration says"):
        read(DATA[:at] + b"Engine" + DATA[at + 6 :])


@pytest.mark.parametrize("behind", [[], [f("/c", b"z" * (3 << 20))]])
def test_a_layer_whose_middle_is_no_tar_is_an_error(behind: list[File]) -> None:
    """Python's tarfile ends in silence at a damaged header; what lies behind it must not go unseen."""
    layer = bytearray(layer_tar([f("/a"), f("/bin/sh", mode=0o4755), *behind]))
    layer[1024 + 148 : 1024 + 156] = b"\xff" * 8
    with pytest.raises(MeasurementError, match="goes on behind its end"):
        read(_archive_of(bytes(layer)))


def test_another_image_than_was_asked_for_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="was asked for"):
        read(DATA, "sha256:" + "0" * 64)


def test_several_images_are_an_error() -> None:
    config = b'{"rootfs": {"diff_ids": []}}'
    manifest = json.dumps([{"Config": "c", "Layers": []}] * 2).encode()
    with pytest.raises(MeasurementError, match="2 images"):
        read(layer_tar([f("c", config), f("manifest.json", manifest)]))


def test_compressed_layers_are_read_and_a_torn_one_is_an_error() -> None:
    layer = layer_tar([f("/bin/sh", b"x" * 5000, mode=0o4755)])
    packed = gzip.compress(layer)
    saved = read(_archive_of(packed, hashlib.sha256(layer).hexdigest()))
    assert saved.layers[0].setuid == {"bin/sh": 0o4755}
    for wrong in (packed[:-20], packed + b"\0" * 1000 + b"x"):
        with pytest.raises(MeasurementError, match="container-archive"):
            read(_archive_of(wrong, hashlib.sha256(layer).hexdigest()))
    with pytest.raises(MeasurementError, match="zstd"):
        read(_archive_of(b"\x28\xb5\x2f\xfd" + packed))


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0, max_value=len(DATA) - 1), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_are_the_same_image_or_one_error(at: int, wrong: bytes) -> None:
    damaged = DATA[:at] + wrong + DATA[at + len(wrong) :]
    try:
        saved = read(damaged, f"sha256:{IDENTITY}")
    except MeasurementError:
        return
    assert saved.layers[-1].setuid == {"bin/x": 0o4755}, "what is remarkable does not get lost"


@pytest.mark.parametrize(
    "document", [{}, {"rootfs": {"diff_ids": 3}}, [], None, {"rootfs": {"diff_ids": []}, "config": 3}]
)
def test_another_configuration_is_an_error(document: Any) -> None:
    config = json.dumps(document).encode()
    manifest = json.dumps([{"Config": "c", "Layers": []}]).encode()
    data = layer_tar([f("c", config), f("manifest.json", manifest)])
    with pytest.raises(MeasurementError, match=r"container-(archive|inspect)"):
        image_facts(read(data), name="x", now=NOW)


def test_memory_does_not_grow_with_the_size_of_files() -> None:
    import tracemalloc

    big = layer_tar([f("/blob", random.Random(1).randbytes(1 << 20) * 48)])
    data = _archive_of(big)
    tracemalloc.start()
    try:
        read(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 << 20


def _archive_of(layer: bytes, diff_id: str = "") -> bytes:
    diff_id = diff_id or hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": [f"sha256:{diff_id}"]}}
    )
    manifest = json.dumps([{"Config": "c.json", "Layers": ["l/layer.tar"]}])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in (
            ("l/layer.tar", layer),
            ("c.json", config.encode()),
            ("manifest.json", manifest.encode()),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_reading_ahead_loses_nothing_and_tells_what_went_wrong() -> None:
    def source(count: int) -> Iterator[bytes]:
        yield from (bytes([number]) * 100_000 for number in range(count))
        raise OSError("the engine went away")

    assert b"".join(read_ahead(chunks(DATA, 1000))) == DATA
    reader = read_ahead(source(20), depth=2)
    before = b"".join(next(reader) for _ in range(4))
    assert before == b"".join(bytes([number]) * 100_000 for number in range(20))
    with pytest.raises(OSError, match="went away"):
        next(reader)
    given_up = read_ahead(source(200), depth=1)
    next(given_up)
    given_up.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead"]
