"""The pictures of docs/explanation/statistics.md, drawn from what the judge itself computes.

``python docs/figures.py`` writes them beside the page; a test compares them. Nothing in them is drawn by
hand: the processes were measured (``processes.json``), the rest are answers of ``release_gates.judge``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from release_gates.judge.sequential import find, next_step, pass_tail, spread_of
from release_gates.judge.tails import judge_tail
from release_gates.model.outcome import Outcome
from release_gates.model.paired import Paired, PairPlan, ProcessPair
from release_gates.model.tail import Tail, bound_key
from release_gates.policy.grammar import parse_limit
from release_gates.report.scale import Scale, short, ticks

HERE = Path(__file__).parent / "explanation"
WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 624, 40, 252
LIMIT = math.log1p(0.015)
PLAN = PairPlan(looks=(6, 12, 24, 48), confirm=8, false_alarm=0.01, wrong_pass=0.01, benchmarks=10)
"""That of this repository's gate ``benchmark``."""
NOISE = 0.009
"""Standard deviation between processes of one build, as `processes.json` has it."""
DECISIONS = 200
STYLE = """
svg { background: #fff; color: #1d2129; font: 13px system-ui, sans-serif; }
text { fill: currentColor; } .soft { fill: #59636e; }
.axis { stroke: #8b949e; stroke-width: 1; } .grid { stroke: #d8dee4; stroke-width: 1; }
.line { fill: none; stroke-width: 2.5; } .bad { stroke: #c4312c; } .good { stroke: #187a3c; }
.open { stroke: #9a6700; } .limit { stroke: #c4312c; stroke-width: 1.5; stroke-dasharray: 5 4; }
.dot { fill: #0b5cad; } .fresh { fill: #9a6700; } .bar { stroke: #0b5cad; stroke-width: 3; }
.is-bad { fill: #c4312c; } .is-good { fill: #187a3c; } .is-open { fill: #9a6700; }
@media (prefers-color-scheme: dark) {
svg { background: #14181d; color: #e6e9ed; } .soft { fill: #a3adb8; } .axis { stroke: #6e7781; }
.grid { stroke: #2d343c; } .bad, .limit { stroke: #ff7b72; } .good { stroke: #56d364; }
.open { stroke: #e3b341; } .dot { fill: #79b8ff; } .fresh { fill: #e3b341; } .bar { stroke: #79b8ff; }
.is-bad { fill: #ff7b72; } .is-good { fill: #56d364; } .is-open { fill: #e3b341; } }
"""


def figures() -> dict[str, str]:
    """Return every picture by the name of its file."""
    measured = json.loads((HERE / "processes.json").read_text(encoding="utf-8"))
    return {
        "processes.svg": processes(measured),
        "power.svg": power(),
        "counts.svg": counts(),
    }


def processes(measured: dict[str, Any]) -> str:
    """Draw what each process measured, and what was known at each look."""
    y = Scale(-3.0, 5.0, BOTTOM, TOP)
    x = Scale(0, 52, LEFT, RIGHT)
    parts = [*_y_axis(y, "change against the live build, %"), _limit(y(1.5), "limit 1.5 %")]
    start = 0
    for name, series in measured["series"].items():
        plan = msgspec.convert(measured["plan"], PairPlan)
        first, fresh = (_pairs(series[part]) for part in ("processes", "confirmation"))
        for number, process in enumerate((*first, *fresh), start=start + 1):
            kind = "dot" if number - start <= len(first) else "fresh"
            parts.append(_circle(x(number), y(_percent(process.ratio)), kind))
        for look in [look for look in plan.looks if look <= len(first)]:
            parts += _interval(x(start + look + 0.5), y, first[:look], plan)
        found = find(Paired(plan=plan, processes=first, confirmation=fresh), LIMIT).kind
        text = f"{name.removesuffix('.cpu_time')}: {found}"
        parts.append(_text(x(start + 0.5), TOP - 22, text, "is-bad" if found == "slower" else "is-good"))
        after = ", then 8 fresh ones" if fresh else ""
        parts.append(_text(x(start + 0.5), BOTTOM + 20, f"{len(first)} processes{after}", "soft"))
        start += len(first) + len(fresh) + 12
    return _svg("Each process is one number; bars are what is known at a look", parts)


