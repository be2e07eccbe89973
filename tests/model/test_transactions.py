"""Transactions go to the destination of their models, and cannot mix two."""

from __future__ import annotations

import typing as t

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TransactWriteError

import dynaflask
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
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
