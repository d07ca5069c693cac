"""Describe pydantic errors on one line each, with the key as written in the configuration."""

import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from ntkflow.keys import Fault, NoMapping


class ConfigurationError(ValueError):
    """The configuration is not valid; the message has one line per error."""


def suggestion(name: object, names: Iterable[object]) -> str:
    """Question about the nearest valid name, or a list of all names."""
    known = [str(known) for known in names]
    close = difflib.get_close_matches(str(name), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else f": {', '.join(known)}"


def lines(error: ValidationError, config: Mapping[str, Any]) -> list[str]:
    """Describe each error on one line, with its path as written in the file.

    Pydantic reports a value that fits no member of a union once per member. Members that expect a
    value of another type (a list for a mapping) are left out if another member checked its content.
    """
    located = [(fault, *_path(fault, config)) for fault in error.errors()]
    looked_into = {
        tuple(path[:length])
        for fault, path, _ in located
        for length in range(len(path) + (not _of_another_kind(fault)))
    }
    lines = [
        _describe(fault, path, value)
        for fault, path, value in located
        if not (_of_another_kind(fault) and tuple(path) in looked_into)
    ]
    return [*dict.fromkeys(lines)]


def _of_another_kind(fault: Mapping[str, Any]) -> bool:
    no_mapping = isinstance(fault.get("ctx", {}).get("error"), NoMapping)
    return fault["type"].endswith("_type") or no_mapping


def _describe(fault: Mapping[str, Any], path: Sequence[str | int], value: Any) -> str:
    """Describe one pydantic error on one line."""
    keys = [str(key) if str(key).isprintable() else repr(key) for key in path]
    where = ".".join(keys) or "(top level)"
    # Key that distinguishes the members of a union, or a function of the same name.
    discriminator = fault.get("ctx", {}).get("discriminator", "").strip("'").removesuffix("()")
    match fault["type"]:
        case "missing":
            return f"{where}: missing, expected a value"
        case "extra_forbidden":
            return f"{where}: unknown key; remove it or check its spelling in docs/configuration.md"
        case "union_tag_invalid":
            tag, tags = fault["ctx"]["tag"], fault["ctx"]["expected_tags"]
            found = f"{where}.{discriminator}: found {tag!r}, expected one of {tags}"
            nearest = suggestion(tag, tags.replace("'", "").split(", "))
            return found + (nearest if nearest.startswith(" (") else "")
        case "union_tag_not_found" if isinstance(value, Mapping):
            return f"{where}: missing the key {discriminator!r}"
        case "union_tag_not_found":
            expected = f"expected a mapping with the key {discriminator!r}"
            return f"{where}: found {shortened(value)}, {expected}"
        case "model_attributes_type" | "dict_type":
            return f"{where}: found {shortened(value)}, expected a mapping"
        case "value_error":
            error = fault["ctx"]["error"]
            if isinstance(error, NoMapping):
                return f"{where}: found {shortened(value)}, {error}"
            key = f".{error.key}" if isinstance(error, Fault) else ""
            return f"{where}{key}: {error}"
        case _:
            message = fault["msg"].replace("Input", "it").replace("String", "it")
            if fault["loc"][-1:] == ("[key]",):
                return f"{where}: found this name; {message}"
            return f"{where}: found {shortened(value)}; {message}"


def _path(fault: Mapping[str, Any], config: Any) -> tuple[list[str | int], Any]:
    """The keys of a pydantic location that are in the file, and the value there.

    A location also names union members. Its last key may be missing or unknown.
    """
    location, absent = fault["loc"], fault["type"] in ("missing", "extra_forbidden")
    path: list[str | int] = []
    value = config
    for position, key in enumerate(location):
        inside = isinstance(value, Mapping) and key in value
        # {kind: address, address: ...}: the member `address` of the union, then the key.
        if inside and value.get("kind") == key and key != location[position - 1]:
            inside = position == len(location) - 1
        inside |= isinstance(value, list) and isinstance(key, int) and key < len(value)
        if inside:
            value = value[key]
        if inside or (absent and position == len(location) - 1):
            path.append(key)
    return path, value


class _Abridged(reprlib.Repr):
    """Abridged repr of a value: with aliases, a few lines of YAML can stand for billions."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxdict = 3, 20, 20
        self.maxstring = self.maxlong = self.maxother = 80

    def repr_int(self, x: int, level: int) -> str:
        # Python does not write out integers of more digits.
        return super().repr_int(x, level) if x.bit_length() < 10_000 else "a number beyond 1e3000"


def shortened(value: Any, length: int = 60) -> str:
    """The repr of a value, cut to `length` characters."""
    text = _Abridged().repr(value)
    return text if len(text) <= length else text[: length - 3] + "..."
