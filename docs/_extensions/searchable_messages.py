"""The search finds each quoted message by its words, and leads to the place that explains it.

The search of Sphinx looks for pages that have all words, in any order: a message of common words is on many pages. An
index entry is compared as a whole. These entries are for the search alone: the index of names does not list them.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from docutils import nodes
from sphinx import addnodes

PAGES = {"howto/troubleshooting", "reference/messages"}
# The search accepts a query that is half as long as the entry. A single word must not match.
SHORTEST = 11


def setup(app: t.Any) -> dict[str, bool]:
    """Add the entries once a page is resolved, which is after the index of names was collected."""
    app.connect("doctree-resolved", index_messages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def index_messages(_: t.Any, doctree: nodes.document, name: str) -> None:
    """Give each message of the page an entry for each of its parts that do not differ."""
    if name not in PAGES:
        return
    for number, literal in enumerate(list(find_messages(doctree))):
        target = f"message-{number}"
        literal["ids"].append(target)
        entries = [("single", part, target, "main", None) for part in split_message(literal.astext())]
        literal.parent.insert(literal.parent.index(literal), addnodes.index(entries=entries))


def split_message(text: str) -> list[str]:
    """The parts that do not differ. A semicolon separates the parts of an index entry."""
    parts = [part.strip(" .,:()'") for part in re.split("[…;]", text)]
    return [part for part in parts if len(part) >= SHORTEST]


def find_messages(doctree: nodes.document) -> cabc.Iterator[nodes.literal]:
    """The literals in the first column of a table, and behind "Message:"."""
    for row in doctree.findall(nodes.row):
        yield from row[0].findall(nodes.literal)
    for paragraph in doctree.findall(nodes.paragraph):
        if paragraph.astext().startswith("Message:"):
            yield from paragraph.findall(nodes.literal)
