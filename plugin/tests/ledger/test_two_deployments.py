"""Two promotions at once, from two places, to one environment: exactly one wins, the other says who."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from plugin.tests.ledger.conftest import PostgresStore, SqliteStore
from plugin.tests.promotion.deploying_place import Place, lay_out
from release_gates.errors import GateError
from release_gates.model.event import Promoted


def test_of_two_promotions_at_once_one_wins_and_the_other_says_who(
    store: SqliteStore | PostgresStore, tmp_path: Path
) -> None:
    here = Place(store.open(), tmp_path / "here")
    lay_out(here)
    shutil.copytree(here.root, tmp_path / "there")
    places = {"bob": here.root, "eve": tmp_path / "there"}
    said = at_once({by: partial(entered, store, root, here.folder, by) for by, root in places.items()})
    [winner] = [by for by, text in said.items() if text == "entered"]
    [loser] = said.keys() - {winner}
    assert winner in said[loser]
    assert said[loser].rpartition("[")[2] in ("deployment-unfinished]", "already-live]")
    facts = [event.fact for event in here.ledger.events()]
    assert [fact.by for fact in facts if isinstance(fact, Promoted)] == [winner]
    assert here.is_live("2")
    assert [line for line in here.asked() if line.startswith("apply")] == ["apply copy", "apply switch"]


def entered(store: SqliteStore | PostgresStore, root: Path, folder: Path, by: str) -> str:
    try:
        Place(store.open(), root, place=folder).enter(by=by)
    except GateError as error:
        return str(error)
    return "entered"


def at_once(acts: Mapping[str, Callable[[], str]]) -> dict[str, str]:
    """Do each thing in a process of its own, all at once, and return what each says."""
    start, go = os.pipe()
    pipes = {name: os.pipe() for name in acts}
    children = []
    for name, act in acts.items():
        if (child := os.fork()) == 0:
            os.read(start, 1)
            os.write(pipes[name][1], act().encode())
            os._exit(0)
        children.append(child)
    os.write(go, b"." * len(acts))
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    said = {name: os.read(read, 65536).decode() for name, (read, _) in pipes.items()}
    for handle in (start, go, *(end for pipe in pipes.values() for end in pipe)):
        os.close(handle)
    return said
