"""Tolerance of each array of a product, from the schema of its store."""

from importlib import import_module

from ntkflow.measures.common.evidence import EVIDENCE
from ntkflow.stores.schema import SCHEMAS
from ntkflow.stores.tolerances import EXACT, TRAINED, Tolerance
from ntkflow.stores.variables import Schema

# Text of figures and pages, which may change without a difference in results.
WORDING = ("title", "x_label", "y_label", "label", "look", "statement", "paper")


def schema(kind: str) -> Schema | None:
    """Schema of a kind of store, those of measures included; None if there is no such kind."""
    if kind in SCHEMAS:
        return SCHEMAS[kind]
    if kind == EVIDENCE.kind:
        return EVIDENCE
    try:
        found: Schema = import_module(f"ntkflow.measures.{kind}.measure").SCHEMA
    except (ModuleNotFoundError, AttributeError):
        return None
    return found


def tolerance(kind: str, name: str, precision: str, dtype: str) -> Tolerance:
    """Tolerance of an array in a product of this kind; integers and booleans must be equal."""
    if not dtype.startswith("float"):
        return EXACT
    if kind == "table":
        return TRAINED
    found = schema(kind)
    return EXACT if found is None else found.tolerance_of(name, precision)
