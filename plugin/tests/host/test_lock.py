"""The host's lock between real processes: who gets it, who is named or inherits it, what is refused."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_gates.errors import HostBusy
from release_gates.host.lock import HELD_BY, NAME, HostLock, Side
from release_gates.host.lock_file import Held, parse_locks, shared_folder

CODE = """
import sys
from pathlib import Path
from release_gates.host.lock import HostLock, Side
lock = HostLock(Path(sys.argv[1]))
try:
    lock.acquire(Side[sys.argv[2]], timeout_s=float(sys.argv[3]), say=print)
    print("held", flush=True)
except Exception as error:
    print(error, flush=True)
sys.stdin.readline()
"""


@contextmanager
def process(
    folder: Path, side: Side, *, timeout_s: float = 60, **more: str
) -> Iterator[subprocess.Popen[str]]:
    """Another process that takes the lock, says how that went, and keeps it until it is ended."""
    env = {**os.environ, **more}
    if HELD_BY not in more:
        env.pop(HELD_BY, None)
    command = [sys.executable, "-c", CODE, str(folder), side.name, str(timeout_s)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def said(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def lock(folder: Path) -> HostLock:
    return HostLock(folder, variables={})


def take(mine: HostLock, side: Side, timeout_s: float = 0.0) -> None:
    mine.acquire(side, timeout_s=timeout_s, say=lambda line: None)


@pytest.mark.parametrize("theirs", Side)
@pytest.mark.parametrize("mine", Side)
def test_only_those_who_may_stand_beside_each_other_do(tmp_path: Path, mine: Side, theirs: Side) -> None:
    with process(tmp_path, theirs) as other:
        assert said(other) == "held"
        own = lock(tmp_path)
        if mine is theirs is Side.BESIDE_OTHERS:
            take(own, mine)
            return
        with pytest.raises(HostBusy, match=rf"pid {other.pid} \(`{sys.executable} -c") as refused:
            take(own, mine)
        assert ("is alone on this host for" in str(refused.value)) == (theirs is Side.ALONE)
        other.kill()
        other.wait()
        take(own, mine, 60)  # the kernel let go of it


def test_who_waits_to_be_alone_is_not_starved(tmp_path: Path) -> None:
    first, late = lock(tmp_path), lock(tmp_path)
    take(first, Side.BESIDE_OTHERS)
    with process(tmp_path, Side.ALONE) as waiter:
        late_refused = _until_refused(late)
        assert f"pid {waiter.pid}" in late_refused
        assert "waits to be alone on this host" in late_refused
        first.release()
        assert said(waiter) == "held"


def _until_refused(late: HostLock) -> str:
    """Take turns beside others until somebody waits to be alone; the sentence says who."""
    while True:
        try:
            take(late, Side.BESIDE_OTHERS)
        except HostBusy as refused:
            return str(refused)
        late.release()


def test_an_inner_process_has_what_the_outer_one_holds(tmp_path: Path) -> None:
    variables: dict[str, str] = {}
    outer = HostLock(tmp_path, variables=variables)
    take(outer, Side.ALONE)
    for side in Side:
        with process(tmp_path, side, timeout_s=0, **variables) as inner:
            assert said(inner) == "held"
    take(HostLock(tmp_path, variables=variables), Side.ALONE)  # also in this very process
    take(outer, Side.BESIDE_OTHERS)
    with process(tmp_path, Side.ALONE, **variables) as inner:
        assert "[alone-inside-beside]" in said(inner)


@pytest.mark.parametrize(
    "forged", ["", "x", "{pid}", "{pid}:1:{folder}", "{pid}:{start}:/elsewhere", "0:0:{folder}"]
)
def test_a_token_that_is_not_true_is_worth_nothing(tmp_path: Path, forged: str) -> None:
    variables: dict[str, str] = {}
    take(outer := HostLock(tmp_path, variables=variables), Side.ALONE)
    pid, start, folder = variables[HELD_BY].split(":")
    token = forged.format(pid=pid, start=start, folder=folder)
    with pytest.raises(HostBusy, match="host-busy"):
        take(HostLock(tmp_path, variables={HELD_BY: token}), Side.BESIDE_OTHERS)
    outer.release()
    with process(tmp_path, Side.ALONE) as other:
        assert said(other) == "held"
        with pytest.raises(HostBusy, match="host-busy"):  # true once, and let go of since
            take(HostLock(tmp_path, variables=variables), Side.ALONE)


def _symlink(path: Path) -> None:
    (path.parent / "precious").write_text("precious")
    path.symlink_to(path.parent / "precious")


def _hardlink(path: Path) -> None:
    (path.parent / "precious").write_text("precious")
    path.hardlink_to(path.parent / "precious")


def test_a_file_that_cannot_be_locked_is_a_sentence(tmp_path: Path) -> None:
    own = lock(tmp_path)
    take(own, Side.ALONE)
    own.release()
    os.close(own._turnstile._descriptor)
    with pytest.raises(HostBusy, match=r"Bad file descriptor.*host-lock-unusable"):
        take(own, Side.ALONE)
    take(own, Side.ALONE)


@pytest.mark.parametrize("plant", [_symlink, _hardlink, Path.mkdir, os.mkfifo])
def test_what_is_no_file_of_its_own_is_refused(tmp_path: Path, plant: object) -> None:
    assert callable(plant)
    plant(tmp_path / f"{NAME}.lock")
    for side in Side:
        with pytest.raises(HostBusy, match="host-lock-unusable"):
            take(lock(tmp_path), side)
    precious = tmp_path / "precious"
    assert not precious.exists() or precious.read_text() == "precious"


def test_a_file_that_was_removed_meanwhile_is_opened_anew(tmp_path: Path) -> None:
    own = lock(tmp_path)
    take(own, Side.BESIDE_OTHERS)
    own.release()
    (tmp_path / f"{NAME}.lock").unlink()
    with process(tmp_path, Side.ALONE) as other:
        assert said(other) == "held"
        with pytest.raises(HostBusy, match=f"pid {other.pid}"):
            take(own, Side.BESIDE_OTHERS)


def test_everybody_may_lock_the_files_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        take(lock(tmp_path), Side.ALONE)
    finally:
        os.umask(umask)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o666}


@pytest.mark.parametrize(("mode", "taken"), [(0o1777, True), (0o777, False), (0o755, False), (0o1775, False)])
def test_only_a_folder_that_all_users_share_is_taken(tmp_path: Path, mode: int, *, taken: bool) -> None:
    tmp_path.chmod(mode)
    places = [tmp_path / "absent", tmp_path]
    assert (shared_folder(places, owner=os.getuid()) == tmp_path) is taken
    assert shared_folder(places, owner=os.getuid() + 1) is None


def test_locks_of_the_kernel_are_read() -> None:
    text = (
        "1: FLOCK  ADVISORY  WRITE 4711 08:01:42 0 EOF\n"
        "1: -> FLOCK  ADVISORY  READ 4712 08:01:42 0 EOF\n"
        "2: POSIX  ADVISORY  WRITE 4713 08:01:42 0 EOF\n"
        "3: FLOCK  ADVISORY  READ 4714 00:1a:7 0 EOF\n"
    )
    assert parse_locks(text) == (
        Held(4711, True, os.makedev(8, 1), 42),
        Held(4714, False, os.makedev(0, 0x1A), 7),
    )


@given(st.text())
def test_other_text_holds_nothing(text: str) -> None:
    assert all(held.pid >= 0 for held in parse_locks(text))
