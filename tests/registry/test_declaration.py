"""What the user declared in a model's ``Meta``, and how it is read."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask import ConfigurationError
from tests.support import models
from tests.support.settings import MakeApp


class TestDeclaredMeta:
    """The values of the class that the user wrote."""

    def test_a_wrong_declaration_is_refused_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A wrong value in the class is refused at the first use, by the name of the setting."""
        thread = models.declare_thread(db, max_retry_attempts="many")
        with make_app().app_context(), pytest.raises(ConfigurationError, match="Thread.Meta.max_retry_attempts"):
            thread._get_connection()

    def test_the_users_class_is_never_written_to(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Neither PynamoDB's defaults nor the app's settings are written into the user's class."""

        class Meta:
            table_name = "Thread"

        before = dict(vars(Meta))
        thread = models.declare_thread(db)
        topic = t.cast("t.Any", type(db.Model))("Topic", (thread,), {"Meta": Meta, "__module__": __name__})
        with make_app(region="us-east-1").app_context():
            topic.Meta.region = "eu-west-1"
        assert dict(vars(Meta)) == before

    def test_an_empty_string_in_the_class_is_unset(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """An empty string, as of an empty environment variable, counts as unset, as in PynamoDB."""
        thread = models.declare_thread(db, host="", region="", aws_session_token="")
        with make_app(region="us-east-1").app_context():
            assert (thread.Meta.region, thread.Meta.host) == ("us-east-1", None)

    def test_a_class_property_is_read_at_each_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A table name that Meta computes, as PynamoDB allows, is not cached."""

        class Computed(type):
            @property
            def table_name(cls) -> str:
                return f"Thread-{flask.g.tenant}"

        thread = models.declare_thread(db)
        computed = t.cast("t.Any", type(db.Model))(
            "Computed", (thread,), {"Meta": Computed("Meta", (), {}), "__module__": __name__}
        )
        with make_app(table_prefix="x-").app_context():
            for tenant in ("acme", "umbrella"):
                flask.g.tenant = tenant
                assert computed._get_connection().table_name == f"x-Thread-{tenant}"
