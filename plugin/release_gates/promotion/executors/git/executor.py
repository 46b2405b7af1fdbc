"""The executor ``git``: one commit that says what is live, pushed only if nobody else moved the branch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from email.utils import parseaddr
from functools import partial

from release_gates.errors import DeployError, LiveDiffers
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deploy_settings import GitSettings
from release_gates.model.deployment import Change, Step
from release_gates.promotion.at_work import note_command
from release_gates.promotion.executors.git.document import Document, Kustomization, LiveFile
from release_gates.promotion.executors.git.repository import Repository, opened
from release_gates.promotion.executors.protocol import Site
from release_gates.promotion.executors.running import environment_for
from release_gates.promotion.executors.settings import check_step, printable, settings_of, shown

PUSH = "push"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class GitExecutor:
    """Says in a file on a branch what is live, for whatever follows that branch.

    Everything is read from the remote itself. There is one step: the remote says the one, and then the other.
    """

    def __init__(self, site: Site) -> None:
        """Use the repository that the settings name; ``DeployError`` for settings that lead elsewhere."""
        settings = settings_of(site, GitSettings)
        self._site = site
        self._settings = settings
        self._author = _checked(settings)
        self._path = settings.kustomization or settings.file
        place = f"{settings.repository}, {settings.branch}:{self._path}"
        self._document: Document = (
            Kustomization(place=place, images=settings.images)
            if settings.kustomization
            else LiveFile(place=place)
        )
        self._place = place

    def plan(self, change: Change) -> Sequence[Step]:
        """Return the one step: a commit and its push."""
        self._document.fits(change.candidate)
        what = ", ".join(self._settings.images.values()) or "all artifacts"
        return (
            Step(
                name=PUSH, does=f"commit the digests of {shown(change.candidate)} ({what}) to {self._place}"
            ),
        )

    def apply(self, change: Change, step: Step) -> str:
        """Push the commit that makes the candidate live; nothing if the remote says so already."""
        check_step(step, PUSH)
        return self._set(change, change.candidate, instead_of=change.previous, suffix="")

    def undo(self, change: Change, step: Step) -> str:
        """Push one more commit, which makes live what was before."""
        check_step(step, PUSH)
        return self._set(change, change.previous, instead_of=change.candidate, suffix=".undone")

    def verify(self, candidate: ReleaseCandidate | None) -> str:
        """Fetch the branch anew and read the digests back."""
        with self._opened() as repository:
            tip = repository.fetch()
            if why := self._document.differs(repository.read(tip, self._path), candidate):
                raise LiveDiffers(
                    f"{self._place} does not say that {shown(candidate)} is live: {why}.",
                    slug="live-differs",
                    hint="Find out who changed it; deploy again, or `release-gates adopt` what is there.",
                )
        at = f" (commit {tip.commit[:12]})" if tip.commit else ""
        return f"{self._place} says {shown(candidate)}{at}"

    def _set(
        self,
        change: Change,
        wanted: ReleaseCandidate | None,
        *,
        instead_of: ReleaseCandidate | None,
        suffix: str,
    ) -> str:
        with self._opened() as repository:
            tip = repository.fetch()
            data = repository.read(tip, self._path)
            if not self._document.differs(data, wanted):
                return f"{self._place} says {shown(wanted)} already"
            if why := self._document.differs(data, instead_of):
                raise LiveDiffers(
                    f"{self._place} says neither {shown(wanted)} nor {shown(instead_of)}: {why}. "
                    "Somebody else changed it, so nothing was pushed.",
                    slug="deploy-moved",
                    hint="Look at who did (git log), then `release-gates adopt` it, or set it back.",
                )
            message = _message(change, wanted, instead_of)
            commit = repository.commit(tip, self._path, self._document.written(data, wanted), message)
            repository.push(tip, commit, self._tags(repository, change, commit, message, suffix))
        return f"{self._place} says {shown(wanted)} (commit {commit[:12]})"

    def _tags(
        self, repository: Repository, change: Change, commit: str, message: str, suffix: str
    ) -> dict[str, str]:
        if not self._settings.tags:
            return {}
        name = f"{self._settings.tags}/{change.deployment}{suffix}"
        if not _is_ref(name):
            raise _refused(f"{name[:100]!a} is no name of a tag")
        return {name: repository.tag(name, commit, message)}

    def _opened(self) -> AbstractContextManager[Repository]:
        return opened(
            self._settings.repository,
            self._settings.branch,
            author=self._author,
            variables=environment_for(self._site),
            pushing=partial(note_command, self._site),
            timeout_s=self._site.policy.timeout_s,
            root=self._site.root,
        )


def _checked(settings: GitSettings) -> tuple[str, str]:
    """Return name and address of the author; refuse whatever git could read as something else."""
    url, path = settings.repository, settings.kustomization or settings.file
    known = not re.match(r"-|[^/]*://", url) or re.match(r"(file|https|ssh)://", url)
    if not url or not known or "::" in url or not url.isprintable():
        raise _refused(f"{url[:100]!a} is no path or URL (https, ssh, file) of a repository")
    if re.match(r"[a-z]+://[^/@]*:[^/]*@", url):
        raise _refused(
            "the repository's URL has a password in it", "Let `env` name SSH_AUTH_SOCK or GIT_ASKPASS."
        )
    if settings.kustomization and not settings.images:
        raise _refused("a kustomization needs images", 'images = { "registry.example/engine" = "image" }')
    if not _is_ref(settings.branch) or (settings.tags and not _is_ref(settings.tags)):
        raise _refused(f"{settings.branch[:100]!a} or {settings.tags[:100]!a} is no name of a branch or tag")
    parts = path.split("/")
    if not path.isprintable() or any(part.lower() in {"", ".", "..", ".git"} for part in parts):
        raise _refused(f"{path[:100]!a} leads out of the repository")
    name, address = parseaddr(settings.author)
    if not name or "@" not in address:
        raise _refused(f"{settings.author[:100]!a} is no author, as in 'Ann <ann@example.org>'")
    return name, address


def _is_ref(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and not re.search(r"\.\.|\.lock(/|$)|\.(/|$)", name)


def _refused(because: str, hint: str = "Mend it in the environment's deploy table.") -> DeployError:
    return DeployError(f"deploy.git: {because}.", slug="deploy-settings", hint=hint)


def _message(change: Change, wanted: ReleaseCandidate | None, instead_of: ReleaseCandidate | None) -> str:
    """Return what the commit and the tag say: every digest, and who is behind it."""
    facts = [
        ("Candidate", f"sha256:{wanted.digest}" if wanted else "none"),
        ("Instead-of", f"sha256:{instead_of.digest}" if instead_of else "none"),
        *(("Artifact", f"{each.name} sha256:{each.sha256}") for each in (wanted.artifacts if wanted else ())),
        ("Run", change.run or "none"),
        ("Deployment", change.deployment),
        ("Requested-by", change.by),
        *(("Approved-by", person) for person in change.approved_by),
    ]
    head = printable(f"deploy({change.environment}): {shown(wanted)}")
    return "\n".join([head, "", *(f"{name}: {printable(value)}" for name, value in facts), ""])
