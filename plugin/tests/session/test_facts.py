"""What a probe records is refused where it contradicts itself, also if the test swallows the refusal."""

from __future__ import annotations

import math
from typing import cast

import pytest

from release_gates.errors import MeasurementError
from release_gates.model.gate import GateSpec
from release_gates.model.measurement import Measurement
from release_gates.model.series import Series
from release_gates.model.share import Share
from release_gates.session.briefing import Briefing
from release_gates.session.gate import Gate


@pytest.mark.parametrize(
    "measurement",
    [
        Measurement(name="a", value=0.5, unit="ratio", share=Share(length_s=0.25, of=(2,), hits=(3,))),
        Measurement(name="a", value=0.5, unit="ratio", share=Share(length_s=0.25, of=(2,), hits=(1, 1))),
        Measurement(name="a", value=1.0, unit="B", series=Series(at_s=(1.0,), values=(math.nan,))),
        Measurement(name="a", value=1.0, unit="B", interval=(2.0, 1.0)),
        Measurement(name="a", value=9.0, unit="B", interval=(0.0, 1.0)),
        Measurement(name="a", value=9.0, unit="B", interval=(10.0, None)),
        Measurement(name="a", value=9.0, unit="B", series=Series(at_s=(0.0, 1.0), values=(1.0, 2.0))),
        Measurement(name="a", value=9.0, unit="B", series=Series(at_s=(), values=())),
        Measurement(
            name="a",
            value=0.5,
            unit="ratio",
            samples=9000,
            share=Share(length_s=0.25, of=(2,), hits=(1,)),
        ),
    ],
)
def test_bad_facts_are_refused(measurement: Measurement) -> None:
    gate = Gate(GateSpec(name="load", owner="me"), cast("Briefing", None))
    with pytest.raises(MeasurementError, match="bad-facts"):
        gate.record(measurement)
    with pytest.raises(MeasurementError, match="bad-facts"):
        gate.close()


def test_sound_facts_are_kept() -> None:
    gate = Gate(GateSpec(name="load", owner="me"), cast("Briefing", None))
    share = Share(length_s=0.25, of=(2, 2), hits=(1, 1))
    sound = Measurement(name="a", value=0.5, unit="ratio", share=share)
    gate.record(sound)
    assert gate.close() == ((sound,), ())
