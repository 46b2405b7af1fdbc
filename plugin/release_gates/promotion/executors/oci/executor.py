"""The executor ``oci``: copy by digest, attach what was attested, and move the tag last."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from release_gates.errors import DeployError, LiveDiffers, TrustError
from release_gates.ledger.attestations.files import attestations_of, read_lines
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deploy_settings import OciSettings
from release_gates.model.deployment import Change, Step
from release_gates.promotion.executors.oci.address import Address, check_tag, read_address
from release_gates.promotion.executors.oci.archive import opened_archive
from release_gates.promotion.executors.oci.copying import check_whole, copy
from release_gates.promotion.executors.oci.credentials import login_for
from release_gates.promotion.executors.oci.referrer import attach
from release_gates.promotion.executors.oci.registry import Registry
from release_gates.promotion.executors.oci.transport import Transport, opened_client
from release_gates.promotion.executors.protocol import Site
from release_gates.promotion.executors.settings import (
    check_step,
    image,
    named,
    settings_of,
    shown,
    stored,
)

if TYPE_CHECKING:
    import httpx

COPY, ATTEST, TAG = "copy", "attest", "tag"


class OciExecutor:
    """Keeps in a repository what is live: a tag that names a digest, and the image behind it."""

    def __init__(self, site: Site) -> None:
        """Use the repository that the settings name; ``DeployError`` if they name none."""
        self._site = site
        self._settings = settings_of(site, OciSettings)
        self._target = read_address(self._settings.repository)
        check_tag(self._settings.tag)
        self._place = f"{self._target}:{self._settings.tag}"

    def plan(self, change: Change) -> Sequence[Step]:
        """Return the steps: what is moved by a tag is there before it."""
        digest = self._digest(change.candidate)
        return (
            Step(name=COPY, does=f"copy {digest} from {self._source_name(change)} into {self._target}"),
            Step(name=ATTEST, does=f"attach the attestations of {change.run or 'no run'} to it"),
            Step(name=TAG, does=f"point {self._settings.tag} at it, which is {shown(change.previous)} now"),
        )

    def apply(self, change: Change, step: Step) -> str:
        """Do one step; the tag is left alone if it names neither this candidate nor the previous one."""
        check_step(step, COPY, ATTEST, TAG)
        with self._opened() as (client, deadline):
            target = self._registry(self._target, client, deadline)
            if step.name == COPY:
                return self._copy(change, client, deadline, target)
            if step.name == ATTEST:
                return self._attest(change, target)
            return self._point(target, change.candidate, instead_of=change.previous)

    def undo(self, change: Change, step: Step) -> str:
        """Point the tag at what it named before; what was copied stays, and is named by nothing."""
        check_step(step, COPY, ATTEST, TAG)
        if step.name != TAG:
            return f"what was copied to {self._target} stays there, by digest alone"
        with self._opened() as (client, deadline):
            target = self._registry(self._target, client, deadline)
            return self._point(target, change.previous, instead_of=change.candidate)

    def verify(self, candidate: ReleaseCandidate | None) -> str:
        """Read the tag back, hash what it names, and make sure that all of its parts are there."""
        with self._opened() as (client, deadline):
            target = self._registry(self._target, client, deadline)
            wanted, found = self._digest(candidate), self._tagged(target)
            if found != wanted:
                raise LiveDiffers(
                    f"{self._place} is {found or 'not there'}; {shown(candidate)} is {wanted or 'no tag'}.",
                    slug="live-differs",
                    hint="Find out who moved it; deploy again, or `release-gates adopt` what is there.",
                )
            if not found:
                return f"{self._place} is not there"
            return f"{self._place} is {found}, with all of its {check_whole(target, found)} parts"

    def _copy(self, change: Change, client: httpx.Client, deadline: float, target: Registry) -> str:
        digest = self._digest(change.candidate)
        if self._settings.archive:
            archived = named(change.candidate, self._settings.archive)
            with opened_archive(stored(self._site, archived), archived.name) as archive:
                count, sent = copy(archive, target, digest)
        else:
            address = self._source(change.candidate)
            mount = address.name if address.host == self._target.host else ""
            count, sent = copy(self._registry(address, client, deadline), target, digest, mount=mount)
        return f"{digest} is in {self._target}: {count} manifest(s), {sent} blob(s) sent"

    def _attest(self, change: Change, target: Registry) -> str:
        path = attestations_of(self._site.state, change.run) if change.run else None
        if path is None or not path.exists():
            return (
                "nobody signed this run, so there is nothing to attach" if path else "no run, no attestation"
            )
        try:
            envelopes = read_lines(path)
        except TrustError as error:
            raise DeployError(error.message, slug=error.slug, hint=error.hint) from None
        subject = target.manifest(self._digest(change.candidate)).descriptor
        return (
            f"{len(envelopes)} attestation(s) are found by {attach(target, subject, envelopes, change.run)}"
        )

    def _point(
        self, target: Registry, wanted: ReleaseCandidate | None, *, instead_of: ReleaseCandidate | None
    ) -> str:
        """Point the tag at a candidate if it names ``instead_of``; no registry compares and swaps for us."""
        digest, found = self._digest(wanted), self._tagged(target)
        if found == digest:
            return f"{self._place} is {digest or 'not there'} already"
        if found != self._digest(instead_of):
            raise LiveDiffers(
                f"{self._place} is {found or 'not there'}: neither {shown(wanted)} nor {shown(instead_of)}. "
                "Somebody else moved it, so it is left alone.",
                slug="deploy-moved",
                hint="Find out who did, then `release-gates adopt` it, or set it back.",
            )
        if wanted is None:
            return f"{self._place} {target.remove(self._settings.tag)}"
        target.put(target.manifest(digest), self._settings.tag)
        return f"{self._place} is {digest}"

    def _tagged(self, target: Registry) -> str:
        there = target.tagged(self._settings.tag)
        return "" if there is None else there.descriptor.digest

    def _digest(self, candidate: ReleaseCandidate | None) -> str:
        return "" if candidate is None else image(candidate, self._settings.artifact)

    def _source(self, candidate: ReleaseCandidate) -> Address:
        artifact = named(candidate, self._settings.artifact)
        untagged = re.sub(r":[^/:]+$", "", artifact.ref.partition("@")[0])
        return read_address(self._settings.source or untagged)

    def _source_name(self, change: Change) -> str:
        if self._settings.archive:
            return named(change.candidate, self._settings.archive).name
        return str(self._source(change.candidate))

    @contextmanager
    def _opened(self) -> Iterator[tuple[httpx.Client, float]]:
        ca = str(self._site.root / self._settings.ca) if self._settings.ca else ""
        with opened_client(ca) as client:
            yield client, time.monotonic() + self._site.policy.timeout_s

    def _registry(self, address: Address, client: httpx.Client, deadline: float) -> Registry:
        told = self._settings.docker_config
        config = self._site.root / Path(told).expanduser() if told else None
        login = login_for(address.host, self._settings.login, os.environ, config)
        tls = bool(self._settings.ca)
        return Registry(address, Transport(address, client, login=login, tls=tls, deadline=deadline))
