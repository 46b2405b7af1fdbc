"""Policy: TOML in ``gates/`` to model types, all mistakes at once."""

from release_gates.policy.expected import ExpectedDiff, diff_expected, render_expected
from release_gates.policy.grammar import parse_limit
from release_gates.policy.load import load_policy, policy_from_snapshot
from release_gates.policy.mistake import Mistake, PolicyMistakes
from release_gates.policy.settings import settings_for
from release_gates.policy.snapshot import read_snapshot

__all__ = [
    "ExpectedDiff",
    "Mistake",
    "PolicyMistakes",
    "diff_expected",
    "load_policy",
    "parse_limit",
    "policy_from_snapshot",
    "read_snapshot",
    "render_expected",
    "settings_for",
]
