"""Where LOCAL is not enough, verdict and evidence are signed; where policy says so, the rules as well."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from release_gates.errors import PromotionRefused, TrustError
from release_gates.ledger.attestations.checks import Wanted, check_attestations
from release_gates.ledger.attestations.files import attestations_of, read_lines
from release_gates.ledger.attestations.rules import approval_file, check_rules_approval
from release_gates.ledger.history import RunView
from release_gates.model.gate import EnvironmentPolicy
from release_gates.model.trust import Trust
from release_gates.model.verdict import Verdict


def asks_signature(environment: EnvironmentPolicy) -> bool:
    """Tell whether an entry takes signed verdicts only: LOCAL is not enough, and keys are named."""
    return environment.trust is not None and not environment.local_may_promote


def check_signature(
    run: RunView, verdict: Verdict, environment: EnvironmentPolicy, root: Path, *, now: datetime
) -> None:
    """Refuse where a signature is asked for and what lies beside the evidence is not exactly that.

    What is only observed is held by nothing. The rules are those of the run, which are those in force.
    """
    if environment.trust is None or not asks_signature(environment) or verdict.is_observed:
        return
    wanted = Wanted(
        candidate=run.started.candidate,
        environment=environment.name,
        rules=run.started.rules,
        verdict=verdict,
        now=now,
        most=timedelta(seconds=min(gate.valid_for_s for gate in environment.gates)),
    )
    try:
        lines = read_lines(attestations_of(root / ".gates", run.started.run))
        check_attestations(lines, environment.trust, wanted)
    except TrustError as error:
        raise PromotionRefused(error.message, slug=error.slug, hint=error.hint) from None


def check_rules_approved(
    run: RunView, verdict: Verdict, environment: EnvironmentPolicy, root: Path, *, now: datetime
) -> None:
    """Refuse where rules have to be approved, and nobody who may signed exactly those of the run."""
    if not environment.approved_rules or verdict.is_observed:
        return
    rules = run.started.rules
    try:
        [line] = read_lines(approval_file(root / "gates", rules))
        check_rules_approval(line, environment.trust or Trust(), rules, environment.name, now=now)
    except (TrustError, ValueError) as error:
        why = error.message if isinstance(error, TrustError) else "there is more than one signature."
        raise PromotionRefused(
            f"the rules {rules[:12]} are not approved: {why}",
            slug="rules-not-approved",
            hint="Somebody whose key has the role rules: `release-gates approve-rules --key KEYFILE`.",
        ) from None
