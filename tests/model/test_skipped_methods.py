"""Which methods the fast path skips, and whether they are PynamoDB's and ours."""

from __future__ import annotations

import typing as t
from unittest import mock

import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.client.connection import Connection
from dynaflask.client.table_connection import TableConnection
from dynaflask.model.base import Model
from dynaflask.model.fast_paths import FastPathMixin
from dynaflask.model.skipped_methods import CALLS
from dynaflask.model.skipped_methods import STEPS
from dynaflask.model.skipped_methods import SkippedMethods


def steps(operation: str) -> SkippedMethods:
    """The steps of one operation, as they are now."""
    return SkippedMethods(Model, operation, mixin=FastPathMixin)


@pytest.mark.parametrize("operation", STEPS)
def test_all_names_exist(operation: str) -> None:
    """A name that PynamoDB no longer has would hide a patch of what takes its place."""
    assert all(hasattr(Model, name) for name in steps(operation).names)
    assert hasattr(TableConnection, CALLS[operation])


@pytest.mark.parametrize("operation", STEPS)
def test_a_patch_on_any_floor(operation: str, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """A patch of the model, of its table or of its connection is seen, as long as it is in place."""
    usual = steps(operation).of(thread_model)
    floors: tuple[tuple[t.Any, str], ...] = (
        (thread_model, STEPS[operation][0]),
        (db.Model, STEPS[operation][0]),
        (pynamodb.models.Model, operation),
        (TableConnection, CALLS[operation]),
        (Connection, CALLS[operation]),
        (Connection, "_make_recorded_call"),
    )
    for owner, name in floors:
        assert usual.are_in_place()
        with mock.patch.object(owner, name):
            assert not usual.are_in_place()
    assert usual.are_in_place()


def test_bases_before_and_after_the_mixin(db: dynaflask.Dynamo) -> None:
    """A base that comes before the mixin wraps its methods. One that comes after it would be skipped."""

    class Mixin:
        def save(self, *args: t.Any, **options: t.Any) -> t.Any:
            return t.cast("t.Any", super()).save(*args, **options)

    class Before(Mixin, db.Model):  # type: ignore[name-defined,misc]
        name = UnicodeAttribute(hash_key=True)

    class Under(Mixin, pynamodb.models.Model):
        name = UnicodeAttribute(hash_key=True)

    class After(db.Model, Under):  # type: ignore[name-defined,misc]
        pass

    assert not steps("save").has_other_base(Before)
    assert steps("save").has_other_base(After)
    assert not steps("get").has_other_base(After)
