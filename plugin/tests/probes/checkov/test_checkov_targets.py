"""What is laid out for checkov, and counted: any bytes are counted or refused, and links lead nowhere."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from release_gates.errors import MeasurementError
from release_gates.probes.checkov.targets import Laid, lay_out_manifests, lay_out_plan, lay_out_terraform

LISTED = "kind: PodList\nitems: [{kind: Pod}, {kind: Pod}]\n---\nkind: Pod\n---\n# nothing\n"


def test_objects_of_lists_count_and_empty_documents_do_not(tmp_path: Path) -> None:
    (tmp_path / "from/below").mkdir(parents=True)
    (tmp_path / "from/below/a.yaml").write_text(LISTED, encoding="utf-8")
    (tmp_path / "from/b.json").write_text('{"kind": "Service"}', encoding="utf-8")
    (tmp_path / "from/notes.txt").write_text("kind: Pod", encoding="utf-8")
    laid = lay_out_manifests(tmp_path / "from", "from", tmp_path / "to")
    assert laid == Laid(4, frozenset({"/below/a.yaml"}))
    assert {path.name for path in (tmp_path / "to").rglob("*.*")} == {"a.yaml", "b.json"}


def test_resources_that_are_declared_count(tmp_path: Path) -> None:
    (tmp_path / "from/.terraform/modules").mkdir(parents=True)
    text = '# resource "a" "b" {\nresource "a" "b" {\n}\n  resource "a"   "c" {}\ndata "a" "b" {}\n'
    (tmp_path / "from/main.tf").write_text(text, encoding="utf-8")
    (tmp_path / "from/.terraform/modules/other.tf").write_text(text, encoding="utf-8")
    assert lay_out_terraform(tmp_path / "from", "from", tmp_path / "to") == Laid(2)
    assert [path.name for path in (tmp_path / "to").rglob("*")] == ["main.tf"]


@pytest.mark.parametrize("lay_out", [lay_out_terraform, lay_out_manifests])
def test_links_and_absent_folders_are_errors(tmp_path: Path, lay_out: Callable[..., Laid]) -> None:
    with pytest.raises(MeasurementError, match=r"no such folder|cannot be read"):
        lay_out(tmp_path / "absent", "absent", tmp_path / "to")
    (tmp_path / "from").mkdir()
    (tmp_path / "from/here").symlink_to(tmp_path)
    with pytest.raises(MeasurementError, match="from/here: it is a link"):
        lay_out(tmp_path / "from", "from", tmp_path / "to")


@given(st.binary(max_size=80) | st.text(alphabet="{}[]:,-&*!|>#'\"%@ \nab01~?", max_size=60).map(str.encode))
@example(b"a: 2001-99-99")
@example(b"&a [*a]")
@example(b"? [a]\n: 1")
@example(b"!!int x")
@example(b"[" * 2000)
def test_any_bytes_are_counted_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.yaml"
        file.write_bytes(data)
        for lay_out in (lay_out_manifests, lay_out_plan):
            with suppress(MeasurementError):
                assert lay_out(file, "x.yaml", Path(folder) / "to").resources >= 0
