"""``defects.toml``: the planted defects of a project, all mistakes at once like those of the policy."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from release_gates.errors import PolicyError
from release_gates.host.surroundings import check_variables
from release_gates.model.gate import EnvironmentPolicy, Policy
from release_gates.model.outcome import Outcome
from release_gates.model.record import Record
from release_gates.policy.document import read_document
from release_gates.policy.grammar import parse_duration_s
from release_gates.policy.mistake import Mistakes, suggestion
from release_gates.policy.review import Remark
from release_gates.policy.table import GATE_NAME, Table, is_name

FILE = "defects.toml"
CLEAN = "clean"
"""Where the clean system's files lie among those of the defects: no defect may bear this name."""

KEYS = ("schema", "environment", "timeout", "variables", "apply", CLEAN, "defect")
DEFECT_KEYS = ("what", "gate", "message", "outcome", "unguarded", "apply", "undo")
CLEAN_PLACEHOLDERS = ("python", "candidate", "environment")
PLACEHOLDERS = (*CLEAN_PLACEHOLDERS, "defect")
TIMEOUT_S = 900.0

SHORTEST_MESSAGE = 8
"""Fewer letters and digits than that stand in sentences about something else too."""

ANY_REASON = re.compile(
    "against|allowed|asks|assert|assertion|baseline|be|because|been|cannot|could|decided|error|failed|false|"
    "for|has|is|it|limit|measured|missing|no|not|nothing|on|policy|rests|samples|target|the|value|was"
)
"""Words of which every gate makes its reasons: "the limit is" names none of them."""

RED = (Outcome.FAIL, Outcome.ERROR, Outcome.MISSING, Outcome.INCONCLUSIVE)
"""What a gate may have to be."""

Command = tuple[str, ...]


class Defect(Record, frozen=True, kw_only=True):
    """One planted defect: ``apply`` plants it, a reason of ``gate`` has to contain ``message``.

    ``outcome`` is what the gate has to be: FAIL, but for a defect that leaves nothing to measure.
    ``unguarded`` says in words why no gate catches it yet; ``undo`` takes back what ``apply`` did elsewhere
    than in the candidate.
    """

    name: str
    what: str
    gate: str
    message: str
    outcome: Outcome = Outcome.FAIL
    unguarded: str = ""
    apply: Command = ()
    undo: Command = ()


class Registry(Record, frozen=True, kw_only=True):
    """All planted defects, and how the clean system is made. No file: no defects, no environment."""

    environment: str = ""
    timeout_s: float = TIMEOUT_S
    clean: Command = ()
    defects: tuple[Defect, ...] = ()
    variables: tuple[str, ...] = ()
    """What the commands see of our environment besides what builds need."""

    def declared(self, environment: EnvironmentPolicy) -> dict[str, int]:
        """Return for each gate of an environment how many defects are declared for it."""
        named = [defect.gate for defect in self.defects]
        return {gate.name: named.count(gate.name) for gate in environment.gates}


def read_registry(snapshot: Mapping[str, str], policy: Policy, *, folder: str = "gates") -> Registry:
    """Return the planted defects that a snapshot of the policy folder declares. Pure.

    Raises PolicyMistakes with all mistakes in the file.
    """
    text = snapshot.get(FILE)
    mistakes = Mistakes(folder)
    document = None if text is None else read_document(FILE, text, mistakes)
    registry = Registry() if document is None else _registry(document, policy)
    mistakes.raise_any()
    return registry


def review_defects(registry: Registry, policy: Policy) -> tuple[Remark, ...]:
    """Return what deserves a second look: gates that nothing shows to go red."""
    environment = policy.environment(registry.environment)
    if environment is None:
        sentence = "is absent, so nothing shows that a gate can go red: declare planted defects in it"
        return (Remark(place=FILE, sentence=sentence),)
    sentence = f"no planted defect in {FILE}, so nothing shows that it can go red"
    return tuple(
        Remark(place=f"{environment.name}, gate {gate}", sentence=sentence)
        for gate, defects in registry.declared(environment).items()
        if not defects
    )


