"""Prints docs/stores.md, the page of what each store holds: python -m ntkflow.stores."""

import sys
from collections.abc import Mapping

from ntkflow.stores.schema import SCHEMAS, Schema, Variable

__all__ = ["stores_page"]

HEAD = """# What each store holds

Written by `make schema` from [ntkflow/stores/schema.py](../ntkflow/stores/schema.py), which also
explains the dimensions. Every array carries `long_name` and `units`, most a `symbol` too. Optional
ones are in italics. The attributes of a store tell how it came to be, among them `job` (rule and
wildcards), `configuration` (a valid configuration of its own: the seed, and the data set, network
and experiment concerned), `precision`, `versions`, `code_revision` and `device`; where JAX has
computed, `matrix_products` and `random_keys`.
"""


def stores_page() -> str:
    """The page, in Markdown."""
    return "\n".join([HEAD, *(_section(kind, schema) for kind, schema in SCHEMAS.items())])


def _section(kind: str, schema: Schema) -> str:
    rows = ["| array | dimensions | meaning | units |", "| --- | --- | --- | --- |"]
    rows += [*_rows(schema.variables), *_rows(schema.coordinates)]
    return f"## `{kind}`\n\n{schema.title}.\n\n" + "\n".join(rows) + "\n"


def _rows(variables: Mapping[str, Variable]) -> list[str]:
    return [
        f"| {f'*`{name}`*' if entry.optional else f'`{name}`'} | {', '.join(entry.dims)} "
        f"| {entry.long_name} | {entry.units} |"
        for name, entry in variables.items()
    ]


if __name__ == "__main__":
    sys.stdout.write(stores_page())
