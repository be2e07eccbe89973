"""Items and updates from bodies. What does not fit is an ``InvalidBody``, which a view answers with 400."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pynamodb.models
from pynamodb.expressions.update import Action

from dynaflask.exceptions import InvalidBody
from dynaflask.model.bodies.fields import Field
from dynaflask.model.bodies.fields import Names
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.fields import read_changes
from dynaflask.model.bodies.fields import read_new
from dynaflask.model.bodies.sizes import is_surely_small
from dynaflask.model.bodies.sizes import size_errors
from dynaflask.model.bodies.values import InvalidValue
from dynaflask.model.bodies.values import Json

M = t.TypeVar("M", bound=pynamodb.models.Model)


def new_item(model: type[M], body: Json, *, only: Names | None = None, exclude: Names = (), require: bool = True) -> M:
    """A new, unsaved item of a body; see `dynaflask.views.load_item`.

    Args:
        model: The model.
        body: The body.
        only: Names of the fields that the body may have.
        exclude: Names of the fields that the body may not have.
        require: Refuse a body without a required field.

    Raises:
        InvalidBody: The body does not fit.
    """
    fields = fields_of(model, only=only, exclude=exclude)
    try:
        item = model(**read_new(fields, body, require=require))
        _check_sizes(body, lambda: item)
    except (InvalidValue, RecursionError) as error:
        raise _invalid_body(error) from error
    return item


def update_actions(
    model: type[pynamodb.models.Model], body: Json, *, only: Names | None = None, exclude: Names = ()
) -> list[Action]:
    """The actions of an update that makes an item fit a body; see `dynaflask.views.load_item`.

    Args:
        model: The model.
        body: The body.
        only: Names of the fields that the body may have.
        exclude: Names of the fields that the body may not have.

    Raises:
        InvalidBody: The body does not fit.
    """
    fields = fields_of(model, only=only, exclude=exclude)
    try:
        values, removed = read_changes(fields, body)
        _check_sizes(body, lambda: model(**values))
        return [
            *(getattr(model, name).set(value) for name, value in values.items()),
            *(getattr(model, name).remove() for name in removed),
        ]
    except (InvalidValue, RecursionError) as error:
        raise _invalid_body(error) from error


def update_actions_of(item: t.Any, body: t.Any, *, only: Names | None = None, exclude: Names = ()) -> list[Action]:
    """The actions that update one item, whose keys the body may repeat: a client may send back what it was sent.

    Args:
        item: The item.
        body: As of :func:`update_actions`.
        only: As of :func:`update_actions`.
        exclude: As of :func:`update_actions`.

    Raises:
        InvalidBody: As of :func:`update_actions`.
    """
    changes = _without_own_keys(item, body) if isinstance(body, cabc.Mapping) else body
    return update_actions(type(item), changes, only=only, exclude=exclude)


def _without_own_keys(item: t.Any, body: cabc.Mapping[str, t.Any]) -> dict[str, t.Any]:
    fields = fields_of(type(item))
    return {name: value for name, value in body.items() if not _is_own_key(item, fields.get(name), name, value)}


def _is_own_key(item: t.Any, field: Field | None, name: str, value: t.Any) -> bool:
    if field is None or not field.is_key:
        return False
    try:
        return bool(field.read(value) == getattr(item, name))
    except InvalidValue:
        return False


def _check_sizes(body: Json, make_item: t.Callable[[], pynamodb.models.Model]) -> None:
    errors = {} if is_surely_small(body) else size_errors(make_item())
    if errors:
        raise InvalidBody(errors)


def _invalid_body(error: InvalidValue | RecursionError) -> InvalidBody:
    if isinstance(error, RecursionError):
        return InvalidBody({"body": "The body is nested too deep."})
    return InvalidBody({name or "body": reason for name, reason in error.errors.items()})
