"""Manifests as they come: YAML, JSON, folders, kustomizations; whatever is damaged is an error, never an object."""

from __future__ import annotations

import itertools
import json
import os
import stat
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError, ProbeUnavailable
from release_gates.probes.kubernetes import documents, sources
from release_gates.probes.kubernetes.documents import MAX_DEPTH, read_documents
from release_gates.probes.kubernetes.objects import deployed
from release_gates.probes.kubernetes.pod import decode
from release_gates.probes.kubernetes.quantities import cpus, quantity, seconds
from release_gates.probes.kubernetes.sources import read_kustomize, read_path

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def value(text: str | bytes, name: str = "a.yaml") -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    (document,) = read_documents(data, name)
    return document.value


def refused(text: str | bytes, name: str = "a.yaml") -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(MeasurementError, match="kubernetes-manifest-unreadable") as caught:
        read_documents(data, name)
    assert len(str(caught.value)) < 600
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("1", 1),
        ("0x1F", 31),
        ("010", 8),
        ("0o10", 8),
        ("0b11", 3),
        ("08", 8),
        ("1_000", 1000),
        ("-5", -5),
        ("1.5", 1.5),
        ("1e3", 1000),
        ("2.0", 2),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("yes", True),
        ("n", False),
        ("Off", False),
        ("'yes'", "yes"),
        ('"1"', "1"),
        ("~", None),
        ("", None),
        ("null", None),
        ("'null'", "null"),
        ("!!str 1", "1"),
        ("!!int '7'", 7),
        ("! yes", "yes"),
        ("100m", "100m"),
        ("1Gi", "1Gi"),
        ("-", "-"),
        ("1.2.3", "1.2.3"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_scalars_are_what_kubectl_makes_of_them(text: str, is_: object) -> None:
    found = value(f"a: {text}" if text != "-" else "a: '-'")["a"]
    assert (found, type(found)) == (is_, type(is_))


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2",
        "a: {b: 1, b: 2}",
        "1: a\n'1': b",
        "true: a\nyes: b",
        "a: &x [*x]",
        "a: &x {b: *x}",
        "a: *nobody",
        "\ta: 1",
        "a: 1\n\tb: 2",
        "- a",
        "text",
        "a: !!python/object/apply:os.system [ls]",
        "a: !Ref b",
        "a: !!timestamp 2020-01-01",
        "a: !!int x",
        "a: .nan",
        "a: -.inf",
        "a: 1e999",
        "? [a]\n: b",
        "1.5: a",
        "<<: 5",
        "a: [1",
        "a: 'b",
        "a: {{ .Values.image }}",
        "%YAML 9.9\n---\na: 1",
        "[" * (MAX_DEPTH + 2),
        "a: " + "{b: " * 5000,
        b"\x00\x01\x02",
        b"\xff\xfe\xff",
        b"\x80abc",
        b"PK\x03\x04" + bytes(range(256)),
    ],
)
def test_what_is_no_manifest_is_refused(text: str | bytes) -> None:
    refused(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": Infinity}',
        "[" * 100_000,
        "{",
        "",
        "[]",
        '{"a": "\\ud800"}',
        '{"a":' * 70 + "1" + "}" * 70,
        b"\xff{}",
        "5",
    ],
)
def test_what_is_no_json_is_refused(text: str | bytes) -> None:
    refused(text, "a.json")


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    names = [chr(97 + number) for number in range(20)]
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in itertools.pairwise(names)
    ]
    started = time.process_time()
    assert "aliases expanded" in refused("\n".join(lines))
    assert time.process_time() - started < 1


def test_many_aliases_of_something_large_are_refused() -> None:
    assert "aliases expanded" in refused(f"a: &a [{'x, ' * 2000}x]\nb: [{'*a, ' * 2000}*a]")


def test_a_file_that_is_too_large_is_refused_and_never_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(50 << 20)
    tracemalloc.start()
    with pytest.raises(MeasurementError, match="more than the 16 MiB that are read at most"):
        list(read_path(tmp_path / "a.yaml", "a.yaml"))
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