def select(
    registry: Registry, environment: EnvironmentPolicy, *, defects: Sequence[str], gates: Sequence[str]
) -> tuple[Defect, ...]:
    """Return the defects of these names and these gates, all where none are named.

    Raises PolicyError for a name that is not known, and for one that this environment does not try.
    """
    known = tuple(defect.name for defect in registry.defects)
    asked = tuple(gate.name for gate in environment.gates)
    of_defects = dict.fromkeys((*asked, *(each.gate for each in registry.defects)))
    _check_known("--defect", defects, known, "unknown-defect")
    _check_known("--gate", gates, tuple(of_defects), "unknown-gate")
    chosen = tuple(
        defect
        for defect in registry.defects
        if (not defects or defect.name in defects) and (not gates or defect.gate in gates)
    )
    if defects or gates:
        _check_here(chosen, environment)
    return chosen


def first_of_each(defects: Sequence[Defect], environment: EnvironmentPolicy) -> tuple[Defect, ...]:
    """Return the first guarded defect of each gate that an environment asks for."""
    found: dict[str, Defect] = {}
    for defect in defects:
        if not defect.unguarded and environment.gate(defect.gate):
            found.setdefault(defect.gate, defect)
    return tuple(found.values())


def _check_known(option: str, names: Sequence[str], known: Sequence[str], slug: str) -> None:
    for name in names:
        if name not in known:
            sentence = f"{option} {name}: nothing bears that name.{suggestion(name, known)}"
            raise PolicyError(sentence, slug=slug)


def _check_here(chosen: Sequence[Defect], environment: EnvironmentPolicy) -> None:
    for defect in chosen:
        if not (defect.unguarded or environment.gate(defect.gate)):
            raise PolicyError(
                f"defect {defect.name}: {environment.name} does not ask for its gate {defect.gate}.",
                slug="defect-elsewhere",
                hint="Name an environment that does: release-gates prove ENVIRONMENT.",
            )


def _registry(document: Table, policy: Policy) -> Registry:
    document.refuse_schema()
    document.refuse_unknown(KEYS)
    apply, clean = _command(document, "apply"), _command(document, CLEAN, CLEAN_PLACEHOLDERS)
    defects = tuple(_defect(name, table, apply, policy) for name, table in document.tables("defect"))
    if CLEAN not in document.values and any(not defect.unguarded for defect in defects):
        sentence = "is absent. Say which command makes the system without any defect"
        document.mistakes.add(document.at.key(CLEAN), sentence, "missing-key")
    return Registry(
        environment=_environment(document, policy),
        timeout_s=_timeout_s(document),
        clean=clean or (),
        defects=defects,
        variables=_variables(document),
    )


