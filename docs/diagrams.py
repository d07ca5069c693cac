"""Draw the mermaid diagrams of the pages as images of the site; needs the network.

GitHub draws them itself. The site loads no external scripts, so it shows these images.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

from docs.conf import ROOT, diagram

MERMAID = ("tool", "run", "--from", "mermaidx==0.10.1", "mermaidx")
OPTIONS = ("--theme", "neutral", "--background", "white", "--quiet")
CONFIG = {"htmlLabels": False, "flowchart": {"htmlLabels": False, "wrappingWidth": 400}}
"""Labels as SVG text: HTML labels overflow their boxes if the reader's fonts are wider."""
BLOCK = re.compile(r"^```mermaid\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


def diagrams() -> Iterator[str]:
    """Texts of the diagrams of all pages."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        yield from BLOCK.findall(page.read_text(encoding="utf-8"))


def draw(text: str) -> None:
    """Write the image of a diagram."""
    front = f"---\nconfig: {json.dumps(CONFIG)}\n---\n"
    command = [sys.executable, "-m", "uv", *MERMAID, *OPTIONS]
    command += ["--input", "-", "--output", str(diagram(text))]
    subprocess.run(command, input=front + text, text=True, check=True)


if __name__ == "__main__":
    for old in diagram("").parent.glob("*.svg"):
        old.unlink()
    for text in diagrams():
        draw(text)
