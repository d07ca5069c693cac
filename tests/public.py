"""Print the public interface, one line per part: python -m tests.public > tests/public.txt.

The interface consists of `ntkflow.api`, `ntkflow.estimators`, what the pages in docs/adding import
from the package, the keys of a configuration and the arrays of stores. Parameters and keys have
their default, or `required`.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, get_origin

from pydantic import BaseModel

from ntkflow import api, estimators
from ntkflow.configuration.study import study_model
from ntkflow.pages.stores import schemas
from tests.configuration.test_readme import default_cell, models
from tests.docs.pages import ADDING
from tests.docs.scripts import CODE


def public() -> list[str]:
    """Lines of the whole interface, in a fixed order."""
    return sorted({*_api(), *_for_extensions(), *_keys(), *_arrays()})


def _api() -> Iterator[str]:
    yield from _described("ntkflow.api", api)
    yield from _described("ntkflow.estimators", estimators)


def _for_extensions() -> Iterator[str]:
    """Names that your own measures and kinds of data import, by the examples."""
    for page in ADDING.glob("*.md"):
        code = "".join(CODE.findall(page.read_text(encoding="utf-8")))
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("ntkflow."):
                for name in (f"{node.module}.{alias.name}" for alias in node.names):
                    try:
                        part = resolve_name(name)
                    except AttributeError:  # of a module that the reader writes
                        continue
                    yield from _described(name, part)


def _described(name: str, part: Any) -> Iterator[str]:
    """Lines of a module, a class or a function with what is public in it; one of anything else."""
    yield name
    if inspect.ismodule(part):
        for key in getattr(part, "__all__", _functions(part)):
            yield from _described(f"{name}.{key}", getattr(part, key))
    elif inspect.isclass(part):
        yield from (f"{name}.{key}" for key in _members(part))
        if is_dataclass(part) or _is_ours(part.__init__):
            yield from _parameters(name, part)
    elif callable(part) and get_origin(part) is None:
        yield from _parameters(name, part)


def _functions(module: ModuleType) -> Iterator[str]:
    for name, value in vars(module).items():
        own = getattr(value, "__module__", "") == module.__name__
        if own and inspect.isfunction(value) and not name.startswith("_"):
            yield name


def _members(part: type) -> Iterator[str]:
    """Attributes, methods and properties that the package defines."""
    for owner in part.__mro__:
        if _is_ours(owner):
            names = {*vars(owner), *inspect.get_annotations(owner)} - vars(BaseModel).keys()
            yield from (name for name in names if not name.startswith("_"))


def _is_ours(part: Any) -> bool:
    return getattr(part, "__module__", "").startswith("ntkflow.")


def _parameters(name: str, function: Any) -> Iterator[str]:
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        place = "by name" if parameter.kind is parameter.KEYWORD_ONLY else f"{position}"
        default = f"default {re.sub(' at 0x.*', '', repr(parameter.default))}"
        missing = parameter.default is parameter.empty
        yield f"{name}({parameter.name}), {place}, {'required' if missing else default}"


def _keys() -> Iterator[str]:
    for model in set(models(study_model())):
        for name, field in model.model_fields.items():
            yield f"keys: {model.__name__}.{name}, {default_cell(field)}"


def _arrays() -> Iterator[str]:
    for schema in schemas():
        for name, entry in {**schema.variables, **schema.coordinates}.items():
            presence = "optional" if entry.optional else "always"
            yield f"store {schema.kind}: {name} ({', '.join(entry.dims)}), {presence}"


if __name__ == "__main__":
    sys.stdout.write("\n".join(public()) + "\n")