def test_a_folder_with_more_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_BYTES", 3 * len(MAP))
    for number in range(3):
        (tmp_path / f"{number}.yaml").write_text(MAP)
    assert len(list(read_path(tmp_path, "d"))) == 3
    (tmp_path / "more.yaml").write_text(MAP)
    with pytest.raises(MeasurementError, match="its manifests have more than"):
        list(read_path(tmp_path, "d"))
    monkeypatch.setattr(sources, "MOST_FILES", 3)
    with pytest.raises(MeasurementError, match="more than 3 files"):
        list(read_path(tmp_path, "d"))


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        ("---\n" * 40_000, "a.yaml", "more than 20000 values"),
        ("a: 1\n---\n" * 15_000, "a.yaml", "more than 20000 values"),
        (f"a: [{'[],' * 30_000}1]", "a.yaml", "more than 20000 values"),
        ("".join(f"k{number}: 1\n" for number in range(15_000)), "a.yaml", "more than 20000 values"),
        ("".join(f"k{number}: &a{number} 1\n" for number in range(15_000)), "a.yaml", "more than 20000"),
        ('{"a":[' + "{}," * 30_000 + "1]}", "a.json", "more than 20000 values"),
        ('{"a":' + "1" * 5_000 + "}", "a.json", "4300"),
    ],
)
def test_more_values_than_are_read_are_refused_where_they_begin(
    text: str, name: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MAX_NODES", 20_000)
    assert problem in refused(text, name)


HOSTILE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1500 << 20, 1500 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
from release_gates.errors import MeasurementError
from release_gates.probes.kubernetes.documents import MAX_BYTES, read_documents
for data, name in (
    (b'{"a":[' + b"{}," * (MAX_BYTES // 3 - 9) + b"1]}", "a.json"),
    (b"[" * MAX_BYTES, "a.json"),
    (b"[" * MAX_BYTES, "a.yaml"),
    (bytes(MAX_BYTES), "a.yaml"),
):
    try:
        read_documents(data, name)
    except MeasurementError as error:
        print(error.slug)
"""


def test_the_largest_files_of_the_worst_kind_are_refused_within_bounded_memory_and_time() -> None:
    done = subprocess.run([sys.executable, "-c", HOSTILE], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["kubernetes-manifest-unreadable"] * 4, done.stderr


def test_anchors_and_merges() -> None:
    found = value("base: &b {x: 1, w: 2}\nother: {<<: *b, w: 3}\nboth: {<<: [*b, {z: 4, x: 5}]}\ncopy: *b")
    assert found["other"] == {"x": 1, "w": 3}
    assert found["both"] == {"x": 1, "w": 2, "z": 4}
    assert found["copy"] == {"x": 1, "w": 2}
    assert value("'<<': 1") == {"<<": 1}


def test_documents_have_their_lines_and_empty_ones_are_left_out() -> None:
    found = read_documents(b"# only a comment\n---\na: 1\n---\n---\n# x\nb: 2\n...\n", "f.yaml")
    assert [(one.place, one.value) for one in found] == [("f.yaml:2", {"a": 1}), ("f.yaml:5", {"b": 2})]
    assert read_documents(b"", "f.yaml") == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), json_values, max_size=5))
def test_what_yaml_and_json_write_is_read_as_it_was(document: dict[str, Any]) -> None:
    assert value(json.dumps(document), "a.json") == document
    assert value(yaml.safe_dump(document, default_style='"', allow_unicode=False)) == document


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_documents_or_refused(data: bytes) -> None:
    for name in ("a.yaml", "a.json"):
        try:
            found = read_documents(data, name)
        except MeasurementError as error:
            assert error.slug == "kubernetes-manifest-unreadable"  # noqa: PT017
        else:
            assert all(isinstance(one.value, dict) for one in found)


@given(st.text(alphabet="ab:-[]{},&*!<>|'\"#%?~ \n\t01.yn", max_size=80))
def test_yaml_of_any_kind_is_documents_or_refused(text: str) -> None:
    try:
        read_documents(text.encode(), "a.yaml")
    except MeasurementError as error:
        assert error.slug == "kubernetes-manifest-unreadable"  # noqa: PT017


@given(json_values)
def test_a_template_of_any_kind_is_a_pod_or_a_sentence(template: object) -> None:
    for shape in (
        template,
        {"spec": template},
        {"spec": {"containers": template}},
        {"spec": {"securityContext": template}},
    ):
        try:
            decode(shape)
        except ValueError as error:
            assert "Expected" in str(error)  # noqa: PT017


@given(json_values)
def test_an_object_of_any_kind_is_one_or_an_error(body: object) -> None:
    text = json.dumps(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": body}
    )
    try:
        found = deployed(read_documents(text.encode(), "a.json"), namespace="x")
    except MeasurementError as error:
        assert error.slug in {"kubernetes-manifest-malformed", "kubernetes-manifest-unreadable"}  # noqa: PT017
    else:
        assert found.workloads[0].pod.spec.containers


# -- files and folders ------------------------------------------------------------------------------------------


def test_a_folder_is_read_in_order_with_all_its_folders(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x.yml").write_text(MAP.replace("name: a", "name: x"))
    (tmp_path / "a.yaml").write_text(MAP)
    (tmp_path / "c.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}})
    )
    (tmp_path / "README.md").write_text("no manifest")
    assert [one.place for one in read_path(tmp_path, "d")] == ["d/a.yaml:1", "d/b/x.yml:1", "d/c.json:1"]


@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization", "Chart.yaml"])
def test_what_has_to_be_rendered_first_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.yaml").write_text(MAP)
    (tmp_path / name).write_text("resources: [a.yaml]")
    with pytest.raises(MeasurementError, match="has to be rendered first"):
        list(read_path(tmp_path, "d"))


def test_a_folder_without_a_manifest_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("x")
    for path, problem in ((tmp_path, "has no manifest"), (tmp_path / "no.yaml", "cannot be read")):
        with pytest.raises(MeasurementError, match=problem):
            list(read_path(path, "d"))


def test_links_that_leave_the_folder_or_go_round(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.yaml").write_text(MAP)
    (inside / "a.yaml").write_text(MAP)
    (inside / "round").symlink_to(inside, target_is_directory=True)
    with pytest.raises(MeasurementError, match="round is a link to a folder"):
        list(read_path(inside, "d"))
    (inside / "round").unlink()
    (inside / "b.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(MeasurementError, match="leaves the folder"):
        list(read_path(inside, "d"))


def test_what_cannot_be_listed_or_is_no_file_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(MAP)
    (tmp_path / "closed").mkdir()
    walk = os.scandir

    def scandir(path: str) -> Any:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return walk(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(MeasurementError, match="closed cannot be read: Permission denied"):
        list(read_path(tmp_path, "d"))
    monkeypatch.undo()
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(MeasurementError, match=r"pipe\.yaml is no file"):
        list(read_path(tmp_path, "d"))


@pytest.mark.parametrize("target", ["loop.yaml", "nowhere.yaml"])
def test_a_link_to_itself_or_to_nothing_is_an_error(tmp_path: Path, target: str) -> None:
    (tmp_path / "loop.yaml").symlink_to(target)
    with pytest.raises(MeasurementError, match=r"cannot be read|leaves the folder"):
        list(read_path(tmp_path, "d"))


def kubectl(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "bin" / "kubectl"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_kustomization_is_what_kubectl_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl(tmp_path, 'test "$1" = kustomize && cat "$2/out.yaml"', monkeypatch)
    (tmp_path / "out.yaml").write_text(MAP)
    (document,) = read_kustomize(tmp_path, "overlay")
    assert (document.place, document.value["kind"]) == ("overlay (kustomize):1", "ConfigMap")


def test_a_kustomization_that_does_not_render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl(tmp_path, "echo 'apiVersion: v1'; echo 'no such base' >&2; exit 1", monkeypatch)
    with pytest.raises(MeasurementError, match="no such base"):
        read_kustomize(tmp_path, "overlay")


def test_without_kubectl_a_kustomization_is_not_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProbeUnavailable, match="kubectl is not installed"):
        read_kustomize(tmp_path, "overlay")


# -- numbers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        (2, "2"),
        (0.5, "0.5"),
        ("1Gi", "1073741824"),
        ("1G", "1000000000"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1k", "1000"),
        (".5", "0.5"),
        ("2.", "2"),
        ("100u", "0.0001"),
        ("1Ki", "1024"),
        ("1E", "1000000000000000000"),
        ("-1", "-1"),
    ],
)
def test_quantities(text: str | int | float, is_: str) -> None:
    assert quantity(text) == type(quantity(1))(is_)


@pytest.mark.parametrize(
    "text",
    ["", "m", "1 Gi", "1GI", "1K", "1gi", "Gi", "1mi", "0x1", "1e", "NaN", "inf", "1_000", "1e9999", "٣"],
)
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        quantity(text)


def test_durations_and_lists_of_cpus() -> None:
    assert [seconds(text) for text in ("30 s", "2min", "250 ms", "1 h")] == [30, 120, 0.25, 3600]
    assert cpus("0-3,8, 10-10") == {0, 1, 2, 3, 8, 10}
    assert cpus("") == frozenset()
    for text in ("30", "s", "-1 s", "soon"):
        with pytest.raises(ValueError, match="is no duration"):
            seconds(text)
    for text in ("3-1", "a", "1-", "-1", "1--2"):
        with pytest.raises(ValueError, match="is no list of CPUs"):
            cpus(text)
