"""What the connections to a table have in common is computed once for each app, model and destination."""

from __future__ import annotations

import contextlib
import gc
import typing as t
import weakref
from unittest import mock

import flask
import pynamodb.connection
import pytest
from pynamodb.connection.base import MetaTable

import dynaflask
from dynaflask.client.connection_template import OWN_ATTRIBUTES
from dynaflask.client.connection_template import can_be_kept
from dynaflask.registry.context import existing_scope
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.settings import bind


class TestConnectionTemplate:
    """Each connection has those of its own destination."""

    @pytest.fixture
    def apps(self, make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
        """Two apps, each with a tenant that has another region."""
        return [
            make_app(
                region,
                host=recorder.url,
                region=region,
                tenants={"blue": {"region": f"{region}-blue"}, "green": {}},
                max_retry_attempts=retries,
                **KEYS,
            )
            for region, retries in (("us-west-2", 1), ("eu-west-1", 2))
        ]

    @staticmethod
    def attributes_of(connection: t.Any) -> dict[str, t.Any]:
        """What PynamoDB's ``__init__`` sets, as the connection has it."""
        names = vars(pynamodb.connection.Connection()).keys() - OWN_ATTRIBUTES
        return {name: getattr(connection, name) for name in names}

    def test_each_context_has_those_of_its_destination(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """They are what ``__init__`` sets, in each context of two apps and two tenants, and after a change of Meta."""
        for _ in range(2):
            for app, retries in zip(apps, (1, 2), strict=True):
                expected = {"max_retry_attempts": retries, "host": app.config["DYNAMODB_HOST"]}
                keys = {name: KEYS[name] for name in ("aws_access_key_id", "aws_secret_access_key")}
                with app.app_context():
                    for block, region in (
                        (contextlib.nullcontext(), app.name),
                        (db.tenant("blue"), f"{app.name}-blue"),
                    ):
                        with block:
                            connection = thread_model._get_connection().connection
                        theirs = pynamodb.connection.Connection(region=region, **expected, **keys)
                        assert self.attributes_of(connection) == self.attributes_of(theirs)
                    thread_model.Meta.region = "ap-south-1"
                    assert thread_model._get_connection().connection.region == "ap-south-1"

    def test_each_connection_has_its_own_tables(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """A table that one context describes is not known in the next."""
        for _ in range(2):
            with apps[0].app_context():
                connection = thread_model._get_connection().connection
                assert list(connection._tables) == ["Thread"]
                connection.add_meta_table(MetaTable({"TableName": "Audit"}))

    def test_a_patched_init_runs(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """A test may patch PynamoDB's ``__init__`` at any time."""
        init, regions = pynamodb.connection.Connection.__init__, []

        def patched(connection: t.Any, **options: t.Any) -> None:
            regions.append(options["region"])
            init(connection, **options)

        for app in apps:
            with app.app_context():
                thread_model._get_connection()
            with app.app_context(), mock.patch.object(pynamodb.connection.Connection, "__init__", patched):
                thread_model._get_connection()
        assert regions == ["us-west-2", "eu-west-1"]

    def test_an_unknown_attribute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If a release of PynamoDB makes another object for each connection, no connection gets that of another one."""
        init = pynamodb.connection.Connection.__init__

        def newer(connection: t.Any, **options: t.Any) -> None:
            init(connection, **options)
            connection.cache = {}

        assert can_be_kept(bind(region="eu-west-1"))
        monkeypatch.setattr(pynamodb.connection.Connection, "__init__", newer)
        assert not can_be_kept(bind(region="eu-west-1"))

    def test_it_keeps_no_context(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """It lives as long as the app, and a scope as long as its context: also the one that it was made in."""
        scopes = []
        for app in apps * 2:
            with app.app_context():
                connection = thread_model._get_connection().connection
                scopes.append(weakref.ref(connection._owner))
                assert connection._owner is existing_scope()
            del connection
        gc.collect()
        assert [scope() for scope in scopes] == [None] * 4

    def test_a_change_of_one_connection_stays_there(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """What the program sets on a connection is not on those of the next context, nor of the other app."""
        for app in apps * 2:
            with app.app_context():
                connection = thread_model._get_connection().connection
                assert connection.region == app.name
                connection.region, connection.send_post_boto_callback = "changed", mock.Mock()

    def test_the_tables_of_a_bind_have_their_attributes_in_common(
        self, apps: list[flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """An app has many models. Each connection still has the table, the model, the app and the tenant of its own."""
        board, audit = (
            type(name, (thread_model,), {"Meta": type("Meta", (), {"table_name": name})}) for name in ("Board", "Audit")
        )
        for _ in range(2):
            for app in apps:
                for tenant in (None, "green", "blue", None, "green"):
                    block = contextlib.nullcontext() if tenant is None else db.tenant(tenant)
                    with app.app_context(), block:
                        for model, name in ((board, "Board"), (audit, "Audit")):
                            connection = model._get_connection().connection
                            assert list(connection._tables) == [name]
                            source = connection._source
                            assert (source.app_name, source.model, source.tenant) == (app.name, name, tenant)
                            assert (connection._model, connection.tenant) == (name, tenant)
        registries = [app.extensions["dynamo"] for app in apps]
        kept = [
            [registry.resolve(model.__declaration__).template for model in (board, audit)] for registry in registries
        ]
        assert all(first._common is second._common for first, second in kept)
        assert kept[0][0]._common is not kept[1][0]._common

    def test_a_tracer_is_seen_by_the_next_context(self, apps: list[flask.Flask], thread_model: t.Any) -> None:
        """An app may get its first tracer after its first context. The other app has none."""
        heard: list[str] = []

        class Tracer:
            modules: t.ClassVar = frozenset[str]()
            silence = staticmethod(contextlib.nullcontext)

            def start(self) -> None:
                """Called before the call."""

            def finish(self, _: None, call: t.Any) -> None:
                """Called after it."""
                heard.append(call.source.app_name)

        for app in apps:
            with app.app_context():
                thread_model.get("forum", "subject")
        recorder = apps[0].extensions["dynamo"].recorder
        recorder.tracing = recorder.tracing.replace(Tracer, Tracer())
        for app in apps:
            with app.app_context():
                thread_model.get("forum", "subject")
        assert heard == ["us-west-2"]
