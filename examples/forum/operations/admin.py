"""Pages for operators, at /admin: the threads of a site, to list, create, edit and delete."""

from __future__ import annotations

import typing as t

from flask import Flask
from flask_admin import Admin
from flask_admin import AdminIndexView
from flask_admin.theme import Bootstrap4Theme

from dynaflask.integrations.flask_admin import ModelView
from examples.forum.models import Thread
from examples.forum.operators import is_operator


class OperatorsOnly:
    """Refuses all requests but those of operators."""

    def is_accessible(self) -> bool:
        """True for an operator."""
        return is_operator() is True

    def inaccessible_callback(self, name: str, **_: t.Any) -> t.Any:
        """The response to everybody else."""
        return is_operator()


class StartView(OperatorsOnly, AdminIndexView):  # type: ignore[misc]  # Flask-Admin comes without types
    """The first page."""


class ThreadView(OperatorsOnly, ModelView):
    """The threads of the current tenant."""

    can_view_details = True


def add_to(app: Flask) -> None:
    """Add the pages to a site."""
    theme = Bootstrap4Theme(base_template="operators.html")
    admin = Admin(app, name=app.config["FORUM_TITLE"], theme=theme, index_view=StartView())
    admin.add_view(ThreadView(Thread))
