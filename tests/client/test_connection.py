"""PynamoDB's connections on clients of the pool."""

from __future__ import annotations

import typing as t

import pynamodb.connection
import pytest

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import MakeApp


@pytest.mark.usefixtures("app_in_context")
class TestConnection:
    """``db.connection`` has PynamoDB's interface."""

    def test_it_is_a_pynamodb_connection(self, db: dynaflask.Dynamo) -> None:
        """Connections and table connections are instances of PynamoDB's classes."""
        assert isinstance(db.connection, pynamodb.connection.Connection)
        assert isinstance(db.tables["Audit"], pynamodb.connection.TableConnection)

    def test_its_repr_makes_no_client(self, db: dynaflask.Dynamo) -> None:
        """The repr shows the bind. PynamoDB's own would make a client."""
        assert repr(db.connection).startswith("<Connection 'default' region='us-east-1' host='http://127.0.0.1:")
        assert repr(db.tables["Audit"]).startswith("<TableConnection 'test-Audit' on <Connection 'default'")

    def test_it_has_the_binds_values(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """Region, host and bind are attributes."""
        connection = db.connection
        assert (connection.region, connection.host, connection.bind) == ("us-east-1", recorder.url, db.binds["default"])

    def test_pynamodbs_signals_are_sent(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """``pre_dynamodb_send`` is sent if it has a receiver."""
        heard: list[tuple[str, str]] = []

        def hear(sender: t.Any, *, operation_name: str, table_name: str, **_: t.Any) -> None:
            heard.append((operation_name, table_name))

        with pynamodb.signals.pre_dynamodb_send.connected_to(hear):
            thread_model.get("forum", "subject")
        assert heard == [("GetItem", "test-Thread")]


def test_two_apps_have_connections_of_their_own(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """A nested context has its own connection, and the outer one is not changed."""
    with make_app("us", region="us-west-2").app_context():
        outer = db.connection
        with make_app("eu", region="eu-west-1").app_context():
            assert (db.connection.region, outer.region) == ("eu-west-1", "us-west-2")
