"""Where proofs are made: plants a defect by its command, and measures one gate on what came of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from release_gates.candidate.file import read_candidate
from release_gates.errors import CandidateError, EvidenceError
from release_gates.host.surroundings import BUILDING, surroundings
from release_gates.ledger.evidence import read_evidence
from release_gates.ledger.opening import told_to_child
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.event import Live
from release_gates.model.gate import EnvironmentPolicy, GateSpec, Policy
from release_gates.model.route import NORMAL
from release_gates.policy.selection import expected_in
from release_gates.proof.assess import Judged, judge_alone
from release_gates.proof.command import Stop, filled, last_line, run_command
from release_gates.proof.registry import CLEAN, Command


class NotPlanted(Exception):
    """There is no candidate, or no place for what is measured on it: nothing can be proved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A candidate that a command made, clean or known-bad, and the folder of everything about it."""

    folder: Path
    candidate: ReleaseCandidate

    @property
    def file(self) -> Path:
        """The candidate's file."""
        return self.folder / "candidate.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One project whose gates are proved. ``variables`` is the environment of pytest.

    The registry's commands, which build candidates, see of it what builds need, and what is ``passed_on``.
    Everything lies in ``root/.gates/prove``, apart from the project's own candidate, evidence and verdicts.
    """

    root: Path
    policy_dir: Path
    policy: Policy
    environment: EnvironmentPolicy
    ledger_url: str
    live: Live | None
    timeout_s: float
    variables: Mapping[str, str]
    passed_on: tuple[str, ...] = ()
    stop: Stop

    def folder(self, name: str) -> Path:
        """Return where everything about one defect lies."""
        return self.root / ".gates" / "prove" / name

    def plant(self, name: str, command: Command) -> Planted:
        """Run ``apply`` or ``clean`` in an empty folder and return its candidate.

        Raises ``NotPlanted`` if the command fails, takes too long or leaves no candidate.
        """
        folder = self.folder(name)
        _empty(folder)
        if why := self._run(name, command, "clean" if name == CLEAN else "apply", stop=self.stop):
            raise NotPlanted(why)
        try:
            return Planted(folder=folder, candidate=read_candidate(folder / "candidate.toml"))
        except CandidateError as error:
            log = (folder / f"{'clean' if name == CLEAN else 'apply'}.log").relative_to(self.root)
            raise NotPlanted(
                f"the command left no candidate: {error.message} Its output is in {log}"
            ) from None

    def undo(self, name: str, command: Command) -> str:
        """Run ``undo`` to its end, whoever asks to stop; return why it failed, or ""."""
        return self._run(name, command, "undo", stop=None)

    def measure(self, planted: Planted, gate: GateSpec, number: int = 0) -> Judged:
        """Run exactly the expected tests of one gate by pytest, as a part, and judge what they measured.

        Measurements that run at the same time have other candidates or other numbers.
        """
        tests = expected_in(self.policy, self.environment).get(gate.name, ())
        if not tests:
            return Judged(None, f"gates/expected/{gate.name}.txt names no test")
        folder = planted.folder / f"gate-{gate.name}{f'-{number}' if number else ''}"
        try:
            _empty(folder)
        except NotPlanted as error:
            return Judged(None, str(error))
        evidence, log = folder / "evidence.jsonl", folder / "pytest.log"
        ended = run_command(
            self._pytest(planted.file, tests, folder, evidence),
            root=self.root,
            log=log,
            timeout_s=self.timeout_s,
            variables={**self.variables, **told_to_child(self.ledger_url)[1]},
            stop=self.stop,
        )
        if ended.status < 0:
            return Judged(None, ended.why)
        try:
            found = read_evidence(evidence)
        except EvidenceError as error:
            return Judged(None, f"{error.message} {ended.why or self._see(log)}")
        if found.header.candidate.digest != planted.candidate.digest:
            return Judged(None, f"the evidence is about other digests than {planted.file.name} names")
        judged = judge_alone(gate, policy=self.policy, evidence=found, live=self.live, now=datetime.now(UTC))
        return judged._replace(because=f"{judged.because}; {self._see(log)}") if judged.because else judged

    def _see(self, log: Path) -> str:
        said = last_line(log, beginning="ERROR")
        return f"{f'pytest says {said}; ' if said else ''}its output is in {log.relative_to(self.root)}"

    def _run(self, name: str, command: Command, step: str, *, stop: Stop | None) -> str:
        self.folder(name).mkdir(parents=True, exist_ok=True)  # apply may have removed it
        values = {
            "python": sys.executable,
            "candidate": str(self.folder(name) / "candidate.toml"),
            "environment": self.environment.name,
            "defect": name,
        }
        return run_command(
            filled(command, values),
            root=self.root,
            log=self.folder(name) / f"{step}.log",
            timeout_s=self.timeout_s,
            variables=surroundings(self.variables, known=BUILDING, more=self.passed_on),
            stop=stop,
        ).why

    def _pytest(self, candidate: Path, tests: tuple[str, ...], folder: Path, evidence: Path) -> list[str]:
        arguments = folder / "tests.txt"
        arguments.write_text("".join(f"{test}\n" for test in tests), encoding="utf-8")
        return [
            *(sys.executable, "-m", "pytest", "-m", f"gate_{self.environment.name}"),
            *(f"--rootdir={self.root}", "-o", f"cache_dir={folder / 'cache'}"),
            *("--gate-part", f"--gate-route={NORMAL}", f"--gate-policy={self.policy_dir}"),
            *(f"--gate-candidate={candidate}", f"--gate-evidence={evidence}"),
            *told_to_child(self.ledger_url)[0],
            f"@{arguments}",
        ]


def _empty(folder: Path) -> None:
    """Remove what an earlier proof, or a command, left there, so that a stale file never counts."""
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
    except OSError as error:
        raise NotPlanted(f"{folder} cannot be emptied ({error.strerror}). Remove it") from error
