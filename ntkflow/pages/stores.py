"""Print docs/stores.md, the contents of each kind of store: python -m ntkflow.pages.stores."""

import sys
from collections.abc import Iterator
from importlib import import_module

from ntkflow.configuration.measures import find_measures
from ntkflow.measures.common.evidence import EVIDENCE
from ntkflow.stores.schema import SCHEMAS
from ntkflow.stores.variables import Schema

HEAD = """# Contents of the stores

Written by `make schema` from the schemas of the stores that measures read
([ntkflow/stores/schema.py](../ntkflow/stores/schema.py), which also explains the dimensions) and
those of measures (`measure.py` in each folder of [ntkflow/measures](../ntkflow/measures/)). Every
array has the attributes `long_name` and `units`, most have `symbol`. Optional arrays are in
italics. The attributes of a store record how it was computed, among them `job` (rule and
wildcards), `configuration` (a valid configuration: the seed, and the data set, network and
experiment), `precision`, `versions`, `code_revision` and `device`; and, if JAX was used,
`matrix_products` and `random_keys`.
"""


def schemas() -> Iterator[Schema]:
    """Schemas of all kinds of stores."""
    yield from SCHEMAS.values()
    yield from filter(None, _of_measures().values())
    yield EVIDENCE


def _of_measures() -> dict[str, Schema | None]:
    """Schema of each measure; None for one whose statistics are those of a claim."""
    names = [name for name, _ in find_measures([])]
    modules = {name: import_module(f"ntkflow.measures.{name}.measure") for name in names}
    return {name: getattr(module, "SCHEMA", None) for name, module in modules.items()}


def stores_page() -> str:
    """Return the page, in Markdown."""
    return "\n".join([HEAD, *map(_section, schemas())])


def _about(schema: Schema) -> str:
    if schema is not EVIDENCE:
        return f"{schema.title}."
    measures = [f"`{name}`" for name, own in _of_measures().items() if own is None]
    return f"{schema.title}. Written by {', '.join(measures)}."


def _section(schema: Schema) -> str:
    rows = ["| array | dimensions | meaning | units |", "| --- | --- | --- | --- |"]
    for name, entry in {**schema.variables, **schema.coordinates}.items():
        shown = f"*`{name}`*" if entry.optional else f"`{name}`"
        dims = ", ".join(entry.dims)
        rows.append(f"| {shown} | {dims} | {entry.long_name} | {entry.units} |")
    return f"## `{schema.kind}`\n\n{_about(schema)}\n\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(stores_page())