def _pairs(rows: Sequence[Sequence[Any]]) -> tuple[ProcessPair, ...]:
    return tuple(
        ProcessPair(ratio=ratio, spread=0.01, kept=75, dropped=0, first=first, seed=0)
        for ratio, first in rows
    )


def _interval(x: float, y: Scale, pairs: Sequence[ProcessPair], plan: PairPlan) -> Iterator[str]:
    spread = spread_of(pairs)
    low, high = (y(_percent(edge(pass_tail(plan)))) for edge in (spread.low, spread.high))
    yield f'<path class="bar" d="M{short(x)} {short(low)}V{short(high)}"/>'
    yield _circle(x, y(_percent(spread.mean)), "dot", 5)


def power() -> str:
    """Draw how often builds of a true slowdown get each answer, each of ``DECISIONS`` made-up ones."""
    x, y = Scale(0, 5, LEFT, RIGHT), Scale(0, 100, BOTTOM, TOP)
    steps = [number / 2 for number in range(11)]
    answers = [_answers(step, Random(number)) for number, step in enumerate(steps)]
    parts = [*_y_axis(y, "decisions, %"), *_x_axis(x, ticks(0, 5), "true slowdown, %")]
    parts.append(f'<path class="limit" d="M{short(x(1.5))} {TOP}V{BOTTOM}"/>')
    parts.append(_text(x(1.5) + 5, TOP + 12, "limit", "is-bad"))
    for kind, style in (("slower", "bad"), ("equivalent", "good"), ("open", "open")):
        dots = [f"{short(x(s))} {short(y(found[kind]))}" for s, found in zip(steps, answers, strict=True)]
        parts.append(f'<path class="line {style}" d="M{"L".join(dots)}"/>')
    parts += [
        _text(x(4.1), y(100) + 18, "FAIL", "is-bad"),
        _text(x(0.1), y(100) + 18, "PASS", "is-good"),
        _text(x(1.95), y(62), "INCONCLUSIVE", "is-open"),
    ]
    return _svg(f"{DECISIONS} decisions for each point, noise {NOISE:.1%} between processes", parts)


def _answers(percent: float, random: Random) -> dict[str, float]:
    kinds = [_decision(math.log1p(percent / 100), random) for _ in range(DECISIONS)]
    shares = {kind: 100 * kinds.count(kind) / DECISIONS for kind in ("slower", "equivalent")}
    return {**shares, "open": 100 - sum(shares.values())}


def _decision(true: float, random: Random) -> str:
    """Return one decision, process by process as a run makes it."""
    paired = Paired(plan=PLAN, processes=())
    while (step := next_step(paired, LIMIT)) is not None:
        more = step.processes - len(paired.processes)
        made = tuple(_process(true, number, random) for number in range(more or step.confirmation))
        change = {"processes": (*paired.processes, *made)} if more else {"confirmation": made}
        paired = msgspec.structs.replace(paired, **change)
    return find(paired, LIMIT).kind


def _process(true: float, number: int, random: Random) -> ProcessPair:
    first = ("baseline", "candidate")[number % 2]
    ratio = random.gauss(true, NOISE)
    return msgspec.convert(
        {"ratio": ratio, "spread": 0.01, "kept": 75, "dropped": 0, "first": first, "seed": 0}, ProcessPair
    )


