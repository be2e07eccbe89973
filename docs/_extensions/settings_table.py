"""The directive ``{settings-table}``: a summary of the settings on its page, one table per section."""

from __future__ import annotations

import pathlib
import re
import typing as t

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if t.TYPE_CHECKING:
    from sphinx.application import Sphinx

SECTION_OR_SETTING = re.compile(
    r"^## (?P<section>.+)$"
    r"|^```{confval} (?P<name>\w+)\n(?P<options>(?::\w+: .+\n)*)\n(?P<text>(?:.+\n)+)",
    re.MULTILINE,
)


def summarize(page: str) -> str:
    """The summary of a page's settings, in Markdown: name, first sentence and default."""
    lines: list[str] = []
    for match in SECTION_OR_SETTING.finditer(page):
        if match["section"]:
            section = match["section"]
            continue
        if section:
            lines += ["", f"**{section}**", "", "| Setting | Meaning |", "|---|---|"]
            section = ""
        # A full stop that a capital or the end follows: not that of "e.g." or of a number.
        sentence = re.split(r"(?<=\.)\s+(?=[A-Z`{])", match["text"].replace("\n", " ").strip())[0]
        default = re.search(r"^:default: (.+)$", match["options"], re.MULTILINE)
        lines.append(f"| {{confval}}`{match['name']}` | {sentence}{f' Default: {default[1]}.' if default else ''} |")
    return "\n".join(lines)


class SettingsTable(SphinxDirective):
    """Tables of the settings that the page describes below."""

    def run(self) -> list[nodes.Node]:
        """The nodes of the tables."""
        page = pathlib.Path(self.env.doc2path(self.env.docname)).read_text(encoding="utf-8")
        return [nodes.container("", *self.parse_text_to_nodes(summarize(page)), classes=["settings"])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive to Sphinx."""
    app.add_directive("settings-table", SettingsTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
