"""Files inside a page, as data URIs."""

import base64
import re
from typing import Any

LARGEST_SVG = 300_000  # bytes; a larger figure is shown as PNG
PIXELS_PER_POINT = 1.75  # scale of a figure for print on a screen


def image(name: str, svg: bytes, png: bytes) -> dict[str, Any]:
    """Source and width of a figure as an image, so that identifiers of SVGs do not clash."""
    size = re.search(rb'<svg[^>]*? width="([\d.]+)pt"', svg)
    if size is None:
        raise ValueError(f"the figure of {name}: found no width in points in its SVG")
    small = len(svg) <= LARGEST_SVG
    kind, content = ("image/svg+xml", svg) if small else ("image/png", png)
    return {"source": data_uri(kind, content), "width": round(float(size[1]) * PIXELS_PER_POINT)}


def data_uri(kind: str, content: bytes) -> str:
    """Content as the address of an image or a download."""
    return f"data:{kind};base64,{encoded(content)}"


def encoded(content: bytes) -> str:
    """Content in base64, as text."""
    return base64.b64encode(content).decode()
