"""Copy the figures that gallery.md shows from results/figures, those that are there.

In 64 colours, which the eye does not tell from the original: a quarter of the bytes for everyone
who clones the repository.
"""

import re
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
RESULTS = DOCS.parent / "results" / "figures"
COLOURS = 64


def shown() -> list[str]:
    """Names of the figures in the gallery."""
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    return re.findall(r"^!\[[^]]*\]\(figures/([^)]+)\)$", page, flags=re.MULTILINE)


def copy(source: Path, target: Path) -> None:
    """Copy a PNG, in few colours."""
    with Image.open(source) as figure:
        few = figure.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(target, optimize=True)


if __name__ == "__main__":
    for name in shown():
        there = (RESULTS / name).is_file()
        if there:
            copy(RESULTS / name, DOCS / "figures" / name)
        print(name, "copied" if there else "left as it is: not in results/figures")
