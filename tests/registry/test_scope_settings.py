"""The changes of a scope: they are of one context alone, and go with it."""

from __future__ import annotations

import typing as t

import flask
import pytest
import werkzeug.test

import dynaflask
from dynaflask import ConfigurationError
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import MakeApp


class TestChanges:
    """What a context sets on ``Model.Meta``."""

    def test_a_change_is_seen_by_its_context_alone(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A change has no effect in the next context of the app, or in another app."""
        app = make_app()
        with app.app_context():
            thread_model.Meta.table_name = "Mine"
            with make_app("other").app_context():
                assert thread_model.Meta.table_name == "Thread"
            assert thread_model.Meta.table_name == "Mine"
        with app.app_context():
            assert thread_model.Meta.table_name == "Thread"

    def test_a_change_can_be_taken_back(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """del Meta.region restores the value before the change; a second del is an AttributeError."""
        with make_app(region="us-east-1").app_context():
            thread_model.Meta.region = "eu-west-1"
            del thread_model.Meta.region
            assert thread_model.Meta.region == "us-east-1"
            with pytest.raises(AttributeError, match="has not set Thread.Meta.region"):
                del thread_model.Meta.region

    def test_a_mutable_value_is_a_copy_of_this_context(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A list or dict changed in place changes for this context alone, and not in the class."""
        declared = {"team": "forum"}
        thread = models.declare_thread(db, tags=declared, notes=[])
        with make_app().app_context():
            thread.Meta.tags["team"] = "other"
            thread.Meta.notes.append("seen")
            assert (thread.Meta.tags, thread.Meta.notes) == ({"team": "other"}, ["seen"])
            with db.using(region="eu-west-1"):
                thread.Meta.notes.append("in the block")
            assert thread.Meta.notes == ["seen"]
        assert (declared, thread.Meta.tags, thread.Meta.notes) == ({"team": "forum"}, {"team": "forum"}, [])

    def test_a_streamed_response_keeps_the_views_changes(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The view's changes of Meta have effect in the stream, though its context is torn down and pushed again."""

        @app.get("/")
        def count() -> t.Any:
            thread_model.Meta.table_name = "Mine"
            return flask.Response(flask.stream_with_context(str(thread_model.count(forum)) for forum in "ab"))

        assert werkzeug.test.Client(app).get("/").text == "00"
        assert [request.body["TableName"] for request in recorder.requests] == ["Mine", "Mine"]

    def test_a_context_cannot_take_a_model_from_its_tenants(self, app: flask.Flask, thread_model: t.Any) -> None:
        """``Meta.tenant`` is declared in the class alone."""
        with app.app_context(), pytest.raises(ConfigurationError, match="Thread.Meta.tenant is declared in the class"):
            thread_model.Meta.tenant = False

    def test_a_change_in_a_tenants_block_is_of_that_block(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Neither another tenant's block nor a second block of the tenant sees it."""
        regions = []
        with make_app(region="us-east-1", tenants={"acme": {}, "globex": {}}).app_context():
            for name in ("acme", "globex", "acme"):
                with db.tenant(name):
                    regions.append(thread_model.Meta.region)
                    thread_model.Meta.region = f"of-{name}"
        assert regions == ["us-east-1"] * 3


def test_a_log_line_names_what_is_known(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """The tenant and the bind of a block, of each of two apps, are read without a call of the loader."""
    db.tenant_loader(lambda: pytest.fail("the loader was called"))
    for name in ("one", "two"):
        app = make_app(name, tenants={"acme": {"bind_key": "eu"}}, binds={"eu": {}, "us": {}})
        with app.app_context():
            scopes = [app.extensions["dynamo"].scope]
            with db.using("us"):
                scopes.append(app.extensions["dynamo"].scope)
            with db.tenant("acme"):
                scopes.append(app.extensions["dynamo"].scope)
        assert [scope.log_fields() for scope in scopes] == [(None, "default"), (None, "us"), ("acme", "eu")]