def _variables(document: Table) -> tuple[str, ...]:
    value = document.values.get("variables", [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        document.wrong("variables", 'must be a list of names: ["LICENSE_FILE"]', "wrong-type")
        return ()
    try:
        check_variables(value)
    except ValueError as error:
        document.wrong("variables", str(error), "setting")
    return tuple(value)


def _environment(document: Table, policy: Policy) -> str:
    name = _required(document, "environment", "Name the environment whose gates are proved")
    known = tuple(environment.name for environment in policy.environments)
    if name and name not in known:
        sentence = f"unknown environment '{name}'.{suggestion(name, known)}"
        document.wrong("environment", sentence, "unknown-environment")
    return name


def _timeout_s(document: Table) -> float:
    text = document.text("timeout")
    try:
        return TIMEOUT_S if text is None else parse_duration_s(text)
    except PolicyError as error:
        document.mistakes.add_error(document.at.key("timeout"), error, value=text)
        return TIMEOUT_S


def _defect(name: str, table: Table, apply: Command | None, policy: Policy) -> Defect:
    table.refuse_unknown(DEFECT_KEYS)
    _check_name(name, table)
    defect = Defect(
        name=name,
        what=_required(table, "what", "Say in a sentence what is wrong with this candidate or host"),
        gate=_required(table, "gate", "Name the gate that has to catch it"),
        message=_required(table, "message", "Write the text that the gate's reason must contain"),
        outcome=_outcome(table),
        unguarded=table.text("unguarded") or "",
        apply=_command(table, "apply") or apply or (),
        undo=_command(table, "undo") or (),
    )
    _check_message(defect, table)
    _check_gate(defect, table, policy)
    if apply is None and "apply" not in table.values and not defect.unguarded:
        sentence = "is absent, here and for all defects. Say which command plants the defect"
        table.mistakes.add(table.at.key("apply"), sentence, "missing-key")
    return defect


def _outcome(table: Table) -> Outcome:
    outcome = table.word("outcome", Outcome) or Outcome.FAIL
    if outcome not in RED:
        sentence = f"must be one of {', '.join(RED)}: any other lets the candidate in"
        table.wrong("outcome", sentence, "proof-outcome")
    return outcome


def _check_name(name: str, table: Table) -> None:
    if name == CLEAN or not is_name(name, GATE_NAME):
        sentence = (
            f"'{CLEAN}' stands for the system without any defect. Choose another name"
            if name == CLEAN
            else "a defect's name is a lower-case letter, then letters, digits, '_' and '-'"
        )
        table.mistakes.add(table.at, sentence, "defect-name")


def _check_message(defect: Defect, table: Table) -> None:
    if defect.message and not defect.message.isprintable():
        table.wrong("message", "must be on one line: a gate's reason is a sentence", "vague-message")
    elif defect.message and _is_vague(defect.message):
        sentence = (
            "stands in too many sentences to tell one reason from another. "
            f"Write at least {SHORTEST_MESSAGE} letters and digits of what the gate has to say"
        )
        table.wrong("message", sentence, "vague-message")


def _is_vague(message: str) -> bool:
    words = set(re.findall(r"[^\W\d_]+", message.lower()))
    return sum(map(str.isalnum, message)) < SHORTEST_MESSAGE or all(map(ANY_REASON.fullmatch, words))


def _check_gate(defect: Defect, table: Table, policy: Policy) -> None:
    known = policy.gate_names()
    if defect.gate in known and defect.unguarded:
        sentence = f"the policy has the gate '{defect.gate}' by now. Remove 'unguarded'"
        table.wrong("unguarded", sentence, "guarded-by-now")
    elif defect.gate and defect.gate not in known and "unguarded" not in table.values:
        sentence = (
            f"no environment asks for a gate '{defect.gate}'.{suggestion(defect.gate, known)} "
            'Where it is not built yet, say so: unguarded = "why"'
        )
        table.wrong("gate", sentence, "unguarded-defect")


def _required(table: Table, key: str, remedy: str) -> str:
    if key not in table.values:
        table.mistakes.add(table.at.key(key), f"is absent. {remedy}", "missing-key")
    return table.text(key) or ""


def _command(table: Table, key: str, known: Sequence[str] = PLACEHOLDERS) -> Command | None:
    """Return a command: None where the key is absent, no words where it is mistaken."""
    words = table.values.get(key)
    if words is None:
        return None
    if not isinstance(words, list) or not _is_command(words):
        sentence = 'must be a list of words, the program first: ["{python}", "-m", "fixtures.prepare"]'
        table.wrong(key, sentence, "wrong-type")
        return ()
    for word in words:
        for name in re.findall(r"\{(\w+)\}", word):
            if name not in known:
                sentence = f"unknown placeholder '{{{name}}}'.{suggestion(name, known)}"
                table.mistakes.add(table.at.key(key), sentence, "unknown-placeholder", value=word)
    return tuple(words)


def _is_command(words: Sequence[object]) -> bool:
    return bool(words and str(words[0]).strip()) and all(isinstance(word, str) for word in words)
