"""A team's own locustfile: imported once, and every way in which it cannot be used has its sentence."""

from __future__ import annotations

import difflib
import hashlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from locust import LoadTestShape, User
from locust.util.load_locustfile import load_locustfile

from release_gates.probes.load.open.refusal import CannotRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Locustfile:
    """What a locustfile has: its User classes that are not abstract, and its shape if it has one."""

    path: Path
    sha256: str
    users: Mapping[str, type[User]]
    shape: LoadTestShape | None

    def chosen(self, names: Sequence[str]) -> list[type[User]]:
        """Return the User classes with these names, all of them where none is named."""
        for name in names:
            if name not in self.users:
                near = difflib.get_close_matches(name, self.users, n=1)
                meant = f" Did you mean {near[0]}?" if near else ""
                known = ", ".join(sorted(self.users))
                raise CannotRun(f"{self.path}: has no User class {name!r}; it has {known}.{meant}")
        return [self.users[name] for name in names] if names else list(self.users.values())


def load(path: Path, root: str) -> Locustfile:
    """Import a locustfile; ``root`` is put first on ``sys.path``. CannotRun for one that cannot be used."""
    if root:
        sys.path.insert(0, root)
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise CannotRun(f"{path}: the locustfile cannot be read ({error.strerror})") from error
    users, shapes = _imported(path)
    if not users:
        raise CannotRun(
            f"{path}: has no User class, so nothing would be sent; derive one from locust.HttpUser, "
            "FastHttpUser or User, and leave `abstract` out"
        )
    if len(shapes) > 1:
        names = ", ".join(type(shape).__name__ for shape in shapes)
        raise CannotRun(
            f"{path}: has {len(shapes)} shapes ({names}); keep one, mark others `abstract = True`"
        )
    return Locustfile(path=path, sha256=sha256, users=users, shape=shapes[0] if shapes else None)


def _imported(path: Path) -> tuple[dict[str, type[User]], list[LoadTestShape]]:
    try:
        return load_locustfile(str(path))
    except SystemExit as error:
        raise CannotRun(
            f"{path}{_line(path, error)}: called sys.exit({error.code}) while imported"
        ) from error
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        raise CannotRun(f"{path}{_line(path, error)}: cannot be imported as a locustfile; {what}") from error


def _line(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno}"
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f", line {lines[-1]}" if lines else ""
