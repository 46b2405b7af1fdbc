"""``kustomization.yaml``: read and set the digests of its images, and leave every other byte as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from release_gates.errors import DeployError

if TYPE_CHECKING:
    from yaml.nodes import Node, ScalarNode

Digests = Mapping[str, str | None]
"""Image -> ``sha256:…``, None where the file gives it no digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One of the images: its name, its digest if it has one, and how it is written."""

    name: ScalarNode
    column: int
    digest: tuple[ScalarNode, ScalarNode] | None
    flow: bool


def digests_in(data: bytes, names: Mapping[str, object], place: str) -> dict[str, str | None]:
    """Return the digests that a file gives to these images; ``DeployError`` unless each is there once."""
    entries = _entries(_text(data, place), names, place)
    return {name: entry.digest[1].value if entry.digest else None for name, entry in entries.items()}


def with_digests(data: bytes, wanted: Digests, place: str) -> bytes:
    """Return the file with these digests and not another change, made sure of by reading it again."""
    text = _text(data, place)
    edited = text
    entries = _entries(text, wanted, place)
    for name, entry in sorted(entries.items(), key=lambda each: -each[1].name.start_mark.index):
        edited = _edited(edited, entry, wanted[name])
    before, after = _parsed(text, place), _parsed(edited, place)
    if digests_in(edited.encode(), wanted, place) != dict(wanted) or _without(before, wanted) != _without(
        after, wanted
    ):
        raise _unreadable(place, "the digests cannot be set without changing something else")
    return edited.encode()


def _edited(text: str, entry: _Entry, digest: str | None) -> str:
    if entry.digest is None:
        return text if digest is None else _inserted(text, entry, digest)
    key, value = entry.digest
    if digest is None:
        return _removed(text, entry, key, value)
    quote = value.style if value.style in {"'", '"'} else ""
    return f"{text[: value.start_mark.index]}{quote}{digest}{quote}{text[value.end_mark.index :]}"


def _inserted(text: str, entry: _Entry, digest: str) -> str:
    """Give an image a digest, in a line of its own or, within braces, right behind its name."""
    end = entry.name.end_mark.index
    if entry.flow:
        return f"{text[:end]}, digest: {digest}{text[end:]}"
    found = text.find("\n", end)
    stop = len(text) if found < 0 else found
    line_end = "\r\n" if text[:stop].endswith("\r") else "\n"
    stop -= line_end == "\r\n"
    return f"{text[:stop]}{line_end}{' ' * entry.column}digest: {digest}{text[stop:]}"


def _removed(text: str, entry: _Entry, key: ScalarNode, value: ScalarNode) -> str:
    """Take the digest away where ``_inserted`` would have put it."""
    if entry.flow:
        start = entry.name.end_mark.index
        return text[:start] + text[value.end_mark.index :]
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    found = text.find("\n", value.end_mark.index)
    if found >= 0:
        return text[:start] + text[found + 1 :]
    return text[:start].removesuffix("\n").removesuffix("\r")


def _entries(text: str, names: Mapping[str, object], place: str) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for node in _items(_value(_document(text, place), "images", place), place):
        name = _value(node, "name", place)
        if name is None or name.value not in names:
            continue
        if name.value in found:
            raise _unreadable(place, f"the image {name.value} is there twice")
        digest = _pair(node, "digest", place)
        found[name.value] = _Entry(
            name=name,
            column=node.value[0][0].start_mark.column,
            digest=digest,
            flow=bool(node.flow_style),
        )
    if missing := sorted(set(names) - set(found)):
        raise _unreadable(place, f"there is no image {', '.join(missing)}")
    return found


def _document(text: str, place: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise DeployError(
            "PyYAML is not installed.",
            slug="deploy-unavailable",
            hint="pip install 'pytest-release-gates[deploy]'",
        ) from None
    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise _unreadable(place, "it has aliases")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise _unreadable(place, " ".join(str(error).split())[:200]) from None
    if not isinstance(root, yaml.MappingNode):
        raise _unreadable(place, "it is no mapping")
    return root


def _items(node: Node | None, place: str) -> Any:
    import yaml

    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode) or not all(
        isinstance(each, yaml.MappingNode) for each in node.value
    ):
        raise _unreadable(place, "images is no list of mappings")
    return node.value


def _value(node: Any, key: str, place: str) -> Any:
    pair = _pair(node, key, place)
    return None if pair is None else pair[1]


def _pair(node: Any, key: str, place: str) -> tuple[Any, Any] | None:
    """Return a key and its value; one that stands twice, or holds no text where text belongs, is refused."""
    import yaml

    found = [pair for pair in node.value if isinstance(pair[0], yaml.ScalarNode) and pair[0].value == key]
    if len(found) > 1:
        raise _unreadable(place, f"{key} is there twice")
    if found and key != "images" and not isinstance(found[0][1], yaml.ScalarNode):
        raise _unreadable(place, f"{key} is no text")
    return found[0] if found else None


def _parsed(text: str, place: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(place, " ".join(str(error).split())[:200]) from None


def _without(document: Any, names: Mapping[str, object]) -> Any:
    """Return what a document says besides the digests of these images."""
    images = [
        {key: value for key, value in image.items() if key != "digest" or image.get("name") not in names}
        for image in document["images"]
    ]
    return {**document, "images": images}


def _text(data: bytes, place: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _unreadable(place, "it is no UTF-8") from None
    if re.search("[\x85\u2028\u2029\ufeff]|\r(?!\n)", text):
        raise _unreadable(place, "it has line ends or marks that only some programs read")
    return text


def _unreadable(place: str, because: str) -> DeployError:
    return DeployError(
        f"{place}: {because}.",
        slug="deploy-kustomization",
        hint="images: is a list of name and digest, in which each image of the policy stands once.",
    )
