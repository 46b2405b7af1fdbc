"""What differs in the lists of a policy: roles, keys, freezes, expected tests, waivers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.trust import TrustedIdentity, TrustedKey
from release_gates.policy.change import Change, all_names, by_name, more_is_weaker
from release_gates.policy.signatory import ROOT

MOST_NAMED = 20
"""So many tests that went away are named."""


def role_changes(before: Iterable[Any], after: Iterable[Any], place: str) -> Iterator[Change]:
    """Yield what is asked of approvals otherwise."""
    old, new = by_name(before), by_name(after)
    for name in all_names(old, new):
        at = f"{place}, approvals of {name}"
        if name not in new:
            yield Change(place=at, sentence="are no longer asked for", kind="weaker")
        elif name not in old:
            yield Change(place=at, sentence="are asked for", kind="other")
        else:
            one, other = old[name], new[name]
            if one.least != other.least:
                kind = more_is_weaker(other.least, one.least)
                yield Change(place=at, sentence=f"{other.least} are enough, not {one.least}", kind=kind)
            if more := sorted(set(other.persons) - set(one.persons)):
                yield Change(place=at, sentence=f"may be given by {', '.join(more)} too", kind="weaker")
            if less := sorted(set(one.persons) - set(other.persons)):
                yield Change(place=at, sentence=f"may no longer be given by {', '.join(less)}", kind="other")


def key_changes(before: EnvironmentPolicy, after: EnvironmentPolicy) -> Iterator[Change]:
    """Yield which keys and identities are trusted, or no longer, or for something else."""
    old, new = (by_name(each.trust.signatories if each.trust else ()) for each in (before, after))
    for name in all_names(old, new):
        kind = "identity" if isinstance(new.get(name, old.get(name)), TrustedIdentity) else "key"
        at = f"{before.name}, {kind} {name}"
        if name not in new:
            yield Change(place=at, sentence="is no longer trusted", kind="other")
        elif name not in old:
            roles = ", ".join(new[name].roles)
            yield Change(place=at, sentence=f"is trusted, for {roles}", kind="weaker")
        elif old[name] != new[name]:
            wider = _is_wider(old[name], new[name])
            sentence = "is trusted for more, or longer" if wider else "is trusted for less"
            yield Change(place=at, sentence=sentence, kind="weaker" if wider else "other")
    roots = [each.trust.trusted_root if each.trust else "" for each in (before, after)]
    if roots[1] not in ("", roots[0]):
        sentence = "says otherwise whose certificates and logs are believed"
        yield Change(place=f"{before.name}, {ROOT}", sentence=sentence, kind="weaker")


def _is_wider(old: TrustedKey | TrustedIdentity, new: TrustedKey | TrustedIdentity) -> bool:
    if old.proof != new.proof:
        return True
    everywhere = bool(old.environments) and not new.environments
    places = set(new.environments) - set(old.environments) if old.environments else ()
    longer = new.valid_from < old.valid_from or new.valid_until > old.valid_until
    return everywhere or longer or bool(places) or bool(set(new.roles) - set(old.roles))


def freeze_changes(before: EnvironmentPolicy, after: EnvironmentPolicy) -> Iterator[Change]:
    """Yield which freezes came, went or changed."""
    old, new = by_name(before.freezes), by_name(after.freezes)
    for name in all_names(old, new):
        at = f"{before.name}, freeze {name}"
        if name not in new:
            yield Change(place=at, sentence="is taken back", kind="weaker")
        elif name not in old:
            yield Change(place=at, sentence="is new", kind="other")
        elif old[name] != new[name]:
            shorter = new[name].begins > old[name].begins or new[name].ends < old[name].ends
            yield Change(place=at, sentence="changed", kind="weaker" if shorter else "open")


def route_changes(before: EnvironmentPolicy, after: EnvironmentPolicy) -> Iterator[Change]:
    """Yield which other ways in there are, each of which asks for less than the normal one."""
    old, new = by_name(before.routes), by_name(after.routes)
    for name in all_names(old, new):
        at = f"{before.name}, route {name}"
        if name not in new:
            yield Change(place=at, sentence="is closed", kind="other")
        elif name not in old:
            said = f"is a new way in, by the gates {', '.join(new[name].gates)}"
            yield Change(place=at, sentence=said, kind="weaker")
        elif gone := [gate for gate in old[name].gates if gate not in new[name].gates]:
            yield Change(place=at, sentence=f"no longer asks for {', '.join(gone)}", kind="weaker")
        elif old[name] != new[name]:
            yield Change(place=at, sentence="changed", kind="open")


def expected_changes(before: Policy, after: Policy) -> Iterator[Change]:
    """Yield which tests are expected, or no longer."""
    for gate in sorted({*before.expected, *after.expected}):
        old, new = (set(policy.expected.get(gate, ())) for policy in (before, after))
        if gone := sorted(old - new):
            yield Change(place=f"gate {gate}", sentence=f"no longer expects {_named(gone)}", kind="weaker")
        if came := sorted(new - old):
            yield Change(place=f"gate {gate}", sentence=f"expects {_named(came)}", kind="other")


def _named(tests: list[str]) -> str:
    more = f" and {len(tests) - MOST_NAMED} more" if len(tests) > MOST_NAMED else ""
    return ", ".join(tests[:MOST_NAMED]) + more


def waiver_changes(before: Policy, after: Policy) -> Iterator[Change]:
    """Yield which waivers came, went or changed."""
    old, new = by_name(before.waivers), by_name(after.waivers)
    for name in all_names(old, new):
        place = f"waiver {name}"
        if name not in new:
            yield Change(place=place, sentence="is taken back", kind="other")
        elif name not in old:
            each = new[name]
            about = f"gate {each.gate} at the entry to {each.environment}, {each.subject}"
            said = f"is new: {about}, within {each.bounds or 'no bound'}, until {each.until}"
            yield Change(place=place, sentence=said, kind="weaker")
        elif old[name] != new[name]:
            names = old[name].__struct_fields__
            fields = [each for each in names if getattr(old[name], each) != getattr(new[name], each)]
            earlier = fields == ["expires"] and new[name].expires < old[name].expires
            said = f"changed: {', '.join(fields)}"
            yield Change(place=place, sentence=said, kind="other" if earlier else "weaker")
