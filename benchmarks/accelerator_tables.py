"""Rows of the benchmark of accelerators: their files, and their tables in Markdown."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.limiting_tables import header, line

RESULTS, TABLE = "results.json", "table.md"
TIMES = (
    *("computation", "size", "precision", "s", "compile s", "GFLOP", "GFLOP/s"),
    *("of product", "of shape", "peak GB"),
)
AGREEMENTS = ("computation", "size", "precision", "compared", "error", "tolerance", "passes")
Row = dict[str, Any]


def write_json(file: Path, content: Mapping[str, Any] | Sequence[Row]) -> None:
    """Write a JSON file, complete or not at all."""
    unfinished = file.with_name(f".{file.name}")
    unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, file)


def read_row(file: Path) -> Row | None:
    """Row in a file; None if there is no such file.

    Raises ValueError if the file is not one of this benchmark.
    """
    if not file.exists():
        return None
    try:
        row = json.loads(file.read_text(encoding="utf-8"))
        if {"piece", "order", "head"} <= row.keys():
            return row
    except (ValueError, AttributeError):
        pass
    raise ValueError(f"{file}: expected a row of this benchmark; move the file elsewhere")


def read_rows(folder: Path) -> list[Row]:
    """All rows in a folder, in the order of the plan."""
    files = [file for file in sorted(folder.glob("*.json")) if file.name != RESULTS]
    rows = [row for file in files if (row := read_row(file)) is not None]
    return sorted(rows, key=lambda row: row["order"])


def failed(row: Row) -> bool:
    """Return True if a row ended in an error or disagrees with the CPU."""
    return "error" in row or ("agreement" in row and not row["agreement"]["passes"])


def measured(row: Row) -> bool:
    """Return True if a row has numbers, neither an error nor a reason why it was left out."""
    return "seconds" in row


def write_report(folder: Path) -> str:
    """Tables of all rows in a folder, also written to it, with the rows in one JSON file."""
    rows = read_rows(folder)
    text = tables(rows)
    write_json(folder / RESULTS, rows)
    (folder / TABLE).write_text(text, encoding="utf-8")
    return text


def tables(rows: Sequence[Row]) -> str:
    """Circumstances, times, agreements and remarks, in Markdown."""
    numbers = [row for row in rows if measured(row)]
    parts = ["\n".join(dict.fromkeys(circumstances(row["head"]) for row in rows))]
    if numbers:
        parts += [_table(TIMES, map(_times, numbers)), _table(AGREEMENTS, map(_agreement, numbers))]
    parts.append("\n".join(f"- {_name(row)}: {remark}" for row in rows if (remark := _remark(row))))
    return "\n\n".join(part for part in parts if part) + "\n"


def circumstances(head: Mapping[str, Any]) -> str:
    """One sentence on device, versions and settings."""
    versions = [f"{name} {number}" for name, number in head["versions"].items()]
    rest = [f"{name} {head[name]}" for name in ("driver", "backend", "commit") if head[name]]
    precision = head["settings"]["jax_default_matmul_precision"]
    listed = ", ".join([f"{head['cores']} CPU cores", *versions, *rest, head["date"][:10]])
    quick = "Toy sizes. " if head["quick"] else ""
    flags = f"; XLA_FLAGS: {flags}" if (flags := head["settings"]["XLA_FLAGS"]) else ""
    return f"{quick}{head['device_kind']}, {listed}. Products are in precision {precision}{flags}."


def _table(columns: Sequence[str], rows: Any) -> str:
    return "\n".join([header(columns), *(line(cells, columns) for cells in rows)])


def _times(row: Row) -> list[str]:
    peak = "-" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e9:.3g}"
    bound = "<= " if peak != "-" and not row["peak_is_exact"] else ""
    cells = [f"{row['seconds']:.3g}", f"{row['compile_seconds']:.2g}"]
    cells += [f"{row['operations'] / 1e9:.4g}", f"{row['flops'] / 1e9:.4g}"]
    cells += [f"{row['of_product']:.0%}", f"{row['of_shape']:.0%}", bound + peak]
    return [row["group"], row["size"], row["precision"], *cells]


def _agreement(row: Row) -> list[str]:
    compared = row["agreement"]
    cells = [compared["compared"], f"{compared['error']:.1e}", f"{compared['tolerance']:.0e}"]
    passes = "yes" if compared["passes"] else "NO"
    return [row["group"], row["size"], row["precision"], *cells, passes]


def _name(row: Row) -> str:
    return f"{row['group']}, {row['size']}, {row['precision']}"


def _remark(row: Row) -> str:
    if "error" in row:
        return f"FAILED: {row['error']}"
    if "left_out" in row:
        return f"left out: {row['left_out']}"
    return str(row["note"])
