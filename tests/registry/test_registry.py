"""What one app owns: its binds, its models by name, and access to its connections and clients."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask import UnknownBind
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def registry_of(app: flask.Flask) -> dynaflask.Registry:
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry


class TestBinds:
    """``registry.binds``, and the connections and clients of each bind."""

    def test_the_binds_are_there_without_a_context(self, make_app: MakeApp) -> None:
        """The binds can be read without a context, the default bind first."""
        binds = registry_of(make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}})).binds
        assert [(key, bind.region) for key, bind in binds.items()] == [("default", "us-east-1"), ("eu", "eu-west-1")]

    def test_a_bind_has_one_connection_in_a_context(self, make_app: MakeApp) -> None:
        """In a context, the map, the getter and the default return one object for each bind."""
        app = make_app(binds={"eu": {}})
        registry = registry_of(app)
        with app.app_context():
            assert registry.connections["eu"] is registry.get_connection("eu")
            assert registry.connection is registry.get_connection() is registry.connections["default"]
            assert (list(registry.connections), len(registry.connections)) == (["default", "eu"], 2)
            assert "us" not in registry.connections

    def test_an_unknown_bind_lists_the_known(self, make_app: MakeApp) -> None:
        """The map and the getters raise the same error, which lists the binds of the app."""
        app = make_app(binds={"eu": {}})
        registry = registry_of(app)
        with app.app_context():
            for use in (registry.get_connection, registry.get_client, registry.connections.__getitem__):
                with pytest.raises(UnknownBind, match="use one of 'default', 'eu'"):
                    use("us")
            assert registry.connections.get("us") is None

    def test_connections_need_a_context_of_this_app(self, make_app: MakeApp) -> None:
        """A connection is refused without a context, and in the context of another app."""
        us, eu = make_app("us"), make_app("eu")
        for context in (None, eu.app_context()):
            if context:
                context.push()
            with pytest.raises(RuntimeError, match="the registry of the app 'us', used outside"):
                registry_of(us).connection  # noqa: B018
        eu.app_context()
        assert context is not None
        context.pop()

    def test_clients_need_no_context(self, make_app: MakeApp) -> None:
        """A client belongs to the app, and is the same in a context and outside."""
        app = make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
        registry = registry_of(app)
        assert registry.get_client("eu").meta.region_name == "eu-west-1"
        with app.app_context():
            assert registry.client is registry.get_client("default")

    def test_a_block_selects_the_client_of_its_bind(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """In a block, registry.client is the client of the block's bind."""
        app = make_app(region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
        with app.app_context(), db.using("eu", region="eu-north-1"):
            assert registry_of(app).client.meta.region_name == "eu-north-1"
            assert registry_of(app).get_client("default").meta.region_name == "us-east-1"

    def test_a_closed_registry_makes_new_clients(self, make_app: MakeApp) -> None:
        """close() may be called any number of times, and the next use makes a new client."""
        registry = registry_of(make_app(region="us-east-1", **KEYS))
        registry.get_client()
        registry.close()
        registry.close()
        assert registry.client.meta.region_name == "us-east-1"

    def test_two_apps_are_separate(self, make_app: MakeApp) -> None:
        """Binds and connections of one app are not those of another."""
        us, eu = make_app("us", region="us-west-2", binds={"x": {}}), make_app("eu", region="eu-west-1")
        assert "x" not in registry_of(eu).binds
        with us.app_context(), eu.app_context():
            assert registry_of(eu).connection.region == "eu-west-1"


class TestMeta:
    """``registry.meta(Model)``: a model's settings in an app."""

    def test_it_can_be_read_without_a_context(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """Outside of the app's contexts it shows the settings of the app."""
        us, eu = make_app("us", region="us-west-2", table_prefix="us-"), make_app("eu", region="eu-west-1")
        with eu.app_context():
            meta = registry_of(us).meta(thread_model)
        assert (meta.table_name, meta.region) == ("us-Thread", "us-west-2")

    def test_in_a_context_it_is_the_models_meta(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """In a context of the app it is Model.Meta itself."""
        app = make_app()
        with app.app_context():
            assert registry_of(app).meta(thread_model) is thread_model.Meta

    def test_outside_it_cannot_be_changed(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A change outside of a context is refused."""
        with pytest.raises(RuntimeError, match="outside of an application context"):
            registry_of(make_app()).meta(thread_model).region = "eu-west-1"


class TestTables:
    """``registry.tables``: tables that no model describes."""

    def test_the_table_prefix_is_added(self, make_app: MakeApp) -> None:
        """The table prefix is added to the name, as for a model."""
        app = make_app(table_prefix="test-")
        with app.app_context():
            tables = registry_of(app).tables
            assert tables["Audit"].table_name == "test-Audit"
            assert tables["Audit"] is tables["Audit"]
            assert (list(tables), repr(tables)) == (["Audit"], "<LazyMapping ['Audit']>")

    def test_a_computed_prefix_is_called_each_time(self, make_app: MakeApp) -> None:
        """A callable prefix is called at each look-up."""
        app = make_app(table_prefix=lambda name: f"{flask.g.tenant}-{name}")
        with app.app_context():
            names = []
            for flask.g.tenant in ("acme", "umbrella"):
                names.append(registry_of(app).tables["Audit"].table_name)
        assert names == ["acme-Audit", "umbrella-Audit"]

    def test_the_keys_are_described_once(self, make_app: MakeApp, recorder: recorders.Recorder) -> None:
        """The keys of a table without a model come from one DescribeTable."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context():
            for _ in range(2):
                registry_of(app).tables["Audit"].get_item("1")
        assert [request.operation for request in recorder.requests] == ["DescribeTable", "GetItem", "GetItem"]


def test_the_repr_names_the_app_and_its_binds(make_app: MakeApp) -> None:
    """The repr shows the app's name and the bind keys, and no setting."""
    app = make_app(region="us-east-1", binds={"eu": {**KEYS, "region": "eu-west-1", "host": "http://127.0.0.1:1"}})
    expected = "<Registry of 'app': default (us-east-1, AWS), eu (eu-west-1, http://127.0.0.1:1)>"
    assert repr(registry_of(app)) == expected
