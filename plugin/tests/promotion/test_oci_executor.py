"""The executor ``oci`` against a real registry, and against one that lies, refuses, and breaks off."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.trading_system.image import ARCHIVE, File, Image, write_image
from plugin.tests.promotion.deploying_world import (
    change,
    check_law,
    deploy,
    site,
    stored,
    take_back,
)
from plugin.tests.promotion.registry_servers import Answer, SmallRegistry, docker_registry
from release_gates.errors import DeployError, LiveDiffers
from release_gates.model.candidate import Artifact, ReleaseCandidate
from release_gates.promotion.executors.oci.credentials import read_challenge
from release_gates.promotion.executors.oci.descriptor import INDEX, MANIFEST, digest_of, read_manifest
from release_gates.promotion.executors.oci.executor import OciExecutor

Put = Callable[[str, str, bytes], None]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with docker_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


def image(content: str) -> tuple[bytes, dict[str, bytes]]:
    """Return the manifest of an image and its blobs by digest."""
    config, layers = json.dumps({"made": content}).encode(), [content.encode() * 1000, b"base"]
    blobs = {digest_of(each): each for each in (config, *layers)}

    def part(data: bytes, kind: str) -> dict[str, object]:
        return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}

    kind = "application/vnd.oci.image.layer.v1.tar"
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [part(each, kind) for each in layers],
    }
    return json.dumps(manifest).encode(), blobs


def push(host: str, name: str, content: str, *, platforms: int = 0) -> str:
    """Push an image, or an index of several, as somebody's build would; return its digest."""
    entries, data, kind = [], b"", MANIFEST
    for number in range(max(1, platforms)):
        data, blobs = image(f"{content}-{number}")
        for digest, blob in blobs.items():
            place = httpx.post(f"http://{host}/v2/{name}/blobs/uploads/").headers["Location"]
            url = httpx.URL(f"http://{host}").join(place).copy_merge_params({"digest": digest})
            httpx.put(url, content=blob).raise_for_status()
        put(host, name, digest_of(data), data, MANIFEST)
        platform = {"os": "linux", "architecture": f"arm{number}"}
        entries.append(
            {"mediaType": MANIFEST, "digest": digest_of(data), "size": len(data), "platform": platform}
        )
    if platforms:
        data, kind = (
            json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(),
            INDEX,
        )
        put(host, name, digest_of(data), data, kind)
    return digest_of(data)


def put(host: str, name: str, reference: str, data: bytes, kind: str) -> None:
    url = f"http://{host}/v2/{name}/manifests/{reference}"
    httpx.put(url, content=data, headers={"Content-Type": kind}).raise_for_status()


def get(host: str, name: str, reference: str) -> httpx.Response:
    accept = {"Accept": f"{MANIFEST}, {INDEX}"}
    return httpx.get(f"http://{host}/v2/{name}/manifests/{reference}", headers=accept)


def candidate(version: str, digest: str, *, ref: str = "", **files: str) -> ReleaseCandidate:
    artifacts = [Artifact(name="image", kind="oci", sha256=digest.removeprefix("sha256:"), ref=ref)]
    artifacts += [Artifact(name=name, sha256=each, path=name) for name, each in files.items()]
    return ReleaseCandidate(name="engine", version=version, commit="abc", artifacts=tuple(artifacts))


def executor(tmp_path: Path, repository: str, **settings: Any) -> OciExecutor:
    told = {"artifact": "image", "repository": repository, **settings}
    return OciExecutor(site(tmp_path, "oci", told, timeout_s=60.0))


