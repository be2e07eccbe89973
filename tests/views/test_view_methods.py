"""What views read, as methods of ``db``, as in Flask-SQLAlchemy."""

from __future__ import annotations

import typing as t

import flask
import pytest
from werkzeug.exceptions import NotFound

import dynaflask
from tests.support import engines
from tests.support import models


@pytest.fixture
def apps(ministack: engines.Engine, db: dynaflask.Dynamo) -> list[flask.Flask]:
    """Two apps with accounts of their own."""
    apps = [flask.Flask("one"), flask.Flask("two")]
    for app in apps:
        app.config.from_mapping(ministack.settings(engines.Account()))
        db.init_app(app)
    return apps


def test_a_look_up_of_the_extension_reads_the_current_app(db: dynaflask.Dynamo, apps: list[flask.Flask]) -> None:
    """Each app gets its own items, or its own 404, with every option of the model's method."""
    thread = models.declare_thread(db)
    for app, views in zip(apps, (1, 2), strict=True):
        with app.app_context():
            db.create_all(wait=True)
            thread("flask", "hello", views=views).save()
    for app, views in zip(apps, (1, 2), strict=True):
        with app.app_context():
            assert db.get_or_404(thread, "flask", "hello", consistent_read=True).views == views
            first = db.first_or_404(thread, "flask", thread.subject > "a", thread.views == views, page_size=3)
            assert first.subject == "hello"
            assert db.one_or_404(thread, filter_condition=thread.views == views, rate_limit=100).subject == "hello"
            for look_up, keys in ((db.get_or_404, ("flask", "z")), (db.first_or_404, ("z",)), (db.one_or_404, ("z",))):
                with pytest.raises(NotFound, match="There is none"):
                    t.cast("t.Any", look_up)(thread, *keys, description="There is none.")
