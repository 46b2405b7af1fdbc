"""In the process that runs the tests: give each gate test its ``gate``, judge it when its call ends."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime

import msgspec
import pytest

from release_gates.errors import MeasurementError
from release_gates.judge.waived import judge_waived
from release_gates.judge.waivers import Waiving, covering
from release_gates.model.gate import GateSpec
from release_gates.model.limit import LimitRule
from release_gates.model.measurement import Attachment, Measurement
from release_gates.model.outcome import Outcome, worst
from release_gates.model.verdict import LimitJudgement, own_words
from release_gates.session.briefing import Briefing
from release_gates.session.fingerprint import fingerprint
from release_gates.session.gate import Gate
from release_gates.session.marks import gate_of
from release_gates.session.outcomes import Attempt, LimitBroken, classify, is_network, sentence, to_property

GATE = pytest.StashKey[Gate]()
TRIED = pytest.StashKey[bool]()
"""Set once an attempt of a test left a trace: from then on each attempt does, so that the last is known."""


class Judging:
    """The ``gate`` fixture, and the wrapper around each call that turns a broken limit into a failure."""

    def __init__(self, briefing: Briefing) -> None:
        self._briefing = briefing

    @pytest.fixture
    def gate(self, request: pytest.FixtureRequest) -> Gate:
        """Measure for the gate that this test belongs to (see ``release_gates.session.gate.Gate``)."""
        item = request.node
        spec = self._briefing.gate(gate_of(item) or "")
        if spec is None:
            raise MeasurementError(
                f"{item.nodeid} uses the fixture 'gate' and belongs to no gate that is asked for here.",
                slug="no-gate",
                hint='Mark it: pytestmark = pytest.mark.gate("NAME"), with the gate\'s name in gates/.',
            )
        gate = item.stash[GATE] = Gate(_counting(spec, self._briefing), self._briefing)
        return gate

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Judge what the call measured, also after a failed assert, and fail the test where a limit broke.

        A call that passes and measured nothing leaves no trace: this runs for each of thousands of tests.
        """
        try:
            result = yield
        except BaseException as error:
            self._end(item, error)
            raise
        if GATE in item.stash or TRIED in item.stash:
            self._end(item, None)
        return result

    def _end(self, item: pytest.Item, error: BaseException | None) -> None:
        name = gate_of(item)
        if name is None:
            return
        gate = item.stash.get(GATE, None)
        if gate is not None:
            del item.stash[GATE]
        measurements, attachments, refusal = _close(gate)
        cause = error or refusal
        waiving = waiving_of(self._briefing, self._briefing.gate(name))
        judged = _judge(waiving, measurements, self._briefing)
        attempt = _attempt(cause, judged, measurements, attachments, test=item.nodeid)
        waived = "" if waiving is None else _waived(attempt, cause, judged, waiving, test=item.nodeid)
        attempt = msgspec.structs.replace(attempt, waived=waived)
        item.user_properties.append(to_property(attempt))
        item.stash[TRIED] = True
        if waived:
            raise pytest.xfail.Exception(waived)
        if refusal is not None and error is None:
            raise refusal
        if cause is None and attempt.judged not in (Outcome.PASS, Outcome.WARN):
            raise LimitBroken(_broken(judged), attempt.judged)


def waiving_of(briefing: Briefing, spec: GateSpec | None) -> Waiving | None:
    """Return what is known of waivers now for one gate; None where nothing is decided."""
    environment = briefing.deciding
    if spec is None or environment is None:
        return None
    return Waiving(
        waivers=briefing.policy.waivers,
        environment=environment,
        gate=spec,
        candidate=briefing.candidate,
        now=datetime.now(UTC),
    )


def _judge(
    waiving: Waiving | None, measurements: tuple[Measurement, ...], briefing: Briefing
) -> tuple[LimitJudgement, ...]:
    if waiving is None:
        return ()
    return judge_waived(waiving.gate.limits, measurements, live=briefing.live, waiving=waiving)


def _waived(
    attempt: Attempt,
    cause: BaseException | None,
    judged: tuple[LimitJudgement, ...],
    waiving: Waiving,
    *,
    test: str,
) -> str:
    """Return what to tell pytest if everything that does not hold is waived, "" otherwise.

    It tells only: `decide` judges once more, from the evidence and at its own time.
    """
    if not all(each.outcome.promotes for each in judged):
        return ""
    said = [each.because for each in judged if each.outcome is Outcome.WAIVED]
    if cause is not None:
        named = waiving.named(test=test)
        told = covering([attempt.fingerprint] if attempt.fingerprint else [], named, waiving)
        if isinstance(told, str):
            return ""
        said.append(f"{attempt.because} (waiver {', '.join(each.name for each in told)})")
    return f"WAIVED: {'; '.join(said)}" if said else ""


def _counting(spec: GateSpec, briefing: Briefing) -> GateSpec:
    """Return the gate with the bounds of its waivers among its limits, so that samples are counted."""
    bounds = [
        LimitRule(name=each.limit, limit=each.bound)
        for each in briefing.policy.waivers
        if (each.environment, each.gate) == (briefing.environment, spec.name) and each.limit and each.bound
    ]
    return msgspec.structs.replace(spec, limits=(*spec.limits, *bounds)) if bounds else spec


def _close(
    gate: Gate | None,
) -> tuple[tuple[Measurement, ...], tuple[Attachment, ...], MeasurementError | None]:
    if gate is None:
        return (), (), None
    try:
        return *gate.close(), None
    except MeasurementError as refusal:
        return gate.observed, (), refusal


def _attempt(
    cause: BaseException | None,
    judged: tuple[LimitJudgement, ...],
    measurements: tuple[Measurement, ...],
    attachments: tuple[Attachment, ...],
    *,
    test: str,
) -> Attempt:
    own = classify(cause) if cause else Outcome.PASS
    broken = [judgement for judgement in judged if not _unwaived(judgement).promotes]
    because = sentence(cause) if cause else own_words(broken[0]) if broken else ""
    return Attempt(
        outcome=own,
        judged=worst([own, *(_unwaived(judgement) for judgement in judged)]),
        because=because,
        network=cause is not None and is_network(cause),
        broken=bool(broken),
        fingerprint=fingerprint(cause, test) if cause else "",
        measurements=measurements,
        attachments=attachments,
    )


def _broken(judged: tuple[LimitJudgement, ...]) -> str:
    return "\n".join(
        f"{judgement.outcome}: {judgement.because}" for judgement in judged if not judgement.outcome.promotes
    )


def _unwaived(judgement: LimitJudgement) -> Outcome:
    """Return what a limit is by itself: what a waiver accepts is no fact about the candidate."""
    return judgement.waived.was if judgement.waived else judgement.outcome