def test_image_keeps_the_law_from_registry_to_registry(
    registry: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """From another repository of the same registry, whose blobs are taken over and not sent."""
    old, new = (push(registry, "build/engine", each) for each in ("old", "new"))
    ref = f"{registry}/build/engine:1.1.0@{new}"
    first, second = candidate("1.0.0", old, ref=ref), candidate("1.1.0", new, ref=ref)
    made = executor(tmp_path, f"{registry}/prod/engine")
    assert made.verify(None)
    check_law(made, change(first, None))
    assert get(registry, "prod/engine", "live").status_code == 404
    deploy(made, change(first, None))
    check_law(made, change(second, first))
    deploy(made, change(second, first))
    there = get(registry, "prod/engine", "live")
    assert (digest_of(there.content), there.headers["Docker-Content-Digest"]) == (new, new)
    assert get(registry, "prod/engine", old).status_code == 200, "what to go back to is gone"


def test_index_is_copied_with_all_platforms_to_another_registry(registry: str, tmp_path: Path) -> None:
    digest = push(registry, "build/multi", "m", platforms=3)
    wanted = candidate("1.1.0", digest)
    with docker_registry(tmp_path / "other") as other:
        made = executor(tmp_path, f"{other}/prod/multi", source=f"{registry}/build/multi")
        what = change(wanted, None)
        copy = made.plan(what)[0]
        assert "4 manifest(s), 7 blob(s) sent" in made.apply(what, copy)  # 3 configs, 3 layers, 1 in common
        assert "4 manifest(s), 0 blob(s) sent" in made.apply(what, copy)
        assert made.verify(None), "copied is not live"
        deploy(made, what)
        assert "all of its 11 parts" in made.verify(wanted)


def test_archive_in_the_store_is_copied_too(registry: str, tmp_path: Path) -> None:
    data, blobs = image("archived")
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as tar:
        for digest, content in {digest_of(data): data, **blobs}.items():
            member = tarfile.TarInfo(f"blobs/{digest.replace(':', '/')}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    made = executor(tmp_path, f"{registry}/prod/archived", archive="image.tar")
    sha256 = stored(site(tmp_path, "oci", {}), archive)
    wanted = candidate("1.1.0", digest_of(data), **{"image.tar": sha256})
    check_law(made, change(wanted, None))
    other = candidate("1.2.0", digest_of(b"never built"), **{"image.tar": sha256})
    with pytest.raises(DeployError, match=r"there is no blobs/sha256/"):
        deploy(made, change(other, None))
    (tmp_path / ".gates" / "artifacts" / sha256).chmod(0o644)
    (tmp_path / ".gates" / "artifacts" / sha256).write_bytes(b"swapped")
    with pytest.raises(DeployError, match="is damaged"):
        deploy(made, change(wanted, None))


def test_id_of_an_image_is_no_digest_of_a_manifest_and_it_is_said(registry: str, tmp_path: Path) -> None:
    """As a build without a registry knows its image: by the digest of its configuration."""
    identity = write_image(
        Image(config={}, layers=((File(path="engine", content=b"e"),),), history=()), tmp_path
    )
    sha256 = stored(site(tmp_path, "oci", {}), tmp_path / ARCHIVE)
    wanted = candidate("1.1.0", f"sha256:{identity}", **{ARCHIVE: sha256})
    pushed = {"source": f"{registry}/build/engine"}
    for settings, says in (
        (pushed, "there is no manifest sha256:"),
        ({"archive": ARCHIVE}, "there is no blobs/"),
    ):
        made = executor(tmp_path, f"{registry}/prod/nothing", **settings)
        with pytest.raises(DeployError, match=says) as refused:
            deploy(made, change(wanted, None))
        assert "no manifest's digest: push the image" in refused.value.hint
        assert "candidate create --image NAME=REF@sha256:" in refused.value.hint
        assert made.verify(None), "something is live"


def test_attestations_are_found_from_the_image(registry: str, tmp_path: Path) -> None:
    """Twice is once, and other referrers stay; a registry with the API is believed that it lists them."""
    digest = push(registry, "build/signed", "s")
    wanted = candidate("1.1.0", digest)
    made = executor(tmp_path, f"{registry}/prod/signed", source=f"{registry}/build/signed")
    (tmp_path / ".gates" / "attestations").mkdir()
    envelopes = [b'{"payload":"1"}', b'{"payload":"2"}']
    (tmp_path / ".gates" / "attestations" / "run-7.intoto.jsonl").write_bytes(b"\n".join(envelopes) + b"\n")
    what = change(wanted, None, run="run-7")
    deploy(made, what)
    tag = digest.replace(":", "-")
    (entry,) = get(registry, "prod/signed", tag).json()["manifests"]
    assert entry["artifactType"] == "application/vnd.in-toto+json"
    referrer = get(registry, "prod/signed", entry["digest"]).json()
    assert referrer["subject"]["digest"] == digest
    layers = [
        httpx.get(f"http://{registry}/v2/prod/signed/blobs/{each['digest']}").content
        for each in referrer["layers"]
    ]
    assert layers == envelopes
    deploy(made, what)
    deploy(made, change(wanted, wanted, run="run-8"))
    assert len(get(registry, "prod/signed", tag).json()["manifests"]) == 1
    small = SmallRegistry()
    with small.serving() as host:
        other = executor(tmp_path, f"{host}/x", source=f"{registry}/build/signed")
        deploy(other, what)
        assert "found by the referrers API" in other.apply(what, other.plan(what)[1])
    assert tag not in small.manifests


def test_tag_that_somebody_else_moved_is_left_alone(registry: str, tmp_path: Path) -> None:
    old, new, theirs = (push(registry, "prod/moved", each) for each in ("old", "new", "theirs"))
    ref = f"{registry}/prod/moved"
    what = change(candidate("1.1.0", new, ref=ref), candidate("1.0.0", old, ref=ref))
    made = executor(tmp_path, f"{registry}/prod/moved")
    for reference in (theirs, None):
        if reference:
            put(registry, "prod/moved", "live", get(registry, "prod/moved", reference).content, MANIFEST)
        else:
            httpx.delete(f"http://{registry}/v2/prod/moved/manifests/{theirs}").raise_for_status()
        tag = made.plan(what)[-1]
        for act in (made.apply, made.undo):
            with pytest.raises(LiveDiffers, match="Somebody else moved it"):
                act(what, tag)
        with pytest.raises(LiveDiffers):
            made.verify(what.candidate)
    assert get(registry, "prod/moved", "live").status_code == 404


def test_image_that_lost_a_part_is_not_live(registry: str, tmp_path: Path) -> None:
    digest = push(registry, "prod/torn", "torn")
    wanted = candidate("1.1.0", digest, ref=f"{registry}/prod/torn")
    made = executor(tmp_path, f"{registry}/prod/torn")
    deploy(made, change(wanted, None))
    layer = get(registry, "prod/torn", digest).json()["layers"][0]["digest"]
    httpx.delete(f"http://{registry}/v2/prod/torn/blobs/{layer}").raise_for_status()
    with pytest.raises(DeployError, match=r"is there, and its part .* is not"):
        made.verify(wanted)


class World:
    """A good source and a small registry as target, both in memory."""

    def __init__(self, tmp_path: Path, host: str, small: SmallRegistry, **settings: Any) -> None:
        data, blobs = image("small")
        small.manifests[digest_of(data)] = (MANIFEST, data)
        small.blobs.update(blobs)
        self.small = small
        self.digest = digest_of(data)
        self.data = data
        self.layer = max(blobs, key=lambda each: len(blobs[each]))
        self.change = change(candidate("1.1.0", self.digest), None)
        self.made = executor(tmp_path, f"{host}/prod/x", source=f"{host}/x", **settings)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    small = SmallRegistry()
    with small.serving() as host:
        yield World(tmp_path, host, small)


def fault(method: str, part: str, answer: Answer, *, times: int = 99) -> Callable[..., Answer | None]:
    left = [times]

    def answered(asked: str, path: str, _: object) -> Answer | None:
        if asked == method and part in path and left[0]:
            left[0] -= 1
            return answer
        return None

    return answered


CODE = json.dumps({"errors": [{"code": "DENIED", "message": "\x1b[31mhunter2"}]}).encode()


@pytest.mark.parametrize(
    ("method", "part", "answer", "says"),
    [
        ("GET", "manifests/sha256", Answer(401), "was answered 401"),
        ("GET", "manifests/sha256", Answer(403, {}, CODE), r"was answered 403 \(DENIED\)"),
        ("GET", "manifests/sha256", Answer(404, {}, CODE), "there is no manifest sha256:"),
        ("GET", "manifests/sha256", Answer(500), "was answered 500"),
        ("GET", "manifests/sha256", Answer(429, {"Retry-After": "0"}), "was answered 429"),
        ("GET", "manifests/sha256", Answer(200, {}, b"{}"), "what came has sha256:44136fa355b3"),
        ("GET", "manifests/sha256", Answer(200, {}, b"x" * 100, 10), "was cut off"),
        ("GET", "manifests/sha256", Answer(302, {"Location": "http://example.org/"}), "was answered 302"),
        ("PUT", "manifests/sha256", Answer(500), "PUT manifest sha256:.* was answered 500"),
        ("PUT", "manifests/live", Answer(403, {}, CODE), "PUT manifest live was answered 403"),
        ("GET", "manifests/live", Answer(500), "GET manifest live was answered 500"),
        ("GET", "manifests/live", Answer(200, {"Content-Type": MANIFEST}, b"{"), "cannot be read"),
    ],
)
def test_bad_answers_end_a_deployment(
    world: World, method: str, part: str, answer: Answer, says: str
) -> None:
    world.small.fault = fault(method, part, answer)
    with pytest.raises(DeployError, match=says) as error:
        deploy(world.made, world.change)
    assert "hunter2" not in str(error.value)
    assert str(error.value).isprintable()
    world.small.fault = lambda *_: None
    assert "live" not in world.small.manifests
    deploy(world.made, world.change)
    assert world.made.verify(world.change.candidate)


@pytest.mark.parametrize(
    ("method", "answer", "says"),
    [
        ("GET", Answer(200, {}, b"y" * 7000), "served something else"),
        ("GET", Answer(200, {}, b"y" * 10), "served something else"),
        ("GET", Answer(200, {}, b"y" * 99999), "served something else"),
        ("GET", Answer(200, {}, b"x" * 17, 5), "was cut off"),
        ("GET", Answer(307, {"Location": "http://example.org/"}), "an address without TLS"),
        ("GET", Answer(404), "GET blob sha256:.* was answered 404"),
        ("POST", Answer(202, {"Location": "http://example.org/"}), "an address without TLS"),
        ("POST", Answer(202), "an address without TLS, or to none"),
        ("PUT", Answer(400), "PUT blob sha256:.* was answered 400"),
    ],
)
def test_blobs_that_do_not_arrive_end_a_deployment(
    tmp_path: Path, method: str, answer: Answer, says: str
) -> None:
    source, target = SmallRegistry(), SmallRegistry()
    with source.serving() as one, target.serving() as other:
        world = World(tmp_path, one, source)
        made = executor(tmp_path, f"{other}/x", source=f"{one}/x")
        wrong = source if method == "GET" else target
        wrong.fault = fault(method, "blobs/", answer)
        with pytest.raises(DeployError, match=says):
            deploy(made, world.change)
        assert target.manifests == {}, "a manifest is there before its blobs"
        wrong.fault = lambda *_: None
        deploy(made, world.change)
        assert made.verify(world.change.candidate)
        assert world.layer in target.blobs


def test_patience_is_had_when_asked_for(world: World) -> None:
    world.small.fault = fault("GET", "manifests/", Answer(503, {"Retry-After": "0"}), times=2)
    deploy(world.made, world.change)


def test_tag_that_moves_in_the_moment_is_found_by_verify(world: World) -> None:
    """No registry swaps by comparison: what was put is read back, and what is read back decides."""
    deploy(world.made, world.change)
    data, _ = image("theirs")
    world.small.manifests["live"] = (MANIFEST, data)
    with pytest.raises(LiveDiffers):
        world.made.verify(world.change.candidate)


def test_what_cannot_be_taken_away_is_said(world: World) -> None:
    deploy(world.made, world.change)
    world.small.fault = fault("DELETE", "", Answer(405, {}, b'{"errors":[{"code":"UNSUPPORTED"}]}'))
    with pytest.raises(DeployError, match=r"DELETE tag live was answered 405 \(UNSUPPORTED\)"):
        take_back(world.made, world.change)
    with pytest.raises(LiveDiffers):
        world.made.verify(None)


def test_logins_go_to_their_host_alone_and_into_no_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallRegistry()
    with small.serving() as host:
        monkeypatch.setenv("REGISTRY_LOGIN", "ann:hunter2")
        basic = base64.b64encode(b"ann:hunter2").decode()
        world = World(tmp_path, host, small, login={host: "REGISTRY_LOGIN"})

        def guarded(method: str, path: str, headers: Any) -> Answer | None:
            if path.startswith("/token"):
                right = headers.get("Authorization") == f"Basic {basic}"
                return Answer(200 if right else 401, {}, b'{"token":"t0ken"}')
            if headers.get("Authorization") == "Bearer t0ken":
                return None
            challenge = f'Bearer realm="http://{host}/token",service="s",scope="repository:x:pull,push"'
            return Answer(401, {"WWW-Authenticate": challenge})

        small.fault = guarded
        deploy(world.made, world.change)
        assert world.made.verify(world.change.candidate)
        assert any("scope=repository" in path for _, path, _ in small.asked)
        monkeypatch.setenv("REGISTRY_LOGIN", "ann:wrong-hunter2")
        with pytest.raises(DeployError, match="GET token was answered 401") as error:
            world.made.verify(world.change.candidate)
        assert "hunter2" not in repr(error.value)
        small.fault = fault(
            "GET", "", Answer(401, {"WWW-Authenticate": 'Bearer realm="http://example.org/t"'})
        )
        with pytest.raises(DeployError, match="an address without TLS"):
            world.made.verify(world.change.candidate)


def test_dockers_own_logins_are_read(tmp_path: Path) -> None:
    small = SmallRegistry()
    with small.serving() as host:
        world = World(tmp_path, host, small, docker_config="config.json")
        basic = base64.b64encode(b"ann:hunter2").decode()
        config = tmp_path / "config.json"
        small.fault = lambda method, path, headers: (
            None
            if headers.get("Authorization") == f"Basic {basic}"
            else Answer(401, {"WWW-Authenticate": "Basic realm=x"})
        )
        config.write_text(json.dumps({"auths": {host: {"auth": basic}}, "credsStore": "x"}))
        deploy(world.made, world.change)
        for text in ("", "{", '{"auths":[]}', json.dumps({"auths": {host: {"auth": "hunter2"}}})):
            config.write_text(text)
            with pytest.raises(DeployError, match=r"cannot be read|is not user:password") as error:
                world.made.verify(None)
            assert "hunter2" not in str(error.value)
        config.write_text("{}")
        with pytest.raises(DeployError, match="policy names none for this host"):
            world.made.verify(None)


def test_tls_is_spoken_with_those_that_policy_trusts(tmp_path: Path) -> None:
    """Plain HTTP is for loopback; a certificate of nobody we know is no registry."""
    import ssl
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    import trustme

    class NotThere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    for name, each in (("ours.pem", authority), ("other.pem", trustme.CA())):
        each.cert_pem.write_to_path(tmp_path / name)
    with ThreadingHTTPServer(("127.0.0.1", 0), NotThere) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        repository = f"127.0.0.1:{server.server_port}/x"
        try:
            assert executor(tmp_path, repository, ca="ours.pem").verify(None)
            for ca in ("other.pem", ""):
                with pytest.raises(DeployError, match="got no answer"):
                    executor(tmp_path, repository, ca=ca).verify(None)
            with pytest.raises(DeployError, match="no authority can be read"):
                executor(tmp_path, repository, ca="none.pem").verify(None)
        finally:
            server.shutdown()
            thread.join(30)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"repository": "engine"}, "no repository of a registry"),
        ({"repository": "library/engine"}, "no repository of a registry"),
        ({"repository": "http://registry.example/x"}, "no repository of a registry"),
        ({"repository": "ann:hunter2@registry.example/x"}, "no repository of a registry"),
        ({"repository": "registry.example/../x"}, "no repository of a registry"),
        ({"repository": "registry.example/x y"}, "no repository of a registry"),
        ({"tag": "-x"}, "no name of a tag"),
        ({"tag": "a/b"}, "no name of a tag"),
        ({"tag": "sha256-abc"}, "no name of a tag"),
        ({"artefact": "x"}, "unknown field"),
    ],
)
def test_settings_that_lead_elsewhere_are_refused(tmp_path: Path, settings: Any, says: str) -> None:
    with pytest.raises(DeployError, match=says):
        executor(tmp_path, **{"repository": "registry.example/x", **settings})


