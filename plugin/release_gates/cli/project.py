"""Where a command works: root folder, policy, candidate, ledger; and how it speaks (text or JSON)."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
import msgspec

from release_gates import TOOL
from release_gates.candidate.file import read_candidate
from release_gates.errors import GateError, PolicyError, PromotionRefused
from release_gates.ledger.checkpoint import check_checkpoint, read_checkpoint
from release_gates.ledger.notes import Note, note_of
from release_gates.ledger.opening import open_ledger
from release_gates.ledger.protocol import Ledger
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.checkpoint import Noted
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.route import NORMAL
from release_gates.model.trust import Trust
from release_gates.policy.home import OWN, elsewhere, find_root
from release_gates.policy.load import load_policy, policy_from_snapshot
from release_gates.policy.routes import on_route
from release_gates.policy.snapshot import read_snapshot
from release_gates.policy.trust import FILE, read_keys

_ACTS = re.compile(r"(\x1b\[(?:0|1|3[12])m|\n)")
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project on disk, as the options of the command line name it."""

    root: Path
    policy_dir: Path
    candidate_file: Path
    ledger_url: str | None
    checkpoint: Note | None
    json: bool

    @property
    def state(self) -> Path:
        """Folder of everything that runs leave behind."""
        return self.root / ".gates"

    @property
    def elsewhere(self) -> str:
        """The policy folder, if it is not the project's own; "" if it is. Then a verdict is LOCAL."""
        return elsewhere(self.policy_dir, self.root)

    def snapshot(self) -> dict[str, str]:
        """Return the rules: the text of everything in the policy folder, the digests of what measures."""
        return read_snapshot(self.policy_dir, tool=TOOL, root=self.root)

    def policy(self) -> Policy:
        """Return the policy; ``PolicyError`` lists every mistake."""
        return policy_from_snapshot(self.snapshot(), folder=self.policy_dir.name)

    def check_policy(self, environment: str) -> None:
        """Refuse a policy from elsewhere, unless the project's own accepts LOCAL for this environment.

        It makes verdicts LOCAL, and may not say itself that this is enough where there is an own one.
        """
        own = self.root / OWN
        if not (self.elsewhere and own.is_dir()):
            return
        entry = load_policy(own, tool=TOOL).environment(environment)
        if entry is None or not entry.local_may_promote:
            raise PromotionRefused(
                f"the policy is from elsewhere, {self.elsewhere}, which makes every verdict LOCAL, and the "
                f"project's own gates/ do not accept that for {environment}.",
                slug="local-verdict",
                hint="Decide and promote without --gate-policy and GATE_POLICY.",
            )

    def candidate(self) -> ReleaseCandidate:
        """Return the candidate that ``candidate.toml`` describes."""
        return read_candidate(self.candidate_file)

    def ledger(self, *, create: bool = False, compare: bool = True) -> Ledger:
        """Open the ledger; one that is named and absent is an error unless ``create``.

        Where a checkpoint is named, the ledger has to hold what it says, unless the caller compares it.
        """
        ledger = open_ledger(self.ledger_url, base=Path.cwd(), state=self.state, create=create)
        if compare and (noted := self.noted()) is not None:
            check_checkpoint(noted, ledger.events())
        return ledger

    def trust(self) -> Trust:
        """Return the public keys of the policy folder's ``trust.toml``, none where it is absent."""
        path = self.policy_dir / FILE
        return read_keys(path) if path.exists() else Trust()

    def noted(self) -> Noted | None:
        """Return the newest checkpoint, None where no place is named; ``LedgerError`` unless it counts."""
        if self.checkpoint is None:
            return None
        return read_checkpoint(self.checkpoint, self.trust(), now=datetime.now(UTC))

    def say(self, data: object, lines: Iterable[str]) -> None:
        """Print ``data`` as JSON, or the lines for people."""
        if self.json:
            click.echo(json.dumps(msgspec.to_builtins(data), indent=2, ensure_ascii=False))
        else:
            for line in lines:
                click.echo(shown(line))


ROUTE = click.option(
    "--route",
    envvar="GATE_ROUTE",
    default=NORMAL,
    show_default=True,
    help="The route of gates/environments.toml that is asked for.",
)


def environment_of(policy: Policy, name: str, route: str = NORMAL) -> EnvironmentPolicy:
    """Return what an entry asks for on a route, or refuse with the names that there are."""
    environment = policy.environment(name)
    if environment is None:
        known = ", ".join(each.name for each in policy.environments)
        raise PolicyError(
            f"there is no environment '{name}'.", slug="unknown-environment", hint=f"There are: {known}."
        )
    return on_route(environment, route)


def width() -> int:
    """Return the columns to write for: 60 to 200, 80 where nobody knows."""
    import shutil

    return min(200, max(60, shutil.get_terminal_size((80, 24)).columns))


def refusing(command: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Turn a ``GateError`` into its sentence on stderr (or JSON) and exit status 2."""

    @wraps(command)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        try:
            return command(*args, **kwargs)
        except GateError as error:
            refuse(error)

    return wrapper


def refuse(error: GateError, *, status: int = 2) -> NoReturn:
    """Print an error in the form that was asked for and leave with ``status``."""
    context = click.get_current_context(silent=True)
    project: Any = context.obj if context else None
    if project is not None and project.json:
        click.echo(json.dumps({"error": error.message, "slug": error.slug, "hint": error.hint}))
    else:
        click.echo(f"error: {shown(str(error))}", err=True)
    sys.exit(status)


def shown(text: str) -> str:
    """Return a text as a terminal may get it: only line ends and the colours of ``click.style`` act on it.

    Names and reasons come from candidates, the ledger and other people: what else cannot be printed is
    escaped.
    """
    parts = enumerate(_ACTS.split(text))
    return "".join(part if number % 2 else "".join(map(_printable, part)) for number, part in parts)


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def project_from(
    policy: str | None, candidate: str | None, ledger: str | None, checkpoint: str | None, *, json: bool
) -> Project:
    """Return the project that the options, else ``GATE_…`` variables, else the defaults name."""
    root = find_root(Path.cwd())
    seen = checkpoint if checkpoint is not None else os.environ.get("GATE_CHECKPOINT")
    return Project(
        root=root,
        policy_dir=_path(policy, "GATE_POLICY", root / "gates"),
        candidate_file=_path(candidate, "GATE_CANDIDATE", root / "candidate.toml"),
        ledger_url=ledger if ledger is not None else os.environ.get("GATE_LEDGER"),
        checkpoint=None if seen is None else note_of(seen, base=Path.cwd(), root=root),
        json=json,
    )


def _path(option: str | None, variable: str, default: Path) -> Path:
    text = option if option is not None else os.environ.get(variable)
    return default if text is None else Path.cwd() / text
