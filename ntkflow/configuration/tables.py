"""Print docs/configuration.md, the tables of all keys: python -m ntkflow.configuration.tables.

Everything on the page comes from the JSON schema: keys, values, defaults and descriptions.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from ntkflow.configuration.study import study_model

Schema = Mapping[str, Any]
Choice = tuple[str, ...]
"""Names of the models that a mapping may have; the whole configuration is named "Study"."""

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
    return "\n".join([INTRODUCTION, *(_section(path, names) for names, path in _places().items())])


@cache
def _models() -> dict[str, Schema]:
    """JSON schemas of all models by name."""
    schema = study_model().model_json_schema()
    return {"Study": schema, **schema["$defs"]}


def _name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


@cache
def _places() -> dict[Choice, str]:
    """Path at which each choice of models is first met."""
    places: dict[Choice, str] = {}

    def collect(path: str, names: Choice) -> None:
        if names in places:
            return
        places[names] = path
        for name in names:
            for key, field in _models()[name]["properties"].items():
                for suffix, inner in _nested(field).items():
                    collect(f"{path}.{key}{suffix}".lstrip("."), inner)

    collect("", ("Study",))
    return places


def _nested(field: Schema) -> dict[str, Choice]:
    """Choices of models in a field, by what follows its key in their path."""
    names: dict[str, Choice] = {}
    for suffix, name in _references(field):
        names[suffix] = tuple(dict.fromkeys([*names.get(suffix, ()), name]))
    return names


def _references(schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield what follows the key in the path of a model, and the model's name."""
    if "$ref" in schema:
        yield "", _name(schema)
    members = [(member, "") for key in ("anyOf", "oneOf") for member in schema.get(key, ())]
    members += [(named, ".<name>") for named in schema.get("patternProperties", {}).values()]
    members += [(schema["items"], "[]")] if "items" in schema else []
    for member, into in members:
        yield from ((into + suffix, name) for suffix, name in _references(member))


def _section(path: str, names: Choice) -> str:
    models = [_models()[name] for name in names]
    rows = [_rows(model) for model in models]
    key, shared = "", []
    parts = [f"## `{path}`" if path else "## Top level"]
    if len(models) > 1:
        fields = models[0]["properties"].items()
        key = next((name for name, field in fields if "const" in field), "")
        shared = [row for row in rows[0].values() if all(row in each.values() for each in rows)]
        parts += _table(shared)
    for model, each in zip(models, rows, strict=True):
        if key:
            parts.append(f"### `{key}: {model['properties'][key].get('const', 'module:function')}`")
        elif len(models) > 1:  # told by their keys
            parts.append(f"### {model['title'].capitalize()}")
        parts += [_escaped(" ".join(text.split())) for text in model["description"].split("\n\n")]
        parts += _table(row for name, row in each.items() if row not in shared and name != key)
    return "\n\n".join(parts) + "\n"


def _table(rows: Iterable[str]) -> list[str]:
    text = "\n".join(rows)
    return [f"{HEAD}\n{text}"] if text else []


def _rows(model: Schema) -> dict[str, str]:
    rows = {}
    for name, field in model["properties"].items():
        default = f"`{_yaml(field['default'])}`" if "default" in field else "required"
        cells = [f"`{name}`", _values(field), default, _escaped(field.get("description", ""))]
        rows[name] = f"| {' | '.join(cells)} |"
    return rows


def _values(field: Schema) -> str:
    first, *others = dict.fromkeys(_plain(field))
    text = first + "".join(f"{', or' if ',' in first else ' or'} {other}" for other in others)
    for names in _nested(field).values():
        anchor = re.sub(r"[^\w-]", "", _places()[names].lower())
        text = re.sub("mappings?", rf"[\g<0>](#{anchor})", text, count=1)
    return text


def _plain(schema: Schema) -> Iterator[str]:
    """Each kind of value that a JSON schema allows."""
    if "$ref" in schema:
        schema = _models()[_name(schema)]
    for key in ("anyOf", "oneOf"):
        for member in schema.get(key, ()):
            yield from _plain(member)
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
            items = " or ".join(dict.fromkeys(_plain(schema.get("items", {}))))
            items = re.sub("^(list|integer|number|mapping)", r"\1s", items)
            items = re.sub("^(integers|numbers|mappings) ", r"\1, each ", items)
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


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000)
    return text.removesuffix("...\n").strip()


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")


if __name__ == "__main__":
    sys.stdout.write(page())
