"""What the user declared in a model's ``Meta``, and how it is read."""

from __future__ import annotations

import concurrent.futures
import threading
import time
import typing as t
from unittest import mock

import flask
import pytest

import dynaflask
from dynaflask import ConfigurationError
from dynaflask.registry.declaration import TableSchema
from dynaflask.registry.declaration import own_attribute
from tests.support import forks
from tests.support import models
from tests.support.settings import MakeApp


class TestDeclaredMeta:
    """The values of the class that the user wrote."""

    def test_a_wrong_declaration_is_refused_at_use(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A wrong value in the class is refused at the first use, by the name of the setting."""
        thread = models.declare_thread(db, max_retry_attempts="many")
        with make_app().app_context(), pytest.raises(ConfigurationError, match="Thread.Meta.max_retry_attempts"):
            thread._get_connection()

    @pytest.mark.parametrize(
        ("name", "meant"), [("bind", "bind_key"), ("regions", "region"), ("tenants", "tenant"), ("endpoint", "host")]
    )
    def test_a_misspelled_name_is_a_warning(self, db: dynaflask.Dynamo, name: str, meant: str) -> None:
        """It has no effect, so that the model would go somewhere else than the reader of the class thinks."""
        with pytest.warns(UserWarning, match=f"^Thread.Meta.{name} has no effect. Did you mean '{meant}'") as caught:
            models.declare_thread(db, **{name: "archive"})
        assert [warning.filename for warning in caught] == [models.__file__]

    def test_a_name_of_the_programs_own_is_no_warning(self, db: dynaflask.Dynamo) -> None:
        """A program may keep other values in ``Meta``."""
        thread = models.declare_thread(db, owner="forum", _bind="x", base_backoff_ms=25)
        assert thread.__declaration__.meta_class.owner == "forum"

    @pytest.mark.parametrize("table_name", ["my table", "a/b", "x" * 256, b"Thread"])
    def test_a_wrong_table_name_is_refused_as_soon_as_possible(
        self, make_app: MakeApp, db: dynaflask.Dynamo, table_name: t.Any
    ) -> None:
        """``init_app`` refuses it for a model that is declared by then, and the first use with the same message."""
        early = make_app("early")
        thread = models.declare_thread(db, table_name=table_name)
        with early.app_context(), pytest.raises(ConfigurationError) as at_use:
            thread._get_connection()
        late = flask.Flask("late")
        with pytest.raises(ConfigurationError, match="Thread.Meta.table_name must") as at_init:
            db.init_app(late)
        assert str(at_init.value) == str(at_use.value)
        assert not late.extensions
        # An app that does not have the model may be made.
        db.init_app(late, models=[])

    @pytest.mark.parametrize("table_name", [None, "", "arn:aws:dynamodb:eu-west-1:123456789012:table/a", "a"])
    def test_init_app_reads_nothing_else_of_a_declaration(
        self, make_app: MakeApp, db: dynaflask.Dynamo, table_name: t.Any
    ) -> None:
        """A missing name, an ARN and a short name pass, and other settings are read at the first use."""
        thread = models.declare_thread(db, table_name=table_name, max_retry_attempts="many")
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


class SlowList(list[t.Any]):
    """A list that lets another thread run after it was searched."""

    def __contains__(self, item: object) -> bool:
        is_present = super().__contains__(item)
        time.sleep(0.02)
        return is_present


class FakeModel:
    """A model with a schema."""

    def __init__(self, *names: str) -> None:
        self._keys = [{"AttributeName": name} for name in names]

    def _get_schema(self) -> dict[str, t.Any]:
        indexes: dict[str, t.Any] = {"global_secondary_indexes": [], "local_secondary_indexes": []}
        return {"key_schema": self._keys, "attribute_definitions": self._keys, **indexes}


class TestTableSchema:
    """The keys and indexes of the classes that share a table."""

    def test_threads_at_once_add_each_key_once(self) -> None:
        """Threads that use a table for the first time at once read each model once, and all see the whole schema."""
        schema, models_of_table = TableSchema(), [FakeModel("forum"), FakeModel("forum", "subject")]
        schema.keys, schema.attributes = SlowList(), SlowList()
        for model in models_of_table:
            schema.add(model)
        barrier = threading.Barrier(4)

        def read(_: int) -> list[str]:
            barrier.wait()
            return [key["AttributeName"] for key in schema.table_data("Thread")["KeySchema"]]

        with concurrent.futures.ThreadPoolExecutor(4) as executor:
            assert list(executor.map(read, range(4))) == [["forum", "subject"]] * 4
        assert [key["AttributeName"] for key in schema.attributes] == ["forum", "subject"]

    def test_a_child_of_a_fork_does_not_wait_for_a_thread_of_its_parent(self) -> None:
        """A fork while another thread reads the models leaves no lock behind."""
        schema, reading, forked = TableSchema(), threading.Event(), threading.Event()

        class Held(FakeModel):
            def _get_schema(self) -> dict[str, t.Any]:
                reading.set()
                forked.wait(2 * forks.SECONDS)
                return super()._get_schema()

        model = Held("forum")
        schema.add(model)
        thread = threading.Thread(target=schema.table_data, args=("Thread",))
        thread.start()
        assert reading.wait(10)

        def read() -> bool:
            forked.set()
            return bool(schema.table_data("Thread")["KeySchema"] == [{"AttributeName": "forum"}])

        exit_code = forks.exit_code_of(read)
        forked.set()
        thread.join()
        assert exit_code == 0


class Base:
    """Has a class method."""

    @classmethod
    def make(cls) -> Base:
        """A class method."""
        return cls()


class Child(Base):
    """Inherits the method."""


def test_an_own_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attribute is found as it stands in its class: a descriptor does not run."""
    original = vars(Base)["make"]
    assert own_attribute(Child, "make") is original
    for owner in (Base, Child):
        with mock.patch.object(owner, "make"):
            assert own_attribute(Child, "make") is not original
    assert own_attribute(Child, "make") is original
    monkeypatch.delattr(Base, "make")
    assert own_attribute(Child, "make") is None
