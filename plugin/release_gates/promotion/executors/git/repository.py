"""A remote repository, seen through a bare one of our own: no working tree, no hooks, nobody's settings."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from release_gates.errors import DeployError, LiveDiffers
from release_gates.promotion.executors.running import hidden

LARGEST_BYTES = 1 << 20
"""A larger file is none that a person wrote to say what is live."""
_FILES = ("100644", "100755")
_NO_OBJECT = "0" * 40
_PROTOCOLS = "file:https:ssh"
_LOCAL = "refs/heads/remote"
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "protocol.version=2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """Where a branch is, "" if there is no such branch."""

    commit: str = ""


@dataclass(slots=True, kw_only=True)
class Repository:
    """A remote branch to read and to add commits to. ``deadline`` is of ``time.monotonic``."""

    folder: Path
    url: str
    branch: str
    variables: Mapping[str, str] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    deadline: float
    pushing: Callable[[int], None]
    """Hears the process that pushes: one that outlives us has to be known."""

    @property
    def ref(self) -> str:
        """The branch by its full name."""
        return f"refs/heads/{self.branch}"

    def fetch(self) -> Tip:
        """Return where the branch is now, by asking the remote."""
        listed = self._git("ls-remote", "--", self.url, self.ref).decode()
        if not any(line.partition("\t")[2] == self.ref for line in listed.splitlines()):
            return Tip()
        self._git("fetch", "--quiet", "--no-tags", "--depth=1", "--", self.url, f"+{self.ref}:{_LOCAL}")
        return Tip(commit=self._git("rev-parse", "--verify", f"{_LOCAL}^{{commit}}").decode().strip())

    def read(self, tip: Tip, path: str) -> bytes | None:
        """Return a regular file of a commit, None if it is not there; a link on the way is refused."""
        if not tip.commit:
            return None
        parts = path.split("/")
        places = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        entries = self._entries(tip, places)
        for place in places[:-1]:
            if place in entries and entries[place][0] != "040000":
                raise self._no_file(path, f"{place} is no folder")
        if path not in entries:
            return None
        mode, blob = entries[path]
        if mode not in _FILES:
            raise self._no_file(path, "it is a link, a folder or a submodule")
        if int(self._git("cat-file", "-s", blob)) > LARGEST_BYTES:
            raise self._no_file(path, f"it is larger than {LARGEST_BYTES} bytes")
        return self._git("cat-file", "blob", blob)

    def commit(self, tip: Tip, path: str, data: bytes | None, message: str) -> str:
        """Return a new commit on top of a tip in which only that file differs; None removes it."""
        self._git("read-tree", tip.commit) if tip.commit else self._git("read-tree", "--empty")
        entry = f"0 {_NO_OBJECT}"
        if data is not None:
            mode = self._entries(tip, [path]).get(path, _FILES)[0] if tip.commit else _FILES[0]
            entry = f"{mode} {self._git('hash-object', '-w', '--stdin', stdin=data).decode().strip()}"
        self._git("update-index", "--index-info", stdin=f"{entry}\t{path}\n".encode())
        tree = self._git("write-tree").decode().strip()
        parent = ("-p", tip.commit) if tip.commit else ()
        return self._git("commit-tree", tree, *parent, "-F", "-", stdin=message.encode()).decode().strip()

    def tag(self, name: str, commit: str, message: str) -> str:
        """Return a new annotated tag of a commit, as an object that only a push gives its name."""
        self._git("tag", "--annotate", "-F", "-", "--", name, commit, stdin=message.encode())
        return self._git("rev-parse", "--verify", f"refs/tags/{name}").decode().strip()

    def push(self, tip: Tip, commit: str, tags: Mapping[str, str]) -> None:
        """Move the branch from the tip to a commit, and make tags, all or nothing.

        ``LiveDiffers`` if the branch is elsewhere by now, or if a tag of that name is there.
        """
        leases = [f"--force-with-lease={self.ref}:{tip.commit}"]
        leases += [f"--force-with-lease=refs/tags/{name}:" for name in tags]
        moves = [f"{commit}:{self.ref}", *(f"{each}:refs/tags/{name}" for name, each in tags.items())]
        options = ("--porcelain", "--atomic", "--no-verify", "--recurse-submodules=no", *leases)
        done = self._run("push", *options, "--", self.url, *moves, started=self.pushing)
        if done.returncode == 0:
            return
        if b"stale info" in done.stdout or b"[rejected]" in done.stdout:
            raise LiveDiffers(
                f"{self.url}: {self.branch} was moved by somebody else meanwhile, so nothing was pushed: "
                f"{self._said(done.stdout)}.",
                slug="deploy-moved",
                hint="Look at who pushed what (git log), then resume.",
            )
        raise self._failed("push", done)

    def _entries(self, tip: Tip, places: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return mode and object of those places that are in a commit."""
        found = {}
        listed = self._git("ls-tree", "-z", "--full-tree", tip.commit, "--", *places)
        for line in listed.decode(errors="surrogateescape").split("\0")[:-1]:
            facts, _, name = line.partition("\t")
            mode, _, name_of_object = facts.split()
            found[name] = (mode, name_of_object)
        return found

    def _git(self, *words: str, stdin: bytes = b"") -> bytes:
        done = self._run(*words, stdin=stdin)
        if done.returncode:
            raise self._failed(words[0], done)
        return done.stdout

    def _run(
        self, *words: str, stdin: bytes = b"", started: Callable[[int], None] = lambda _: None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git until the deadline at most; then it and all that it started are killed."""
        try:
            process = subprocess.Popen(
                (*_GIT, *words),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.folder,
                env=self.environ,
                start_new_session=True,
            )
        except OSError as error:
            raise DeployError(
                f"git cannot be started ({error.strerror}).",
                slug="deploy-git",
                hint="apt-get install git",
            ) from None
        with process, _killed(process):
            started(process.pid)
            stdout, stderr = process.communicate(stdin, timeout=max(0.0, self.deadline - time.monotonic()))
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def _failed(self, verb: str, done: subprocess.CompletedProcess[bytes]) -> DeployError:
        words = self._said(done.stderr) or self._said(done.stdout) or "it said nothing"
        return DeployError(
            f"{self.url}: git {verb} ended with {done.returncode}: {words}.",
            slug="deploy-git",
            hint="Try the same by hand; which variables git gets is `env` of the environment's deploy table.",
        )

    def _said(self, output: bytes) -> str:
        """Return what git printed, as one line without the value of any variable."""
        line = " ".join(output.decode("utf-8", "replace").split())
        return hidden(line, self.variables).rstrip(".")

    def _no_file(self, path: str, because: str) -> DeployError:
        return DeployError(
            f"{self.url}: {path} on {self.branch}: {because}.",
            slug="deploy-git-path",
            hint="Name a regular file of that repository.",
        )


@contextmanager
def opened(
    url: str,
    branch: str,
    *,
    author: tuple[str, str],
    variables: Mapping[str, str],
    pushing: Callable[[int], None],
    timeout_s: float,
    root: Path,
) -> Iterator[Repository]:
    """Open a remote repository for one step; what is fetched for it is gone afterwards.

    ``variables`` is what git gets besides its own. A relative path begins at ``root``.
    """
    with tempfile.TemporaryDirectory(prefix="release-gates-") as folder:
        repository = Repository(
            folder=Path(folder),
            url=_address(url, root),
            branch=branch,
            variables=variables,
            environ=_environ(author, variables),
            deadline=time.monotonic() + timeout_s,
            pushing=pushing,
        )
        repository._git("init", "--quiet", "--bare", ".")
        yield repository


@contextmanager
def _killed(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave no process behind where something goes wrong."""
    try:
        yield
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise DeployError(
            "git did not end in time and was killed; nobody knows what it did.",
            slug="deploy-timeout",
            hint="Look whether the place answers, then resume: what was done already is done once.",
        ) from None


def _environ(author: tuple[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    person = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in zip(("NAME", "EMAIL"), author, strict=True)
    }
    return {
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        **variables,
        **person,
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
    }


def _address(url: str, root: Path) -> str:
    """Return what git is told: a URL as it is, anything else as a folder."""
    return url if re.match(r"[a-z]+://", url) else str((root / url).absolute())
