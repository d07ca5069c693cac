"""Settings of the documentation site: `make docs` builds it from the pages of this repository.

The source folder is the repository itself, so that links between pages, README.md and source files
work there and on the site.
"""

import hashlib
import inspect
import re
import sys
from dataclasses import is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
from docutils import nodes
from latex2mathml.converter import convert
from numpy.typing import ArrayLike
from pygments.lexers import TextLexer
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

import ntkflow
from ntkflow import api

ROOT = Path(__file__).parents[1]
ARRAY_LIKE = type("ArrayLike", (), {"__module__": "numpy.typing"})
"""Short name for NumPy's long union `ArrayLike`."""
LINK = re.compile(r"\[([^]]+)\]\(([^)#]+)\.md\)")

project = "ntkflow"
html_title = f"{project} {ntkflow.__version__}"
root_doc = "docs/README"
include_patterns = ["*.md", "benchmarks/*.md", "config/*.md", "docs/**.md"]
exclude_patterns = [".*", "build", "results"]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
]
myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 6
highlight_language = "none"  # of blocks that name none: commands and what they print
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True

default_role = "py:obj"  # names between backquotes in docstrings
autodoc_default_options = {
    "members": True,
    "inherited-members": True,
    "special-members": "__call__",
}
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
maximum_signature_line_length = 90

html_theme = "furo"
html_show_copyright = False
pygments_dark_style = "github-dark"
toc_object_entries_show_parents = "hide"
html_math_renderer = "mathml"
html_static_path = ["site"]
html_css_files = ["site.css"]


class Diagram(SphinxDirective):
    """A mermaid diagram, as the image that `make diagrams` has drawn of it."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        file = diagram("\n".join(self.content))
        if not file.is_file():
            raise self.error("no image of this diagram: run `make diagrams`")
        return [nodes.image(uri=f"/{file.relative_to(ROOT)}", alt="diagram")]


def diagram(text: str) -> Path:
    """File of the image of a diagram, whose name changes with its text."""
    digest = hashlib.sha256(text.strip().encode()).hexdigest()
    return ROOT / "docs" / "diagrams" / f"{digest[:12]}.svg"


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    """Append the table of contents: the links of each section of the first page."""
    if page == root_doc:
        for section in source[0].split("\n## ")[1:]:
            title, _, text = section.partition("\n")
            entries = "\n".join(f"{name} <{path}>" for name, path in LINK.findall(text))
            if entries:
                source[0] += f"\n\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{entries}\n```\n"


def plain_folders(app: Sphinx, document: nodes.document) -> None:
    """Keep only the text of links to folders of the repository, which the site does not have."""
    page = ROOT / app.env.docname
    for link in [*document.findall(addnodes.pending_xref)]:
        if link["reftype"] == "myst" and (page.parent / link["reftarget"]).is_dir():
            link.replace_self(link.children)


def simple_types(app: Sphinx, part: Any, bound_method: bool) -> None:
    """Replace the types of a function by those that its page shows."""
    if part.__name__ != "__init__":
        hints = {name: simple(hint) for name, hint in get_type_hints(part).items()}
        inspect.unwrap(part).__annotations__ = part.__annotations__ = hints


def simple(hint: Any) -> Any:
    """Type without shapes, element types and other parts that only type checkers use."""
    if isinstance(hint, list):  # parameters of a function
        return [*map(simple, hint)]
    if hasattr(hint, "array_type"):  # of jaxtyping
        return simple(hint.array_type)
    origin, parts = get_origin(hint), get_args(hint)
    if origin is np.ndarray:
        return np.ndarray
    if origin in (Union, UnionType):
        origin = Union
        if {*get_args(ArrayLike)} <= {*parts}:
            parts = (ARRAY_LIKE, *(part for part in parts if part not in get_args(ArrayLike)))
    return origin[tuple(map(simple, parts))] if parts else hint


def hide_fields(
    app: Sphinx, kind: str, name: str, part: Any, options: Any, signature: str, returns: str
) -> tuple[str, None] | None:
    """Hide the signature of classes that only the package creates."""
    return ("", None) if is_dataclass(part) or hasattr(part, "_fields") else None


def skip_inherited(app: Sphinx, kind: str, name: str, part: Any, skip: bool, _: Any) -> bool | None:
    """Leave out methods that other packages define."""
    inherited = callable(part) and not str(getattr(part, "__module__", "")).startswith(project)
    return True if inherited else None


def write_math(translator: HTML5Translator, node: nodes.Element) -> None:
    """Write a formula in MathML, which browsers show without a script."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    translator.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def redirect(app: Sphinx, error: Exception | None) -> None:
    """Redirect index.html to the first page."""
    target = f'<meta http-equiv="refresh" content="0; url={root_doc}.html">'
    Path(app.outdir, "index.html").write_text(target, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register the parts above."""
    for name in api.__all__:
        part = getattr(api, name)
        if inspect.ismodule(part):
            sys.modules[f"{api.__name__}.{name}"] = part  # for automodule
        elif inspect.isclass(part):
            part.__name__ = part.__qualname__ = name
    app.add_directive("mermaid", Diagram)
    app.add_lexer("csv", TextLexer)
    app.add_html_math_renderer("mathml", (write_math, None), (write_math, None))
    # Chromium lets no page read others from disk, which the excerpts in search results need.
    app.add_js_file(
        None,
        body="if (location.protocol === 'file:') DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false",
    )
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", plain_folders)
    app.connect("autodoc-before-process-signature", simple_types)
    app.connect("autodoc-process-signature", hide_fields)
    app.connect("autodoc-skip-member", skip_inherited)
    app.connect("build-finished", redirect)
