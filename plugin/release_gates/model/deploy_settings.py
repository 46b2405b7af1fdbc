"""What ``[environment.NAME.deploy.EXECUTOR]`` may say, for each executor that policy can name."""

from __future__ import annotations

from typing import Literal

from release_gates.model.record import Record

RECORD = "record"
"""The executor that carries nothing: what the ledger says is all that a promotion does."""


class CommandSettings(Record, frozen=True, kw_only=True):
    """A program that deploys: ``run`` is its argument list, without a shell, in the project's folder."""

    run: tuple[str, ...]


class GitSettings(Record, frozen=True, kw_only=True):
    """A branch whose file says what is live.

    ``repository`` is a path or a URL (https, ssh, file). The file is ``kustomization``, with ``images`` from
    its images to artifacts of the candidate, or else ``file``, which is ours alone. ``tags`` begins the name
    of an annotated tag for each deployment, "" for none. ``author`` stands in commits, as git writes it.
    """

    repository: str
    branch: str
    file: str = "live.json"
    kustomization: str = ""
    images: dict[str, str] = {}
    tags: str = ""
    author: str = "release-gates <release-gates@localhost>"


class OciSettings(Record, frozen=True, kw_only=True):
    """A repository of a registry whose ``tag`` is what is live.

    ``artifact`` is the image (kind oci). It is copied from ``source``, by default where its ``ref`` says, or
    out of ``archive``, an artifact that is an OCI layout. ``login`` names for a host the variable that holds
    ``user:password``; ``docker_config`` and ``ca`` are files: of logins, and of authorities besides which
    none is trusted.
    """

    artifact: str
    repository: str
    tag: str = "live"
    source: str = ""
    archive: str = ""
    login: dict[str, str] = {}
    docker_config: str = ""
    ca: str = ""


class LocalSettings(Record, frozen=True, kw_only=True):
    """Processes of this host in two slots behind haproxy, which listens at ``listen`` (address:port).

    ``artifact`` is a program; ``arguments`` may have ``{port}``, that of the slot. Where ``handover`` is
    ``"journal"`` both slots have one folder, ``{state}``, and never run at once; ``keep`` is for ``"none"``,
    and keeps the old one running as a way back. A slot is ready when ``ready`` answers 200.
    """

    artifact: str
    listen: str
    ports: tuple[int, int]
    arguments: tuple[str, ...] = ("--port", "{port}")
    ready: str = "/ready"
    handover: Literal["none", "journal"] = "none"
    keep: bool = True
    drain_s: float = 5.0
    start_timeout_s: float = 30.0
    stop_timeout_s: float = 10.0
    proxy: str = "haproxy"


EXECUTORS: dict[str, type[Record]] = {
    "command": CommandSettings,
    "git": GitSettings,
    "local": LocalSettings,
    "oci": OciSettings,
}
"""Executor -> the type of its table. ``record`` has none."""
