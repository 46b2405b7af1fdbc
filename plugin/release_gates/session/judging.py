"""In the process that runs the tests: give each gate test its ``gate``, judge it when its call ends."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from release_gates.errors import MeasurementError
from release_gates.judge.limits import judge_measurements
from release_gates.model.gate import GateSpec
from release_gates.model.measurement import Attachment, Measurement
from release_gates.model.outcome import Outcome, worst
from release_gates.model.verdict import LimitJudgement
from release_gates.session.briefing import Briefing
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
        gate = item.stash[GATE] = Gate(spec, self._briefing)
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
        judged = self._judge(self._briefing.gate(name), measurements)
        attempt = _attempt(cause, judged, measurements, attachments)
        item.user_properties.append(to_property(attempt))
        item.stash[TRIED] = True
        if refusal is not None and error is None:
            raise refusal
        if cause is None and attempt.judged not in (Outcome.PASS, Outcome.WARN):
            raise LimitBroken(_broken(judged), attempt.judged)

    def _judge(
        self, spec: GateSpec | None, measurements: tuple[Measurement, ...]
    ) -> tuple[LimitJudgement, ...]:
        if spec is None or self._briefing.deciding is None:
            return ()
        return judge_measurements(spec.limits, measurements, live=self._briefing.live)


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
) -> Attempt:
    own = classify(cause) if cause else Outcome.PASS
    broken = [judgement for judgement in judged if not judgement.outcome.promotes]
    because = sentence(cause) if cause else broken[0].because if broken else ""
    return Attempt(
        outcome=own,
        judged=worst([own, *(judgement.outcome for judgement in judged)]),
        because=because,
        network=cause is not None and is_network(cause),
        measurements=measurements,
        attachments=attachments,
    )


def _broken(judged: tuple[LimitJudgement, ...]) -> str:
    return "\n".join(
        f"{judgement.outcome}: {judgement.because}" for judgement in judged if not judgement.outcome.promotes
    )
