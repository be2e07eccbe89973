"""A link in a sentence names a page by the start of its title: "Workers", not "Workers: gunicorn, uWSGI and Celery"."""

from __future__ import annotations

import typing as t

from docutils import nodes


def setup(app: t.Any) -> dict[str, bool]:
    """Shorten the links of each page once they are resolved. The navigation has the whole titles."""
    app.connect("doctree-resolved", shorten_links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def shorten_links(app: t.Any, doctree: nodes.document, _: str) -> None:
    """Cut the title of a page after its first part, in links without a text of their own."""
    titles = {title.astext() for title in app.env.titles.values()}
    for link in doctree.findall(nodes.inline):
        if "doc" in link["classes"] and link.astext() in titles:
            link.children = [nodes.Text(link.astext().partition(": ")[0])]
