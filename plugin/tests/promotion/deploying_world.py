"""What tests of executors share: candidates, changes, and a deployment that is killed anywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from release_gates.candidate.store import ArtifactStore
from release_gates.errors import LiveDiffers
from release_gates.model.candidate import Artifact, ArtifactKind, ReleaseCandidate
from release_gates.model.deployment import Change, DeployPolicy
from release_gates.promotion.executors.protocol import Executor, Site


def site(root: Path, executor: str, settings: Mapping[str, Any], **policy: Any) -> Site:
    """Return a place to deploy from."""
    (root / ".gates").mkdir(exist_ok=True)
    return Site(
        root=root,
        state=root / ".gates",
        environment="production",
        policy=DeployPolicy(executor=executor, settings=dict(settings), **policy),
    )


def stored(where: Site, content: bytes | Path) -> str:
    """Keep content in a site's store and return its digest."""
    store = ArtifactStore(where.state / "artifacts")
    return store.put(content) if isinstance(content, Path) else store.put_bytes(content)


def candidate(version: str, *, kind: ArtifactKind = "oci", **artifacts: str) -> ReleaseCandidate:
    """Return a candidate; artifacts are name -> digest, one named ``image`` if there are none."""
    named = artifacts or {"image": hashlib.sha256(version.encode()).hexdigest()}
    return ReleaseCandidate(
        name="engine",
        version=version,
        commit="abc",
        artifacts=tuple(Artifact(name=name, kind=kind, sha256=each) for name, each in named.items()),
    )


def change(
    wanted: ReleaseCandidate, previous: ReleaseCandidate | None, *, deployment: str = "deploy-1", **more: Any
) -> Change:
    """Return a promotion that puts one candidate in the place of another."""
    return Change(
        deployment=deployment,
        purpose="promotion",
        environment="production",
        candidate=wanted,
        previous=previous,
        by="Ann <ann@example.org>",
        **more,
    )


def deploy(executor: Executor, what: Change, *, until: int | None = None) -> None:
    """Apply the first steps of a change, all of them without ``until``."""
    for step in executor.plan(what)[:until]:
        assert executor.apply(what, step)


def take_back(executor: Executor, what: Change, *, begun: int | None = None) -> None:
    """Undo the steps that were begun, the last one first."""
    for step in reversed(executor.plan(what)[:begun]):
        assert executor.undo(what, step)


def check_law(executor: Executor, what: Change) -> None:
    """Hold an executor to what the Protocol promises, from the state in which ``previous`` is live.

    Killed after any step, it is resumed or taken back, and twice is once. Ends with ``previous`` live.
    """
    steps = executor.plan(what)
    assert executor.plan(what) == steps
    assert executor.verify(what.previous)
    for done in range(len(steps) + 1):
        deploy(executor, what, until=done)
        take_back(executor, what, begun=done)
        take_back(executor, what, begun=done)
        assert executor.verify(what.previous), f"undone after {done} steps"
        take_back(executor, what, begun=done + 1)  # the next one may have been begun
        assert executor.verify(what.previous), f"undone in step {done}"
    for done in range(len(steps) + 1):
        deploy(executor, what, until=done)
        deploy(executor, what)
        deploy(executor, what)
        assert executor.verify(what.candidate), f"resumed after {done} steps"
        with pytest.raises(LiveDiffers):
            executor.verify(what.previous)
        take_back(executor, what)
    assert executor.verify(what.previous)
