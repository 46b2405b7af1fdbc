"""The published schemas are those of the types."""

from __future__ import annotations

from reports.schemas import FOLDER, schemas


def test_files_are_up_to_date() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == schemas()
