"""``load_item``: an item, or an update, of the JSON body of a request."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pynamodb.models
from pynamodb.expressions.update import Action

from dynaflask.model.bodies.loading import new_item
from dynaflask.model.bodies.loading import update_actions

M = t.TypeVar("M", bound=pynamodb.models.Model)


@t.overload
def load_item(
    model: type[M],
    body: t.Any,
    *,
    partial: t.Literal[False] = False,
    only: cabc.Collection[str] | None = None,
    exclude: cabc.Collection[str] = (),
) -> M: ...


@t.overload
def load_item(
    model: type[M],
    body: t.Any,
    *,
    partial: t.Literal[True],
    only: cabc.Collection[str] | None = None,
    exclude: cabc.Collection[str] = (),
) -> list[Action]: ...


def load_item(
    model: type[M],
    body: t.Any,
    *,
    partial: bool = False,
    only: cabc.Collection[str] | None = None,
    exclude: cabc.Collection[str] = (),
) -> M | list[Action]:
    """A new, unsaved item from a JSON body; with ``partial``, the actions of an update.

    A body never sets the version, the discriminator or the tenant of a ``TenantKey``: the first two are ignored, and
    the value of a ``TenantKey`` belongs to the current tenant.

    Args:
        model: The model: ``load_item(Note, request.json)``.
        body: The body, as ``request.json`` returns it.
        partial: Return the actions of an update, for PATCH: SET for a value and REMOVE for null. A map or a list is
            replaced as a whole.
        only: Names of the fields that the body may have; by default all. Name them where clients must not set others.
        exclude: Names of the fields that the body may not have, also required ones. The view sets them.

    Returns:
        The item, in which an optional field with null is omitted. Or a list of actions with at least one.

    Raises:
        InvalidBody: The body does not fit. ``errors`` names each field that is missing, unknown, of another type, an
            empty key, a naive time or a number out of range, or a key or an item that is too large. A view answers 400.
        ValueError: The model has no attribute of a name in ``only`` or ``exclude``.
    """
    if partial:
        return update_actions(model, body, only=only, exclude=exclude)
    return new_item(model, body, only=only, exclude=exclude)
