"""From bytes to the components that a CycloneDX document names: https://cyclonedx.org/docs/1.6/json/."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from release_gates.probes.sbom.faults import empty, missing_package, unreadable

LARGEST_BYTES = 64 * 1024 * 1024
SHA_256 = "SHA-256"
SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component. ``licences`` are SPDX ids, expressions and names as they stand there; all apply."""

    name: str
    version: str = ""
    purl: str = ""
    hashes: tuple[tuple[str, str], ...] = ()
    licences: tuple[str, ...] = ()

    @property
    def identified(self) -> bool:
        """Whether name, version and a package URL or a hash say exactly what it is."""
        return bool(self.name and self.version and (self.purl or self.hashes))

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sbom:
    """One document: what it describes (None where it does not say), and what that is made of."""

    subject: Component | None
    components: tuple[Component, ...]


def read_sbom(file: str, data: bytes) -> Sbom:
    """Return what a CycloneDX JSON document holds, nested components too; ``file`` is how messages name it.

    Raises MeasurementError (``sbom-unreadable``) for what is too large, torn, has a key twice or does not
    keep to the schema of its version, ``sbom-empty`` without a component; ProbeUnavailable without its
    library.
    """
    if len(data) > LARGEST_BYTES:
        raise unreadable(file, "$", f"is larger than {LARGEST_BYTES} bytes")
    document = _json(file, data)
    if not isinstance(document, dict) or document.get("bomFormat") != "CycloneDX":
        raise unreadable(file, "$.bomFormat", "is not 'CycloneDX'")
    _check_schema(file, str(document.get("specVersion")), data)
    components = tuple(_components(document.get("components", ())))
    if not components:
        raise empty(file)
    subject = document.get("metadata", {}).get("component")
    return Sbom(subject=None if subject is None else _component(subject), components=components)


def _json(file: str, data: bytes) -> Any:
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=lambda pairs: _object(file, pairs),
            parse_constant=lambda word: _constant(file, word),
        )
    except UnicodeDecodeError as problem:
        raise unreadable(file, f"byte {problem.start}", "is not UTF-8") from problem
    except (RecursionError, ValueError) as problem:
        raise unreadable(file, "$", f"is no whole JSON ({str(problem)[:SHOWN]})") from problem


def _object(file: str, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise unreadable(file, "$", "one object has a key twice, so readers disagree on which counts")
    return found


def _constant(file: str, word: str) -> NoReturn:
    raise unreadable(file, "$", f"{word} is no number in JSON")


def _check_schema(file: str, version: str, data: bytes) -> None:
    try:
        from cyclonedx.exception import MissingOptionalDependencyException
        from cyclonedx.schema import SchemaVersion
        from cyclonedx.validation.json import JsonStrictValidator
    except ImportError:
        raise missing_package(file) from None
    known = {each.to_version(): each for each in SchemaVersion}
    if version not in known:
        raise unreadable(file, "$.specVersion", f"is '{version[:SHOWN]}', which this reader does not know")
    try:
        wrong = JsonStrictValidator(known[version]).validate_str(data.decode())
    except MissingOptionalDependencyException:
        raise missing_package(file) from None
    except (RecursionError, ValueError, NotImplementedError) as problem:
        raise unreadable(file, "$", f"cannot be validated ({str(problem)[:SHOWN]})") from problem
    if wrong is not None:
        said = " ".join(str(getattr(wrong, "data", wrong)).split())[:SHOWN]
        raise unreadable(file, "$", f"does not keep to CycloneDX {version}: {said}")


def _components(found: Iterable[dict[str, Any]]) -> Iterable[Component]:
    for each in found:
        yield _component(each)
        yield from _components(each.get("components", ()))


def _component(found: dict[str, Any]) -> Component:
    return Component(
        name=found.get("name", ""),
        version=found.get("version", ""),
        purl=found.get("purl", ""),
        hashes=tuple((each["alg"], each["content"].lower()) for each in found.get("hashes", ())),
        licences=tuple(_licence(each) for each in found.get("licenses", ())),
    )


def _licence(choice: dict[str, Any]) -> str:
    inner = choice.get("license", {})
    return str(choice.get("expression") or inner.get("id") or inner.get("name") or "")
