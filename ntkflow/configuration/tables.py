"""Print docs/configuration.md, the tables of all keys: python -m ntkflow.configuration.tables.

Everything on the page comes from the models: keys, values, defaults and descriptions.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ntkflow.configuration.study import study_model
from ntkflow.datasets.config import INPUTS

Model = type[BaseModel]
Models = tuple[Model, ...]
Places = dict[Models, str]
Schema = Mapping[str, Any]

INTRODUCTION = """\
# Configuration keys

Written by `make schema` from the models in the code. [config/README.md](../config/README.md)
explains overlays and has examples.

A key with the default *required* must be given wherever its mapping is. Numbers have no unit unless
one is stated. Time is learning rate x steps, N is the number of training points, and eigenvalues
are those of Theta(X, X) / N. Names have at most 64 letters, digits and underscores, and do not
begin with an underscore. JGH is Jacot, Gabriel & Hongler (2018).
"""
HEAD = "| key | values | default | description |\n| --- | --- | --- | --- |"


def page() -> str:
    """Text of docs/configuration.md."""
    places: Places = {}
    _collect("", (study_model(),), places)
    sections = [_section(path, models, places) for models, path in places.items()]
    return "\n".join([INTRODUCTION, *sections])


def _collect(path: str, models: Models, places: Places) -> None:
    """Collect the path at which each choice of models is first met."""
    if models in places:
        return
    places[models] = path
    for model in models:
        for name, field in model.model_fields.items():
            for suffix, inner in _nested(field.annotation):
                _collect(f"{path}.{name}{suffix}".lstrip("."), inner, places)


def _nested(annotation: Any) -> list[tuple[str, Models]]:
    """Models in an annotation, as choices, by what follows the key in their path."""
    by_suffix: dict[str, list[Model]] = {}
    for suffix, model in _members(annotation):
        by_suffix.setdefault(suffix, []).append(model)
    return [(suffix, tuple(dict.fromkeys(models))) for suffix, models in by_suffix.items()]


def _members(annotation: Any) -> Iterator[tuple[str, Model]]:
    """Yield what follows the key in the path of a model, and the model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield "", annotation
    into = {dict: ".<name>", list: "[]"}.get(get_origin(annotation), "")
    for argument in get_args(annotation):
        for suffix, model in _members(argument):
            yield into + suffix, model


def _section(path: str, models: Models, places: Places) -> str:
    title = f"## `{path}`" if path else "## Top level"
    if len(models) == 1:
        (model,) = models
        return "\n\n".join([title, *_described(model), *_table(model, places)]) + "\n"
    key = _discriminator(models)
    rows = [_rows(model, places).values() for model in models]
    shared = [row for row in rows[0] if all(row in other for other in rows)]
    parts = [title, *([f"{HEAD}\n" + "\n".join(shared)] if shared else [])]
    for model in models:
        values = _literals(model, key) or [name for name, kind in INPUTS.items() if kind is model]
        named = " or ".join(f"`{key}: {value}`" for value in values) or model.__name__
        parts += [f"### {named}", *_described(model), *_table(model, places, shared, key)]
    return "\n\n".join(parts) + "\n"


def _literals(model: Model, key: str) -> list[Any]:
    field = model.model_fields.get(key)
    found = field.annotation if field else None
    return [*get_args(found)] if get_origin(found) is Literal else []


def _discriminator(models: Models) -> str:
    """Key whose value chooses between the models; empty if there is none."""
    for name in models[0].model_fields:
        values = [value for model in models for value in _literals(model, name)]
        everywhere = all(name in model.model_fields for model in models)
        if everywhere and len(values) >= 2 and len(set(values)) == len(values):
            return name
    return ""


def _described(model: Model) -> list[str]:
    """Paragraphs of the docstring and, for a measure that is a claim, the statement it tests."""
    paragraphs = (model.__doc__ or "").split("\n\n")
    if paper := getattr(model, "paper", ""):
        paragraphs.append(f"Tests JGH, {paper}: {getattr(model, 'statement', '')}")
    return [_escaped(" ".join(part.split())) for part in paragraphs if part.strip()]


def _table(model: Model, places: Places, without: Sequence[str] = (), key: str = "") -> list[str]:
    rows = _rows(model, places)
    kept = [row for name, row in rows.items() if row not in without and name != key]
    return [f"{HEAD}\n" + "\n".join(kept)] if kept else []


def _rows(model: Model, places: Places) -> dict[str, str]:
    schema, rows = model.model_json_schema(), {}
    for name, field in model.model_fields.items():
        values = _values(schema["properties"][name], schema.get("$defs", {}), field, places)
        cells = [f"`{name}`", values, _default(field), _escaped(field.description or "")]
        rows[name] = f"| {' | '.join(cells)} |"
    return rows


def _values(schema: Schema, definitions: Schema, field: FieldInfo, places: Places) -> str:
    first, *others = dict.fromkeys(_plain(schema, definitions))
    text = first + "".join(f"{', or' if ',' in first else ' or'} {other}" for other in others)
    for _, models in _nested(field.annotation):
        anchor = re.sub(r"[^\w-]", "", places[models].lower())
        link = rf"[\g<0>](#{anchor})"
        text = re.sub("mappings?", link, text, count=1)
    return text


def _plain(schema: Schema, definitions: Schema) -> Iterator[str]:
    """Each kind of value that a JSON schema allows."""
    if "$ref" in schema:
        schema = definitions[str(schema["$ref"]).rpartition("/")[2]]
    for key in ("anyOf", "oneOf"):
        for member in schema.get(key, ()):
            yield from _plain(member, definitions)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        yield ", ".join(f"`{_yaml(value)}`" for value in values)
        return
    match schema.get("type"):
        case "integer" | "number" as kind:
            yield kind + _bounds(schema)
        case "boolean":
            yield "`true`, `false`"
        case "null":
            yield "`null`"
        case "string":
            yield "text"
        case "array":
            items = " or ".join(dict.fromkeys(_plain(schema.get("items", {}), definitions)))
            items = re.sub(r"^(integer|number|mapping)", r"\1s", items).replace("s ", "s, each ", 1)
            least = f"{schema['minItems']} or more " if schema.get("minItems", 0) > 1 else ""
            yield f"list of {least}{items}"
        case "object":
            yield "mapping"


def _bounds(schema: Schema) -> str:
    """Range of a number, in words."""
    least, most = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if schema["type"] == "integer":
        least = above + 1 if above is not None else least
        most, below, above = (below - 1 if below is not None else most), None, None
    if least is not None and most is not None:
        return f" from {_number(least)} to {_number(most)}"
    limits = [(least, "at least"), (above, "above"), (most, "at most"), (below, "below")]
    named = [f"{word} {_number(limit)}" for limit, word in limits if limit is not None]
    return f" {', '.join(named)}" if named else ""


def _number(value: float) -> str:
    power = int(value).bit_length()
    if value >= 2**20 and value == 2 ** (power - 1):
        return f"2^{power - 1}"
    if value >= 2**20 and value == 2**power - 1:
        return f"2^{power} - 1"
    return f"{value:,}" if value >= 10_000 else f"{value:g}"


def _default(field: FieldInfo) -> str:
    """Default as YAML."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return f"`{_yaml(value.model_dump() if isinstance(value, BaseModel) else value)}`"


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
