"""Transactions that go where their models are, and refuse to mix two destinations."""

from __future__ import annotations

import typing as t

import pynamodb.transactions

from dynaflask.client.connection import Connection
from dynaflask.config.fields import DESTINATION_SETTINGS
from dynaflask.exceptions import TenantMismatch


class SingleDestinationMixin(pynamodb.transactions.Transaction):
    """A transaction on the bind of the first model that it is given."""

    _first: t.Any = None

    def _admit(self, model: t.Any) -> None:
        connection = model._get_connection().connection
        if not isinstance(connection, Connection):
            raise TypeError(f"{_name(model)} is no model of this app. Pass it to db.register.")
        if self._first is None:
            self._first, self._connection = model, connection
            return
        if connection.tenant != t.cast("Connection", self._connection).tenant:
            raise TenantMismatch(
                f"A transaction is for one tenant: {_name(model)} is added in a block of another than"
                f" {_name(self._first)}."
            )
        first = t.cast("Connection", self._connection).bind
        if connection.bind.destination != first.destination:
            differing = [
                name for name in sorted(DESTINATION_SETTINGS) if getattr(connection.bind, name) != getattr(first, name)
            ]
            raise ValueError(
                f"A transaction goes to one destination: {_name(self._first)} is on {first!r}, and {_name(model)} on"
                f" {connection.bind!r}. They differ in {', '.join(differing)}."
            )


class TransactGet(SingleDestinationMixin, pynamodb.transactions.TransactGet):
    """PynamoDB's read transaction. A model of another destination is refused where it is added."""

    def get(self, model_cls: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Read an item; see PynamoDB."""
        self._admit(model_cls)
        return super().get(model_cls, *args, **kwargs)


class TransactWrite(SingleDestinationMixin, pynamodb.transactions.TransactWrite):
    """PynamoDB's write transaction. A model of another destination is refused where it is added."""

    def condition_check(self, model_cls: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        """Require a condition of an item; see PynamoDB."""
        self._admit(model_cls)
        super().condition_check(model_cls, *args, **kwargs)

    def delete(self, model: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        """Delete an item; see PynamoDB."""
        self._admit(model)
        super().delete(model, *args, **kwargs)

    def save(self, model: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        """Write an item; see PynamoDB."""
        self._admit(model)
        super().save(model, *args, **kwargs)

    def update(self, model: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
        """Change an item; see PynamoDB."""
        self._admit(model)
        super().update(model, *args, **kwargs)


def _name(model: t.Any) -> str:
    return str((model if isinstance(model, type) else type(model)).__name__)
