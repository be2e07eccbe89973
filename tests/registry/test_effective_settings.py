"""What a model's settings are in one scope. Which value wins is tested in ``test_precedence.py``."""

from __future__ import annotations

import typing as t

import pytest

import dynaflask
from dynaflask.registry.effective_settings import EffectiveSettings
from tests.support import models
from tests.support.settings import MakeApp

ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/Thread"


def settings_of(app: t.Any, model: t.Any) -> EffectiveSettings:
    """The settings of a model in a new context of an app."""
    with app.app_context():
        return t.cast("EffectiveSettings", app.extensions["dynamo"].scope.resolve(model.__declaration__))


def test_each_app_has_its_values(make_app: MakeApp, thread_model: t.Any) -> None:
    """The values are those of the app's bind, with the real table name and with PynamoDB's defaults."""
    for name, region in (("one", "us-east-1"), ("two", "eu-west-1")):
        values = settings_of(make_app(name, region=region, table_prefix=f"{name}-"), thread_model).values
        assert (values["region"], values["table_name"], values["bind_key"]) == (region, f"{name}-Thread", "default")
        assert values["connect_timeout_seconds"] == 15
        assert "role_arn" not in values


def test_the_place_is_the_destination_and_the_name(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """Two models of an app have one place if they have one destination and one table name."""
    declared = [
        models.declare_thread(db),
        models.declare_thread(db, read_timeout_seconds=1),
        models.declare_thread(db, region="eu-west-1"),
        models.declare_thread(db, table_name="Reply"),
    ]
    app = make_app(region="us-east-1")
    first, *others = (settings_of(app, model) for model in declared)
    assert [first.place == other.place for other in others] == [True, False, False]


@pytest.mark.parametrize(
    ("other", "is_shared"),
    [
        ({"table_name": "Thread"}, True),
        ({"table_name": ARN}, True),
        ({"table_name": "Thread", "region": "us-east-1"}, False),
        ({"table_name": "Reply"}, False),
    ],
    ids=["the name", "the ARN", "another region", "another name"],
)
def test_models_that_may_share_a_table(
    make_app: MakeApp, db: dynaflask.Dynamo, other: dict[str, t.Any], is_shared: bool
) -> None:
    """Two models may share a table if their names and places may be the same, however both are written."""
    app = make_app(region="eu-west-1", role_arn="arn:aws:iam::111111111111:role/app")
    thread, second = (settings_of(app, models.declare_thread(db, **values)) for values in ({}, other))
    assert thread.may_share_table(second) is second.may_share_table(thread) is is_shared
