"""PynamoDB's connections on clients of the pool."""

from __future__ import annotations

import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pytest
from pynamodb.exceptions import GetError
from pynamodb.exceptions import TableDoesNotExist

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app, in a context, whose calls the recorder answers."""
    app = make_app(host=recorder.url, region="us-east-1", max_retry_attempts=0, table_prefix="test-", **KEYS)
    with app.app_context():
        yield app


@pytest.mark.usefixtures("app")
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

    def test_a_missing_table_is_pynamodbs_error(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """The call that describes a table which no model declares raises ``TableDoesNotExist``."""
        recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException", "message": "test-Audit"})
        with pytest.raises(TableDoesNotExist):
            db.tables["Audit"].get_item("key")

    def test_an_unreachable_server_is_pynamodbs_error(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """``GetError`` has the message of botocore's error."""
        with make_app(
            "dead", host="http://127.0.0.1:1", region="us-east-1", max_retry_attempts=0, **KEYS
        ).app_context():
            with pytest.raises(GetError, match="Could not connect to the endpoint URL"):
                thread_model.get("forum", "subject")

    def test_pynamodbs_signals_are_sent(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """``pre_dynamodb_send`` is sent if it has a receiver."""
        heard: list[tuple[str, str]] = []

        def hear(sender: t.Any, *, operation_name: str, table_name: str, **_: t.Any) -> None:
            heard.append((operation_name, table_name))

        with pynamodb.signals.pre_dynamodb_send.connected_to(hear):
            thread_model.get("forum", "subject")
        assert heard == [("GetItem", "test-Thread")]


@pytest.mark.usefixtures("app")
class TestPatches:
    """Tests patch PynamoDB's connection class, and see what they see without dynaflask."""

    KEY: t.ClassVar = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}

    def test_the_call(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """``_make_api_call`` gets the operation and its parameters, and its result is the response."""
        with mock.patch("pynamodb.connection.Connection._make_api_call") as call:
            call.return_value = {"Item": {**self.KEY, "views": {"N": "7"}}}
            assert thread_model.get("forum", "subject").views == 7
        name, params = call.call_args[0]
        assert (name, params["Key"]) == ("GetItem", self.KEY)
        assert call.call_args[1] == {}
        assert recorder.requests == []

    def test_the_call_with_its_connection(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A function in its place gets a connection whose ``client`` makes the call."""

        def call(connection: t.Any, name: str, params: dict[str, t.Any]) -> t.Any:
            return connection.client._make_api_call(name, {**params, "ConsistentRead": True})

        with mock.patch("pynamodb.connection.Connection._make_api_call", call):
            assert thread_model.get("forum", "subject").subject == "subject"
        assert recorder.requests[0].body["ConsistentRead"] is True

    def test_the_dispatch(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """``dispatch`` gets the operation and its parameters."""
        with mock.patch("pynamodb.connection.Connection.dispatch") as dispatch:
            dispatch.return_value = {"Item": {**self.KEY, "views": {"N": "7"}}}
            assert thread_model.get("forum", "subject").views == 7
        name, params = dispatch.call_args[0]
        assert (name, params["Key"]) == ("GetItem", self.KEY)
        assert recorder.requests == []

    @pytest.mark.parametrize("when", ["pre", "post"])
    def test_the_signals(self, thread_model: t.Any, when: str) -> None:
        """The methods that send the signals are called if they are patched."""
        with mock.patch(f"pynamodb.connection.Connection.send_{when}_boto_callback") as send:
            thread_model.get("forum", "subject")
        assert (send.call_args[0][0], send.call_args[0][2]) == ("GetItem", "test-Thread")


def test_two_apps_have_connections_of_their_own(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """A nested context has its own connection, and the outer one is not changed."""
    with make_app("us", region="us-west-2").app_context():
        outer = db.connection
        with make_app("eu", region="eu-west-1").app_context():
            assert (db.connection.region, outer.region) == ("eu-west-1", "us-west-2")
