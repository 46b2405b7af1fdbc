"""From bytes to the components of an SBOM: CycloneDX (https://cyclonedx.org/docs/1.6/json/) or SPDX 2.3."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn

from release_gates.probes.sbom.component import Component, Sbom
from release_gates.probes.sbom.faults import empty, missing_package, unreadable
from release_gates.probes.sbom.spdx import read_spdx

LARGEST_BYTES = 64 * 1024 * 1024
SHOWN = 200


def read_sbom(file: str, data: bytes) -> Sbom:
    """Return what a CycloneDX or SPDX document in JSON holds, nested components too; messages name ``file``.

    Raises MeasurementError (``sbom-unreadable``) for what is too large, torn, has a key twice or does not
    keep to the schema of its version, ``sbom-empty`` without a component; ProbeUnavailable without its
    library.
    """
    if len(data) > LARGEST_BYTES:
        raise unreadable(file, "$", f"is larger than {LARGEST_BYTES} bytes")
    document = _json(file, data)
    if not isinstance(document, dict) or ("bomFormat" in document) == ("spdxVersion" in document):
        raise unreadable(file, "$", "is neither CycloneDX (bomFormat) nor SPDX (spdxVersion)")
    sbom = read_spdx(file, document) if "spdxVersion" in document else _cyclonedx(file, document, data)
    if not sbom.components:
        raise empty(file)
    return sbom


def _cyclonedx(file: str, document: dict[str, Any], data: bytes) -> Sbom:
    if document["bomFormat"] != "CycloneDX":
        raise unreadable(file, "$.bomFormat", "is not 'CycloneDX'")
    _check_schema(file, str(document.get("specVersion")), data)
    subject = document.get("metadata", {}).get("component")
    return Sbom(
        subject=None if subject is None else _component(subject),
        components=tuple(
            _components((*(subject or {}).get("components", ()), *document.get("components", ())))
        ),
    )


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
