"""Settings of the documentation. Its pages are the Markdown files of the whole repository, each where it belongs."""

from __future__ import annotations

import re
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]

project = "DaskJob operator"
copyright = "the authors; Apache License 2.0"
release = re.search(r'__version__ = "(.*)"', (ROOT / "operator/daskjob/__init__.py").read_text())[1]  # type: ignore[index]
extensions = ["myst_parser", "sphinx.ext.autodoc"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "charts/*/*.md",
    "docs/*.md",
    "examples/*/*.md",
    "jobs/*.md",
    "jobs/*/*.md",
    "tests/*.md",
    "tests/*/README.md",
]
exclude_patterns = [".*", "build", "operator", "crds"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# Types of others, and of our own that no page describes.
nitpick_ignore_regex = [("py:.*", ".*")]
html_theme = "furo"
html_title = f"{project} {release}"


def _folders(app: Sphinx, page: str, source: list[str]) -> None:
    """Leads a link to a folder to its README, as a repository's browser does."""
    here = (ROOT / page).parent

    def readme(link: re.Match[str]) -> str:
        return f"]({link[1]}/README.md)" if (here / link[1] / "README.md").is_file() else link[0]

    source[0] = re.sub(r"\]\(([^)#:\s]+)\)", readme, source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _folders)
    # Sphinx shows these diagrams as text; a repository's browser draws them.
    app.add_lexer("mermaid", TextLexer)
