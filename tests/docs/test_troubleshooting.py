"""Messages that docs/troubleshooting.md quotes are those of the code."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^> ([\w ]+): (`+)(.+)\2$", PAGE, flags=re.MULTILINE)
PACKAGES = {
    "ntkflow": "ntkflow",
    "Snakemake": "snakemake",
    "Matplotlib": "matplotlib",
    "Slurm plugin": "snakemake_executor_plugin_slurm",
}
ELSEWHERE = {"shell", "Python", "XLA", "Slurm"}  # not to be found as they are in a source here


def flattened(node: ast.AST) -> str | None:
    """The text of a string or an f-string, with … for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%s|\{\w*\}", "…", node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(flattened(part) or "…" for part in node.values)
    if isinstance(node, ast.BinOp):
        return (flattened(node.left) or "…") + (flattened(node.right) or "…")
    return None


def strings(files: Iterator[Path]) -> Iterator[str]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_bytes())):
            if text := flattened(node):
                yield text


def text_of_rules(file: Path) -> str:
    """The text of a rules file, its adjacent literals joined, with … for what is filled in."""
    joined = re.sub(r'"\s*\n\s*f?"', "", file.read_text(encoding="utf-8"))
    return re.sub(r"\{[^{}\n]*\}", "…", joined)


@cache
def said_by(origin: str) -> str:
    """All that a program may say."""
    if origin == "make":
        joined = re.sub(r'" \\\n\s*"', " ", (REPOSITORY / "Makefile").read_text(encoding="utf-8"))
        return re.sub(r"\$\(\w+\)", "…", joined)
    folder = Path(find_spec(PACKAGES[origin]).origin).parent
    said = "\n".join(strings(folder.rglob("*.py") if origin == "ntkflow" else folder.glob("*.py")))
    if origin == "ntkflow":
        said += "".join(map(text_of_rules, (REPOSITORY / "workflow" / "rules").glob("*.smk")))
    return said


def test_page_quotes_messages():
    assert len(QUOTED) > 20
    assert {origin for origin, _, _ in QUOTED} <= {"make", *PACKAGES, *ELSEWHERE}
    assert len(QUOTED) == PAGE.count("\n> ")


@pytest.mark.parametrize(
    ("origin", "message"),
    [(origin, message) for origin, _, message in QUOTED if origin not in ELSEWHERE],
)
def test_message_is_one_of_the_code(origin, message):
    parts = [re.escape(part) for part in message.split("…")]
    assert re.search(r"[^\n]*".join(parts), said_by(origin))
