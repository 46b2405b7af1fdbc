"""What known vulnerabilities do (IM11): which of them block, by the actions of policy."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from release_gates.model.rule import Undecided
from release_gates.probes.container.report_file import ScanReport, Vulnerability
from release_gates.probes.container.rule import Fault
from release_gates.probes.container.settings import ContainerSettings


def check_fresh(report: ScanReport, released: str, settings: ContainerSettings, now: datetime) -> None:
    """Raise ``Undecided`` for a report about another image or about nothing, and for an old one.

    Old is also what an old database was asked, or is about a distribution that nobody mends any more.
    """
    if released not in report.digests:
        about = ", ".join(sorted(digest[:12] for digest in report.digests)) or "no digest"
        raise Undecided(f"the report of {report.tool} is about {about}, the candidate is {released[:12]}")
    if not report.looked_at:
        raise Undecided(
            f"{report.tool} names no package and no system that it looked at, which proves nothing"
        )
    if report.ended:
        raise Undecided(f"{report.ended} is not maintained any more, so nobody reports what is wrong with it")
    _check_age(f"the report of {report.tool}", report.created, settings, now)
    if report.database is not None:
        _check_age(f"the database of {report.tool}", report.database, settings, now)


def blocking(report: ScanReport, settings: ContainerSettings, now: datetime) -> Iterator[Fault]:
    """Yield what blocks by policy; ``Undecided`` where that needs a day that the report does not say."""
    undecided = ""
    for each in sorted(report.vulnerabilities, key=lambda each: (each.severity.rank, each.identity)):
        action = settings.action(each.severity)
        if action.kind != "block" or each.identity in settings.accepted:
            continue
        if action.after_days is None:
            yield _fault(each, "")
        elif each.published is None:
            undecided = f"{each.identity} ({each.severity}) has no day to count {action.after_days} days from"
        elif (now.date() - each.published).days > action.after_days:
            yield _fault(each, f", published {each.published}, tolerated for {action.after_days} days")
    if undecided:
        raise Undecided(undecided)


def _fault(each: Vulnerability, since: str) -> Fault:
    remedy = f"{each.package} {each.fixed}" if each.fixed else "another package: none is mended yet"
    return Fault(
        declared=f"{each.package} {each.version}",
        effective=f"{each.identity} ({each.severity}){since}",
        instead=remedy,
    )


def _check_age(what: str, made: datetime, settings: ContainerSettings, now: datetime) -> None:
    if made > now + timedelta(days=1):
        raise Undecided(f"{what} is of {made:%Y-%m-%d}, a day that is still to come")
    if now - made > timedelta(days=settings.report_days):
        raise Undecided(
            f"{what} is of {made:%Y-%m-%d}; policy wants it at most {settings.report_days} days old"
        )
