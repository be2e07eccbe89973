"""Transactions go to the destination of their models, and cannot mix two."""

from __future__ import annotations

import copy
import json
import pickle
import typing as t
import unittest.mock

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection import Connection as PynamoConnection
from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactGet as PynamoGet
from pynamodb.transactions import TransactWrite as PynamoWrite

import dynaflask
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app with three binds, whose context is pushed."""
    settings = {"host": recorder.url, "aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    app = make_app(
        region="us-west-2", binds={"eu": {"region": "eu-west-1"}, "slow": {"read_timeout_seconds": 60}}, **settings
    )
    with app.app_context():
        yield app


@pytest.mark.usefixtures("app")
class TestOneDestination:
    """The first model sets the destination, and each further model must have the same."""

    def test_it_goes_to_the_bind_of_its_models(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """A transaction of models on another bind than the default goes to that bind."""
        thread = models.declare_thread(db, bind_key="eu")
        with db.transact_write(client_request_token="once") as transaction:
            transaction.save(thread("forum", "saved"))
            transaction.delete(thread("forum", "deleted"))
            transaction.update(thread("forum", "updated"), actions=[thread.views.add(1)])
            transaction.condition_check(thread, "forum", "checked", condition=thread.views.exists())
        with db.transact_get() as transaction_get:
            future = transaction_get.get(thread, "forum", "saved")
        assert future.get().subject == "saved"
        assert [request.region for request in recorder.requests] == ["eu-west-1", "eu-west-1"]
        assert recorder.requests[0].body["ClientRequestToken"] == "once"

    def test_a_model_of_another_destination_is_refused(self, db: dynaflask.Dynamo) -> None:
        """The error names both models and both binds, and nothing is sent."""
        here, there = models.declare_thread(db), models.declare_thread(db, bind_key="eu")
        with pytest.raises(ValueError, match="Thread is on <Bind 'default' .*, and Thread on <Bind 'eu'"):
            with db.transact_write() as transaction:
                transaction.save(here("forum", "here"))
                transaction.save(there("forum", "there"))

    @pytest.mark.parametrize("method", ["condition_check", "delete", "save", "update"])
    def test_the_line_that_adds_the_model_raises(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, method: str
    ) -> None:
        """Every method that adds an operation raises; the operations before it are sent if the program goes on."""
        here, there = models.declare_thread(db), models.declare_thread(db, bind_key="eu")
        arguments: dict[str, tuple[t.Any, ...]] = {
            "condition_check": (there, "forum", "there", there.views.exists()),
            "update": (there("forum", "there"), [there.views.set(1)]),
        }
        with db.transact_write() as transaction:
            transaction.save(here("forum", "here"))
            with pytest.raises(ValueError, match="<Bind 'eu' .*>. They differ in region."):
                getattr(transaction, method)(*arguments.get(method, (there("forum", "there"),)))
        (request,) = recorder.requests
        assert (request.region, len(request.body["TransactItems"])) == ("us-west-2", 1)

    def test_a_read_of_another_destination_is_refused_too(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """The error for a read names the settings in which the binds differ, and shows no secret."""
        thread = models.declare_thread(db)
        with pytest.raises(ValueError, match="They differ in aws_access_key_id, aws_secret_access_key.") as caught:
            with db.transact_get() as transaction:
                transaction.get(thread, "forum", "one")
                with db.using(aws_access_key_id="OTHER", aws_secret_access_key="whisper"):
                    transaction.get(thread, "forum", "two")
        assert not any(secret in str(caught.value) for secret in ("OTHER", "whisper", "AKIA", "hush"))
        assert recorder.requests == []

    def test_two_factories_are_two_destinations(self, db: dynaflask.Dynamo) -> None:
        """Two client factories count as two destinations."""
        one, other = (models.declare_thread(db, client_factory=staticmethod(factory)) for factory in (min, max))
        with pytest.raises(ValueError, match="A transaction goes to one destination"):
            with db.transact_write() as transaction:
                transaction.save(one("forum", "one"))
                transaction.save(other("forum", "other"))

    def test_two_binds_of_one_factory_are_two_destinations(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A factory gets the bind, and may choose the client by its key: its binds cannot be mixed."""
        app = make_app(client_factory=lambda bind: bind.key, binds={"eu": {}})
        here, there = models.declare_thread(db), models.declare_thread(db, bind_key="eu")
        with (
            app.app_context(),
            pytest.raises(ValueError, match="They differ in the bind, by which DYNAMODB_CLIENT_FACTORY"),
        ):
            with db.transact_write() as transaction:
                transaction.save(here("forum", "here"))
                transaction.save(there("forum", "there"))

    def test_two_binds_of_one_destination_may_be_mixed(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """Binds that differ in a timeout alone have the same destination."""
        with db.transact_get() as transaction:
            for bind_key in ("default", "slow"):
                transaction.get(models.declare_thread(db, bind_key=bind_key), "forum", bind_key)
        assert len(recorder.requests[0].body["TransactItems"]) == 2

    def test_a_model_that_is_not_registered_is_refused(self, db: dynaflask.Dynamo) -> None:
        """A model without ``db.register`` raises a TypeError that names the fix."""

        class Legacy(pynamodb.models.Model):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        with pytest.raises(TypeError, match="Legacy is not a model of this app. Pass it to db.register"):
            with db.transact_get() as transaction:
                transaction.get(Legacy, "key")


def test_each_app_sends_its_own_transaction(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """A transaction goes to the current app's destination."""
    for region in ("us-west-2", "eu-west-1"):
        keys = {"aws_access_key_id": region, "aws_secret_access_key": "hush"}
        with make_app(region, host=recorder.url, region=region, **keys).app_context():
            with db.transact_get() as transaction:
                transaction.get(thread_model, "forum", "subject")
    assert [request.access_key_id for request in recorder.requests] == ["us-west-2", "eu-west-1"]


@pytest.mark.parametrize("size", [0, 101])
def test_a_transaction_of_a_wrong_size_says_why(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, size: int
) -> None:
    """The error has DynamoDB's reason: a transaction has 1 to 100 items. Nothing is written."""
    thread = models.declare_thread(db)
    with make_app(
        host=ministack.url, region="us-east-1", aws_access_key_id=account.access_key_id, aws_secret_access_key="any"
    ).app_context():
        db.create_all(wait=True)
        with pytest.raises(TransactWriteError, match=r"Failed to write transaction items: .*\(ValidationException\)"):
            with db.transact_write() as transaction:
                for number in range(size):
                    transaction.save(thread("forum", str(number)))
        assert thread.count("forum") == 0
        db.drop_all()


@pytest.mark.usefixtures("app")
class TestForeignConnections:
    """PynamoDB's own transactions refuse a connection that is not to the place of a model, and send nothing."""

    @pytest.mark.parametrize("method", ["condition_check", "delete", "save", "update"])
    def test_another_tenants_connection_is_refused(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, method: str
    ) -> None:
        """A connection that was taken for one tenant does not write for another; the error names both."""
        with db.tenant("a"):
            connection = db.connection
        with db.tenant("b"):
            with pytest.raises(dynaflask.TenantMismatch, match="the connection is of 'a', and Thread is used for 'b'"):
                with PynamoWrite(connection=connection) as transaction:
                    add(transaction, method, thread_model)
        assert recorder.requests == []

    def test_a_read_over_another_tenants_connection_is_refused(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A connection that was taken for one tenant does not read for another."""
        with db.tenant("a"):
            connection = db.connection
        with db.tenant("b"), pytest.raises(dynaflask.TenantMismatch, match="'a'.*'b'"):
            with PynamoGet(connection=connection) as transaction:
                transaction.get(thread_model, "forum", "subject")
        assert recorder.requests == []

    def test_a_connection_without_a_tenant_is_refused(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A connection from before any tenant does not write a tenant's item to the default place."""
        connection = db.connection
        with db.tenant("b"), pytest.raises(dynaflask.TenantMismatch, match="is of no tenant, and Thread is used for"):
            with PynamoWrite(connection=connection) as transaction:
                transaction.save(thread_model("forum", "subject"))
        assert recorder.requests == []

    def test_another_binds_connection_is_refused(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """The connection of the default bind does not write a model of another bind; the error names both."""
        thread = models.declare_thread(db, bind_key="eu")
        with pytest.raises(ValueError, match="the connection is on <Bind 'default' .*, and Thread on <Bind 'eu'"):
            with PynamoWrite(connection=db.connection) as transaction:
                transaction.save(thread("forum", "subject"))
        assert recorder.requests == []

    def test_another_apps_connection_is_refused(
        self, db: dynaflask.Dynamo, thread_model: t.Any, make_app: MakeApp, recorder: recorders.Recorder
    ) -> None:
        """The connection of one app does not write in a context of another; the error names both apps."""
        connection = db.connection
        with make_app("other", host=recorder.url, region="eu-west-1", **KEYS).app_context():
            with pytest.raises(RuntimeError, match="is of a context of 'app', and Thread is used in .* of 'other'"):
                with PynamoWrite(connection=connection) as transaction:
                    transaction.save(thread_model("forum", "subject"))
        assert recorder.requests == []

    def test_a_transaction_does_not_continue_in_another_app(
        self, db: dynaflask.Dynamo, thread_model: t.Any, make_app: MakeApp, recorder: recorders.Recorder
    ) -> None:
        """``db.transact_write`` refuses a model that is added in a context of another app, where it is added."""
        transaction = db.transact_write()
        transaction.save(thread_model("forum", "one"))
        with make_app("other", host=recorder.url, region="us-west-2", **KEYS).app_context():
            with pytest.raises(RuntimeError, match="Thread is of a context of 'app', and Thread is used in another"):
                transaction.save(thread_model("forum", "two"))
        assert recorder.requests == []

    @pytest.mark.parametrize("method", ["condition_check", "delete", "save", "update"])
    def test_a_foreign_connection_is_refused(
        self, thread_model: t.Any, recorder: recorders.Recorder, method: str
    ) -> None:
        """A connection of PynamoDB itself cannot send a model of an app; the error names the model's place."""
        connection = PynamoConnection(region="us-east-1", host=recorder.url, **KEYS)
        with pytest.raises(RuntimeError, match="operation of Thread is for <Connection 'default' region='us-west-2'"):
            with PynamoWrite(connection=connection) as transaction:
                add(transaction, method, thread_model)
        with pytest.raises(RuntimeError, match="operation of Thread is for <Connection 'default' region='us-west-2'"):
            with PynamoGet(connection=connection) as transaction_get:
                transaction_get.get(thread_model, "forum", "subject")
        assert recorder.requests == []

    def test_a_connection_of_the_same_place_is_accepted(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """PynamoDB's transactions work with the connection of the models' context, tenant and bind."""
        with db.tenant("a"):
            with PynamoWrite(connection=db.connection, client_request_token="once") as transaction:
                for method in ("condition_check", "delete", "save", "update"):
                    add(transaction, method, thread_model)
            with PynamoGet(connection=db.connection) as transaction_get:
                future = transaction_get.get(thread_model, "forum", "subject")
        assert future.get().subject == "subject"
        written, read = (request.body["TransactItems"] for request in recorder.requests)
        assert [[*item] for item in written] == [["ConditionCheck"], ["Delete"], ["Put"], ["Update"]]
        assert read == [
            {"Get": {"TableName": "Thread", "Key": {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}}}
        ]

    def test_plain_parameters_are_sent(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """Parameters that no model made are sent as they are: the program chose the connection for them."""
        item = {"TableName": "Other", "Key": {"id": {"S": "1"}}}
        db.connection.transact_get_items([item])
        assert recorder.requests[0].body["TransactItems"] == [{"Get": item}]

    @pytest.mark.parametrize(
        "read",
        [
            pytest.param(dict, id="dict"),
            pytest.param(list, id="list"),
            pytest.param(copy.copy, id="copy"),
            pytest.param(pickle.dumps, id="pickle"),
            pytest.param(json.dumps, id="json"),
            pytest.param(lambda item: item["TableName"], id="subscript"),
            pytest.param(lambda item: item.get("TableName"), id="get"),
            pytest.param(lambda item: {**item}, id="unpacking"),
            pytest.param(lambda item: item | {}, id="or"),
            pytest.param(lambda item: {} | item, id="ror"),
            pytest.param(lambda item: item.pop("TableName"), id="pop"),
        ],
    )
    def test_the_parameters_cannot_be_read(self, thread_model: t.Any, read: t.Any) -> None:
        """Nothing but a connection to its place reads the operation of a model."""
        with pytest.raises(RuntimeError, match="Make the transaction with"):
            read(thread_model.get_operation_kwargs_from_class("forum", "subject"))

    def test_the_parameters_can_be_compared_and_extended(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """An override may add a parameter, and a test may compare with a dict."""
        item = thread_model.get_operation_kwargs_from_class("forum", "subject")
        plain = {"TableName": "Thread", "Key": {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}}
        assert item == plain
        item["ProjectionExpression"] = "subject"
        db.connection.transact_get_items([item])
        assert recorder.requests[0].body["TransactItems"] == [{"Get": {**plain, "ProjectionExpression": "subject"}}]

    def test_a_connection_of_the_programs_own_is_left_alone(self, thread_model: t.Any) -> None:
        """If the program puts another connection in place of the model's, its parameters are PynamoDB's."""
        with unittest.mock.patch.object(thread_model, "_get_connection") as get_connection:
            get_connection.return_value.get_operation_kwargs.return_value = {"TableName": "Mine"}
            assert dict(thread_model.get_operation_kwargs_from_class("forum")) == {"TableName": "Mine"}


def add(transaction: t.Any, method: str, thread: t.Any) -> None:
    """Add one operation of a model to a transaction."""
    arguments: dict[str, tuple[t.Any, ...]] = {
        "condition_check": (thread, "forum", "checked", thread.views.exists()),
        "update": (thread("forum", "updated"), [thread.views.set(1)]),
    }
    getattr(transaction, method)(*arguments.get(method, (thread("forum", method),)))


@pytest.mark.usefixtures("app")
def test_an_empty_transaction_is_sent_as_pynamodb_sends_it(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """A transaction without a model goes to the default bind."""
    with db.transact_write():
        pass
    assert [(request.region, request.body["TransactItems"]) for request in recorder.requests] == [("us-west-2", [])]
