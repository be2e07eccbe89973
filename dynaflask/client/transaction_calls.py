"""Transactions of one destination, one context and one tenant."""

from __future__ import annotations

import typing as t

from pynamodb.constants import RESPONSES
from pynamodb.exceptions import TransactGetError
from pynamodb.exceptions import TransactWriteError

from dynaflask.client.error_context import propagate_advice
from dynaflask.client.recorded_calls import RecordedCalls
from dynaflask.client.transaction_item import TransactionItem
from dynaflask.config.fields import DESTINATION_SETTINGS
from dynaflask.exceptions import TenantMismatch

# What differs if no setting does; see Bind.destination.
FACTORY_BIND: t.Final = "the bind, by which DYNAMODB_CLIENT_FACTORY may choose the client"


class TransactionCalls(RecordedCalls):
    """PynamoDB's connection, whose transactions refuse a model with another destination."""

    def transact_get_items(self, get_items: t.Any, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Read several items in a transaction; see PynamoDB.

        Raises:
            RuntimeError: As of :meth:`require_same_destination`, for each item. Or a receiver of a signal has entered
                the block of another tenant, whose objects the items would become.
        """
        items = list(get_items)
        own_items = self._own_items(items)
        with propagate_advice(TransactGetError):
            data = super().transact_get_items(own_items, *args, **options)
        results = data.get(RESPONSES, [])
        for position, (item, result) in enumerate(zip(items, results, strict=False)):
            if isinstance(item, TransactionItem):
                item.require_current()
                results[position] = item.visible_result(result)
        return data

    def visible_result(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result of reading one item, without an item that the model of this connection hides."""
        return result

    def transact_write_items(
        self,
        condition_check_items: t.Any,
        delete_items: t.Any,
        put_items: t.Any,
        update_items: t.Any,
        *args: t.Any,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """Write several items in a transaction; see PynamoDB.

        Raises:
            RuntimeError: As of :meth:`require_same_destination`, for each item.
        """
        checks, deletions, puts, updates = map(
            self._own_items, (condition_check_items, delete_items, put_items, update_items)
        )
        with propagate_advice(TransactWriteError):
            return super().transact_write_items(checks, deletions, puts, updates, *args, **options)

    def _own_items(self, items: t.Any) -> list[t.Any]:
        return [item.unwrapped_for(self) if isinstance(item, TransactionItem) else item for item in items]

    def require_same_destination(self, other: TransactionCalls, *, model: str, first: str = "the connection") -> None:
        """Refuse a model whose own connection has another destination, tenant or context than this one.

        Args:
            other: The model's own connection.
            model: The model's name.
            first: What this connection stands for in the messages.

        Raises:
            RuntimeError: They belong to two application contexts.
            TenantMismatch: They are for two tenants. It is a RuntimeError, too.
            ValueError: They have two destinations.
        """
        if other._owner is not self._owner:
            raise RuntimeError(
                f"A transaction belongs to one application context: {first} is of a context of"
                f" {self._recorder.app_name!r}, and {model} is used in another one, of {other._recorder.app_name!r}."
                " Make the transaction with db.transact_write() or db.transact_get() in the context of its models."
            )
        if other.tenant != self.tenant:
            raise TenantMismatch(
                f"A transaction is for one tenant: {first} is of {_tenant_label(self)}, and {model} is used for"
                f" {_tenant_label(other)}. Make the transaction and add its models in one tenant's block."
            )
        if other.bind.destination != self.bind.destination:
            differences = [
                name for name in sorted(DESTINATION_SETTINGS) if getattr(other.bind, name) != getattr(self.bind, name)
            ]
            raise ValueError(
                f"A transaction goes to one destination: {first} is on {self.bind!r}, and {model} on {other.bind!r}."
                f" They differ in {', '.join(differences or [FACTORY_BIND])}. Make one transaction for each"
                " destination."
            )


def _tenant_label(connection: TransactionCalls) -> str:
    return "no tenant" if connection.tenant is None else repr(connection.tenant)
