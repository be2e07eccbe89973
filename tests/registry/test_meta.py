"""``Model.Meta`` as a scope sees it."""

from __future__ import annotations

import collections
import contextlib
import copy
import threading
import typing as t

import pytest
from werkzeug.datastructures import ImmutableDict
from werkzeug.local import LocalProxy

import dynaflask
from dynaflask import ConfigurationError
from tests.support import models
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class Owner:
    """An object of a program."""

    def __init__(self, team: str) -> None:
        self.team = team

    def __repr__(self) -> str:
        return f"Owner({self.team!r})"


class TestMeta:
    """``Model.Meta`` inside a context, and outside."""

    def test_model_and_instance_agree(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """instance.Meta and Model.Meta are one object."""
        with make_app().app_context():
            assert thread_model("forum", "subject").Meta is thread_model.Meta

    def test_a_wrong_value_is_refused_where_it_is_set(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A wrong value is refused where it is set, by the name of the setting."""
        with make_app().app_context(), pytest.raises(ConfigurationError, match="Thread.Meta.host must be a URL"):
            thread_model.Meta.host = "localhost"

    def test_a_setting_without_a_value_is_missing(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A setting without a value is no attribute: PynamoDB tests with hasattr if Meta has a capacity."""
        with make_app().app_context():
            assert not hasattr(thread_model.Meta, "read_capacity_units")
        with make_app("provisioned", read_capacity_units=3).app_context():
            assert thread_model.Meta.read_capacity_units == 3

    def test_other_attributes_of_the_class_can_be_read(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Meta has all other attributes of the class, and further ones can be set for this context."""
        thread = models.declare_thread(db, owner="forum team")
        with make_app().app_context():
            thread.Meta.reviewed = None
            assert (thread.Meta.owner, thread.Meta.reviewed, thread.Meta.__name__) == ("forum team", None, "Meta")
            assert {"owner", "reviewed", "table_name"} <= set(dir(thread.Meta))
        assert not hasattr(thread.Meta, "reviewed")

    @pytest.mark.parametrize("is_in_context", [True, False])
    @pytest.mark.parametrize(
        ("value", "change"),
        [
            (collections.deque([1]), lambda value: value.append(2)),
            (({"team": "forum"},), lambda value: value[0].update(team="other")),
            ({"team": ["forum"]}, lambda value: value["team"].append("other")),
            (Owner("forum"), lambda value: setattr(value, "team", "other")),
            ((1, frozenset({Owner("forum")})), lambda value: setattr(next(iter(value[1])), "team", "other")),
            (ImmutableDict(team=["forum"]), lambda value: value["team"].append("other")),
        ],
        ids=["deque", "tuple", "nested", "object", "frozenset", "immutable dict"],
    )
    def test_any_value_that_can_be_changed_is_a_copy(
        self, make_app: MakeApp, db: dynaflask.Dynamo, value: t.Any, change: t.Any, *, is_in_context: bool
    ) -> None:
        """What one app changes inside of a value of Meta, no other app sees, and the class does not have."""
        before = repr(value)
        thread = models.declare_thread(db, notes=value)
        with make_app("one").app_context() if is_in_context else contextlib.nullcontext():
            change(thread.Meta.notes)
            assert (repr(thread.Meta.notes) == before) is not is_in_context
        with make_app("two").app_context():
            assert repr(thread.Meta.notes) == before
        assert repr(value) == before

    @pytest.mark.parametrize(
        "value",
        ["forum", ("a", frozenset({1})), ImmutableDict(a=1), Owner, max, threading.Lock(), LocalProxy(list)],
        ids=["str", "tuple", "immutable dict", "class", "function", "lock", "proxy"],
    )
    def test_other_values_are_the_declared_ones(self, make_app: MakeApp, db: dynaflask.Dynamo, value: t.Any) -> None:
        """A value that nothing can change, that stands for another, or that cannot be copied, is shared."""
        thread = models.declare_thread(db, notes=value)
        with make_app().app_context():
            assert thread.Meta.notes is value

    def test_extra_headers_are_read_only(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """Headers cannot be changed in place, because other contexts may share their client."""
        with make_app(extra_headers={"X-Team": "forum"}).app_context():
            with pytest.raises(TypeError, match="immutable"):
                thread_model.Meta.extra_headers["X-Team"] = "other"

    def test_it_can_be_read_outside_of_a_context(self, thread_model: t.Any) -> None:
        """Outside of a context Meta has the declared values over PynamoDB's defaults."""
        meta = thread_model.Meta
        assert (meta.table_name, meta.region, meta.max_retry_attempts) == ("Thread", None, 3)

    def test_it_cannot_be_changed_outside_of_a_context(self, thread_model: t.Any) -> None:
        """A change outside of a context is refused, because it would change every app."""
        with pytest.raises(RuntimeError, match="Thread.Meta.region was set outside of an application context"):
            thread_model.Meta.region = "eu-west-1"
        with pytest.raises(AttributeError):
            del thread_model.Meta.region

    def test_it_is_inherited_as_declared(self, make_app: MakeApp, thread_model: t.Any, db: dynaflask.Dynamo) -> None:
        """class Meta(Base.Meta) inherits the declared values, and nothing of the context that it stands in."""
        with make_app(region="us-east-1").app_context():
            thread_model.Meta.billing_mode = "PROVISIONED"

            class Topic(thread_model):  # type: ignore[misc]
                class Meta(thread_model.Meta):  # type: ignore[misc]
                    table_name = "Topic"

        with make_app("eu", region="eu-west-1").app_context():
            assert (Topic.Meta.table_name, Topic.Meta.region, Topic.Meta.billing_mode) == (
                "Topic",
                "eu-west-1",
                "PAY_PER_REQUEST",
            )

    def test_it_can_be_copied(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A copy of Meta reads from the same scope."""
        with make_app().app_context():
            for copied in (copy.copy(thread_model.Meta), copy.deepcopy(thread_model.Meta)):
                assert copied.table_name == "Thread"

    def test_the_repr_shows_no_secret(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The reprs of Meta and of its settings name the model or the table, and no key."""
        with make_app(**KEYS).app_context() as context:
            assert repr(thread_model.Meta).startswith("<Meta of tests.support.models.declare_thread.")
            resolved = context.app.extensions["dynamo"].resolve(thread_model.__declaration__)
            assert repr(resolved) == "<EffectiveSettings 'Thread' on <Bind 'default' region=None host=None>>"
