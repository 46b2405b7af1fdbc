"""A run that is whole by its own words is one only if every request that was due is accounted for."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from release_gates.errors import MeasurementError
from release_gates.probes.load import generator
from release_gates.probes.load.drive import Run, drive
from release_gates.probes.load.plan import Phase, Plan
from release_gates.probes.load.targets import Target

DRIVER = """
    import os, sys, time
    from release_gates.probes.load.frames import Bye, Hello, pack
    from release_gates.probes.load.recorder import Recorder
    fd = int(sys.argv[sys.argv.index("--frames") + 1])
    sys.stdin.readline()
    os.write(fd, pack(Hello(pid=os.getpid(), started_s=time.monotonic())))
    recorder = Recorder(())
    for number in range({asked}):
        recorder.asked(number / 100)
    for number in range({told}):
        recorder.channel("orders").answered(number / 100, 0.001)
    os.write(fd, pack(recorder.frame(0.5)))
    os.write(fd, pack(Bye(reason="finished")))
"""


@pytest.mark.parametrize(("asked", "told", "lost"), [(50, 50, 0), (50, 40, 10), (30, 30, 20), (0, 0, 50)])
def test_every_arrival_is_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: int, told: int, lost: int
) -> None:
    """Also those of a frame that never came: the plan says how many there are."""
    monkeypatch.setitem(generator.DRIVERS, "open", "some_driver")
    (tmp_path / "some_driver.py").write_text(textwrap.dedent(DRIVER.format(asked=asked, told=told)))
    plan = Plan(
        target="http://127.0.0.1:1",
        root=str(tmp_path),
        phases=(Phase(tag="steady", seconds=0.5, rate=100),),
        traffic="some:traffic",
    )

    def run() -> Run:
        return drive(plan, Target(url=plan.target), folder=tmp_path / "run", watch=lambda _, __: "")

    if lost:
        with pytest.raises(MeasurementError, match=f"did not tell what became of {lost} requests"):
            run()
    else:
        assert run().recording.tally("orders", range(2)).answered == 50