def counts() -> str:
    """Draw of how many samples how many may break a p99 before each answer changes."""
    x, y = Scale(3.5, 6, LEFT, RIGHT), Scale(0.6, 1.4, BOTTOM, TOP)
    sizes = [round(10 ** (4 + number / 20)) for number in range(41)]
    edges = [(size, *_edges(size)) for size in sizes]
    parts = [*_y_axis(y, "samples over the limit, %")]
    parts += _x_axis(x, [4, 4.5, 5, 5.5, 6], "samples", lambda tick: f"{10**tick:,.0f}")
    parts.append(_limit(y(1), ""))
    parts.append(_text(x(3.52), y(0.93), "1 %: what a p99 allows", "is-bad"))
    for index, style in ((1, "good"), (2, "bad")):
        dots = [f"{short(x(math.log10(row[0])))} {short(y(100 * row[index] / row[0]))}" for row in edges]
        parts.append(f'<path class="line {style}" d="M{"L".join(dots)}"/>')
    parts += [
        _text(x(4.5), y(1.25), "FAIL: surely too many", "is-bad"),
        _text(x(3.52), y(1.08), "INCONCLUSIVE:", "is-open"),
        _text(x(3.52), y(1.08) + 17, "too few", "is-open"),
        _text(x(4.5), y(0.75), "PASS: surely few enough", "is-good"),
    ]
    return _svg("What a number of samples can say of “p99 <= 500 ms”", parts)


def _edges(size: int) -> tuple[int, int]:
    """Return the most broken samples that pass, and the fewest that fail."""
    passing = _first(size, lambda outcome: outcome is not Outcome.PASS) - 1
    return passing, _first(size, lambda outcome: outcome is Outcome.FAIL)


def _first(size: int, is_so: Any) -> int:
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_so(_outcome(size, middle)) else (middle + 1, high)
    return low


def _outcome(size: int, over: int) -> Outcome:
    limit = parse_limit("<= 500 ms")
    tail = Tail(quantile=0.99, samples=size, over={bound_key(limit.bounds[0]): over})
    return judge_tail("p99", tail, limit, "")[0]


def _percent(log_ratio: float) -> float:
    return math.expm1(log_ratio) * 100


def _y_axis(y: Scale, label: str) -> Iterator[str]:
    for tick in ticks(y.low, y.high):
        at = short(y(tick))
        yield f'<path class="grid" d="M{LEFT} {at}H{RIGHT}"/>'
        yield f'<text class="soft" x="{LEFT - 8}" y="{short(y(tick) + 4)}" text-anchor="end">{tick:g}</text>'
    middle = (TOP + BOTTOM) / 2
    yield (
        f'<text class="soft" text-anchor="middle" transform="translate(18 {short(middle)}) rotate(-90)">'
        f"{label}</text>"
    )


def _x_axis(x: Scale, at: Sequence[float], label: str, shown: Any = "{:g}".format) -> Iterator[str]:
    yield f'<path class="axis" d="M{LEFT} {BOTTOM}H{RIGHT}"/>'
    for tick in at:
        end = ' text-anchor="middle"' if tick < x.high else ' text-anchor="end"'
        yield f'<text class="soft" x="{short(x(tick))}" y="{BOTTOM + 18}"{end}>{shown(tick)}</text>'
    middle = (LEFT + RIGHT) // 2
    yield f'<text class="soft" x="{middle}" y="{BOTTOM + 38}" text-anchor="middle">{label}</text>'


def _limit(y: float, label: str) -> str:
    return f'<path class="limit" d="M{LEFT} {short(y)}H{RIGHT}"/>' + (
        f'<text class="is-bad" x="{RIGHT}" y="{short(y - 6)}" text-anchor="end">{label}</text>'
    )


def _circle(x: float, y: float, kind: str, radius: float = 3) -> str:
    return f'<circle class="{kind}" cx="{short(x)}" cy="{short(y)}" r="{radius:g}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{short(x)}" y="{short(y)}">{text}</text>'


def _svg(title: str, parts: Sequence[str]) -> str:
    shown = title.replace("<", "&lt;")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>{shown}</title>\n<style>{STYLE}</style>\n"
    )
    return head + "\n".join(part.replace("<= ", "&lt;= ") for part in parts) + "\n</svg>\n"


if __name__ == "__main__":
    for file, drawn in figures().items():
        (HERE / file).write_text(drawn, encoding="utf-8")
