"""The executor ``local``: start the new build beside the old one, switch the proxy, and keep the way back.

``handover = "none"``: both run for a while. ``handover = "journal"``: both write the same journal, which only
one may have, so that the old one is told no more and ends, and the new one goes on from what it left.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from release_gates.errors import DeployError, LiveDiffers
from release_gates.host.sockets import own_port
from release_gates.model.candidate import ReleaseCandidate
from release_gates.model.deploy_settings import LocalSettings
from release_gates.model.deployment import Change, Step
from release_gates.promotion.executors.local.asking import ask
from release_gates.promotion.executors.local.proxy import CLOSED, HEADER, Proxy, check_target
from release_gates.promotion.executors.local.settings import check_settings, check_times
from release_gates.promotion.executors.local.slot import Slot, Use
from release_gates.promotion.executors.protocol import Site
from release_gates.promotion.executors.running import environment_for
from release_gates.promotion.executors.settings import check_step, named, settings_of, shown, stored

CLOSE, STOP, START, SWITCH, RETIRE = "close", "stop", "start", "switch", "retire"
STEPS = {"none": (START, SWITCH, RETIRE), "journal": (CLOSE, STOP, START, SWITCH)}


class LocalExecutor:
    """Runs builds on this host in two slots, of which the proxy names one.

    What is true is read from the running processes each time: who executes which file, who has which port,
    what the proxy says. The files say only which slot a deployment uses.
    """

    def __init__(self, site: Site) -> None:
        """Use the slots that the settings name; ``DeployError`` for settings that cannot work."""
        self._site = site
        self._settings = settings_of(site, LocalSettings)
        check_settings(self._settings)
        self._folder = site.state.absolute() / "local" / site.environment
        self._environ = environment_for(site)

    @cached_property
    def _slots(self) -> dict[str, Slot]:
        shared = self._settings.handover == "journal"
        return {
            name: Slot(
                name=name,
                folder=self._folder / name,
                port=port,
                state=self._folder / ("data" if shared else f"data-{name}"),
                log=self._folder / f"{name}.log",
            )
            for name, port in zip("ab", self._settings.ports, strict=True)
        }

    @cached_property
    def _proxy(self) -> Proxy:
        return Proxy(
            folder=self._folder,
            program=self._settings.proxy,
            listen=self._settings.listen,
            ports={slot.name: slot.port for slot in self._slots.values()},
            environ=self._environ,
        )

    def plan(self, change: Change) -> Sequence[Step]:
        """Return the steps of a change; refuse where they could take longer than policy gives a step."""
        check_times(self._settings, self._site.policy.timeout_s)
        new, old = shown(change.candidate), shown(change.previous)
        self._sha256(change.candidate)
        kept = "keep it running" if self._settings.keep else "end it"
        does = {
            CLOSE: f"answer 503 at {self._settings.listen}, and let {old} finish what it has",
            STOP: f"end {old}, so that its journal is free",
            START: f"start {new} in the free slot, from its digest, and wait until it is ready",
            SWITCH: f"switch {self._settings.listen} to {new}",
            RETIRE: f"let {old} finish what it has, and {kept}",
        }
        return tuple(Step(name=name, does=does[name]) for name in STEPS[self._settings.handover])

    def apply(self, change: Change, step: Step) -> str:
        """Do one step; one that a later step has overtaken does nothing."""
        check_step(step, *STEPS[self._settings.handover])
        self._settle()
        self._proxy.ensure()
        new, old = self._taken(change)
        match step.name:
            case "close":
                return self._close(new, old, change)
            case "stop":
                return self._stop(old, new)
            case "start":
                return self._alone(new, old, change.candidate)
            case "switch":
                return self._switch(change, new, old)
            case _:
                return self._retire(old, new)

    def undo(self, change: Change, step: Step) -> str:
        """Take one step back; the old build is started again where it does not run any more."""
        check_step(step, *STEPS[self._settings.handover])
        self._settle()
        new, old = self._used(change)
        if new is None or old is None:
            return "it had not begun"
        self._proxy.ensure()
        journal = self._settings.handover == "journal"
        if step.name == START:
            check_target(self._proxy, (CLOSED, old.name))
            return f"slot {new.name} {new.stop(self._settings.stop_timeout_s)}"
        if step.name == SWITCH and journal:
            back = self._proxy.target == old.name
            return f"slot {old.name} is live already" if back else self._point(CLOSED, (new.name, CLOSED))
        if step.name in {STOP, RETIRE}:
            return self._again(old, new, change)
        return self._back(old, new, change)

    def verify(self, candidate: ReleaseCandidate | None) -> str:
        """Ask through the proxy which slot answers, and hash what its processes execute."""
        target = self._proxy.target
        if candidate is None:
            return self._verify_nothing(target)
        slot = self._slots.get(target)
        because = "no slot is live" if slot is None else self._other_than(candidate, slot)
        if slot is None or because:
            raise _differs(f"{self._settings.listen} does not serve {shown(candidate)}: {because}")
        pids = ", ".join(map(str, slot.pids))
        return (
            f"{self._settings.listen} is served by slot {target}: process {pids} executes {shown(candidate)}"
        )

    def _verify_nothing(self, target: str) -> str:
        runs = [slot.name for slot in self._slots.values() if slot.pids]
        if runs or {target, self._proxy.kept} != {CLOSED}:
            raise _differs(f"slot {', '.join(runs) or target} is in use at {self._settings.listen}")
        return f"nothing runs behind {self._settings.listen}"

    def _other_than(self, candidate: ReleaseCandidate, slot: Slot) -> str:
        """Return why what is live is not a candidate, "" if it is."""
        if self._proxy.kept != slot.name:
            return f"slot {slot.name} is live, and {self._proxy.kept} would be after a start of the proxy"
        host, _, port = self._settings.listen.rpartition(":")
        if not own_port([self._proxy.pid], int(port)):
            return "the proxy does not listen there"
        if (answer := ask(host.strip("[]"), int(port), self._settings.ready, HEADER)) != ("200", slot.name):
            return f"slot {slot.name} is live, and what answered was {' by slot '.join(answer)}"
        if not slot.runs(self._sha256(candidate)):
            return f"slot {slot.name} executes something else, or somebody else has its port"
        return ""

    def _settle(self) -> None:
        """Let everything be there that a deployer began to start before it was killed."""
        for slot in self._slots.values():
            slot.settle()

    def _close(self, new: Slot, old: Slot, change: Change) -> str:
        if self._proxy.target == new.name:
            return f"slot {new.name} is live already"
        self._point(CLOSED, (CLOSED, old.name) if change.previous else (CLOSED,))
        left = self._proxy.drain(old.name, self._settings.drain_s)
        return f"{self._settings.listen} answers 503; {left} request(s) of slot {old.name} under way"

    def _stop(self, old: Slot, new: Slot) -> str:
        check_target(self._proxy, (CLOSED, new.name))
        return f"slot {old.name} {old.stop(self._settings.stop_timeout_s)}"

    def _start(self, slot: Slot, candidate: ReleaseCandidate) -> str:
        """Let a slot run a candidate, and nothing else."""
        artifact = named(candidate, self._settings.artifact)
        if slot.runs(artifact.sha256) and slot.is_ready(self._settings.ready):
            return f"slot {slot.name} runs {shown(candidate)} already"
        if self._proxy.target == slot.name and slot.pids:
            raise _differs(f"slot {slot.name} is live and not {shown(candidate)}")
        slot.stop(self._settings.stop_timeout_s)
        words = (artifact.name, *(self._word(each, slot) for each in self._settings.arguments))
        slot.start(
            stored(self._site, artifact),
            words,
            environ=self._environ,
            ready=self._settings.ready,
            within_s=self._settings.start_timeout_s,
        )
        return f"slot {slot.name} runs {shown(candidate)}, process {', '.join(map(str, slot.pids))}"

    def _alone(self, slot: Slot, other: Slot, candidate: ReleaseCandidate) -> str:
        """Let a slot run a candidate, and never beside the other one where both write one journal."""
        if self._settings.handover == "journal" and other.pids:
            raise _differs(f"slot {other.name} still runs, and has the journal")
        return self._start(slot, candidate)

    def _switch(self, change: Change, new: Slot, old: Slot) -> str:
        if not (new.runs(self._sha256(change.candidate)) and new.is_ready(self._settings.ready)):
            raise DeployError(
                f"slot {new.name} is not ready with {shown(change.candidate)}, so nothing was switched.",
                slug="deploy-process",
                hint=f"Look at {new.log}, then resume.",
            )
        before = old.name if change.previous and self._settings.handover == "none" else CLOSED
        return self._point(new.name, (before, new.name))

    def _retire(self, old: Slot, new: Slot) -> str:
        check_target(self._proxy, (new.name,))
        left = self._proxy.drain(old.name, self._settings.drain_s)
        under_way = f" with {left} request(s) under way" if left else ""
        if self._settings.keep:
            return f"slot {old.name} is kept{under_way}" if old.pids else f"nothing runs in slot {old.name}"
        return f"slot {old.name} {old.stop(self._settings.stop_timeout_s)}{under_way}"

    def _again(self, old: Slot, new: Slot, change: Change) -> str:
        """Let the old build run again; where both write one journal, the new one has to be gone."""
        if change.previous is None:
            return "nothing ran before"
        return self._alone(old, new, change.previous)

    def _back(self, old: Slot, new: Slot, change: Change) -> str:
        if change.previous is None:
            return self._point(CLOSED, (CLOSED, new.name))
        allowed = (old.name, CLOSED if self._settings.handover == "journal" else new.name)
        check_target(self._proxy, allowed)
        self._again(old, new, change)
        return self._point(old.name, allowed)

    def _point(self, target: str, allowed: Sequence[str]) -> str:
        """Let the proxy name a slot, or none; refuse if somebody else changed what it names."""
        if check_target(self._proxy, allowed) == self._proxy.kept == target:
            return f"{self._settings.listen} is {target} already"
        took_s = self._proxy.switch(target)
        return f"{self._settings.listen} is {target}, switched in {took_s * 1000:.1f} ms"

    def _used(self, change: Change) -> tuple[Slot, Slot] | tuple[None, None]:
        """Return the slot that a deployment took, and the other one."""
        for slot in self._slots.values():
            if slot.use is not None and slot.use.deployment == change.deployment:
                return slot, self._other(slot)
        return None, None

    def _taken(self, change: Change) -> tuple[Slot, Slot]:
        """Return the slot for a candidate and the other one; one that runs it already is the first choice."""
        new, old = self._used(change)
        if new is None or old is None:
            live = self._slots.get(self._proxy.target, self._slots["b"])
            new, old = self._other(live), live
            new.take(Use(deployment=change.deployment, sha256=self._sha256(change.candidate)))
        return new, old

    def _other(self, slot: Slot) -> Slot:
        return next(each for each in self._slots.values() if each.name != slot.name)

    def _sha256(self, candidate: ReleaseCandidate) -> str:
        return named(candidate, self._settings.artifact).sha256

    def _word(self, word: str, slot: Slot) -> str:
        return word.replace("{port}", str(slot.port)).replace("{state}", str(slot.state))


def _differs(because: str) -> LiveDiffers:
    return LiveDiffers(
        f"{because}.",
        slug="live-differs",
        hint="Find out who changed it; deploy again, or `release-gates adopt` what is there.",
    )