def test_only_an_image_can_be_live(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"").hexdigest()
    wanted = ReleaseCandidate(
        name="e", version="1", commit="c", artifacts=(Artifact(name="image", sha256=sha256, path="x"),)
    )
    with pytest.raises(DeployError, match="is of kind file, and no image"):
        executor(tmp_path, "registry.example/x").plan(change(wanted, None))
    with pytest.raises(DeployError, match="has no artifact gateway"):
        executor(tmp_path, "registry.example/x", artifact="gateway").plan(change(wanted, None))


PART = {"mediaType": "a", "digest": digest_of(b""), "size": 0}


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"mediaType": MANIFEST, "config": PART, "layers": [], "manifests": []}, ""),
        ({"mediaType": INDEX, "config": PART, "layers": []}, ""),
        ({"config": PART, "layers": []}, INDEX),
        ({"mediaType": MANIFEST, "config": PART, "layers": []}, INDEX),
        ({"mediaType": MANIFEST, "config": PART}, ""),
        ({"mediaType": MANIFEST, "layers": []}, ""),
        ({"schemaVersion": 1, "fsLayers": []}, ""),
        ({"manifests": [{**PART, "digest": "sha512:00"}]}, ""),
        ({"manifests": [{**PART, "size": -1}]}, ""),
        ({"manifests": [{**PART, "size": True}]}, ""),
        ({"manifests": [PART] * 201}, ""),
        ([], ""),
    ],
)
def test_manifests_that_two_could_read_differently_are_refused(document: Any, told: str) -> None:
    data = json.dumps(document).encode()
    with pytest.raises(DeployError):
        read_manifest(data, digest_of(data), "x", told=told)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), st.lists, max_leaves=4)
KEYS = st.sampled_from(["mediaType", "manifests", "layers", "config", "digest", "size"])


@given(st.binary(max_size=60) | st.dictionaries(KEYS, JSON).map(lambda each: json.dumps(each).encode()))
def test_any_manifest_is_read_or_refused(data: bytes) -> None:
    try:
        found = read_manifest(data, digest_of(data), "x")
    except DeployError:
        return
    assert found.descriptor.digest == digest_of(data)


@given(st.text(max_size=60))
def test_any_challenge_is_read(header: str) -> None:
    assert read_challenge(header).scheme == header.strip().partition(" ")[0].lower()
