"""Transactions on the destination of their models. One transaction cannot mix two destinations or two tenants."""

from __future__ import annotations

import typing as t

import pynamodb.models
import pynamodb.transactions
from pynamodb.exceptions import TransactWriteError

from dynaflask.client.condition_values import asking_for
from dynaflask.client.connection import Connection
from dynaflask.client.transaction_item import TransactionItem
from dynaflask.model.conditions import raise_for_conditions
from dynaflask.model.pynamodb_internals import set_transaction_connection
from dynaflask.registry.context import current_scope
from dynaflask.registry.context import require_scope
from dynaflask.registry.scope import Scope

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action

    from dynaflask.model.pynamodb_internals import ModelFuture

M = t.TypeVar("M", bound=pynamodb.models.Model)


class SingleDestinationMixin(pynamodb.transactions.Transaction):
    """A transaction on the destination of the first model that is added. Each further model must have the same."""

    _first_model: t.Any = None
    _scope: Scope
    _first_connection: Connection

    def _require_same_destination(self, model: t.Any) -> None:
        connection = model._get_connection().connection
        if not isinstance(connection, Connection):
            raise TypeError(f"{_class_name(model)} is not a model of this app. Pass it to db.register.")
        if self._first_model is None:
            self._first_model, self._first_connection = model, connection
            self._scope = require_scope(_class_name(model), model.__dynamo__)
            set_transaction_connection(self, connection)
            return
        self._first_connection.require_same_destination(
            connection, model=_class_name(model), first=_class_name(self._first_model)
        )

    def _commit(self) -> t.Any:
        if self._first_model is None:
            return t.cast("t.Any", super())._commit()
        # The block of the models may have ended, but the items belong to the tenant of that block.
        with self._scope.reentered():
            return t.cast("t.Any", super())._commit()


class TransactGet(SingleDestinationMixin, pynamodb.transactions.TransactGet):
    """PynamoDB's read transaction. Adding a model of another destination raises an error, and adds nothing."""

    def get(self, model_cls: type[M], hash_key: t.Any, range_key: t.Any = None) -> ModelFuture[M]:
        """Read an item; see PynamoDB."""
        self._require_same_destination(model_cls)
        return super().get(model_cls, hash_key, range_key=range_key)


class TransactWrite(SingleDestinationMixin, pynamodb.transactions.TransactWrite):
    """PynamoDB's write transaction. Adding a model of another destination raises an error, and adds nothing.

    With ``return_values="ALL_OLD"``, an operation whose condition is false reports the item: ``ConditionFailed.items``.
    By default, the setting ``return_values_on_condition_failure`` decides.
    """

    def __init__(self, **options: t.Any) -> None:
        super().__init__(**options)
        # The models of the operations, by kind. PynamoDB sends the kinds in this order.
        self._checked: list[t.Any] = []
        self._deleted: list[t.Any] = []
        self._saved: list[t.Any] = []
        self._updated: list[t.Any] = []

    def condition_check(
        self,
        model_cls: type[M],
        hash_key: t.Any,
        range_key: t.Any = None,
        condition: Condition | None = None,
        *,
        return_values: str | None = None,
    ) -> None:
        """Require that an item meets a condition; see PynamoDB."""
        self._require_same_destination(model_cls)
        with asking_for(return_values):
            super().condition_check(model_cls, hash_key, range_key=range_key, condition=condition)
        self._checked.append(model_cls)

    def delete(
        self,
        model: M,
        condition: Condition | None = None,
        *,
        add_version_condition: bool = True,
        return_values: str | None = None,
    ) -> None:
        """Delete an item; see PynamoDB."""
        self._require_same_destination(model)
        with asking_for(return_values):
            super().delete(model, condition=condition, add_version_condition=add_version_condition)
        self._deleted.append(model)

    def save(self, model: M, condition: Condition | None = None, return_values: str | None = None) -> None:
        """Write an item; see PynamoDB."""
        self._require_same_destination(model)
        super().save(model, condition=condition, return_values=return_values)
        self._saved.append(model)

    def update(
        self,
        model: M,
        actions: list[Action],
        condition: Condition | None = None,
        return_values: str | None = None,
        *,
        add_version_condition: bool = True,
    ) -> None:
        """Change an item; see PynamoDB."""
        self._require_same_destination(model)
        super().update(
            model,
            actions=actions,
            condition=condition,
            return_values=return_values,
            add_version_condition=add_version_condition,
        )
        self._updated.append(model)

    def _commit(self) -> t.Any:
        try:
            return super()._commit()
        except TransactWriteError as error:
            if self._first_model is not None:
                with self._scope.reentered():
                    raise_for_conditions(error, [*self._checked, *self._deleted, *self._saved, *self._updated])
            raise


def transaction_item(model: t.Any, request: dict[str, t.Any]) -> dict[str, t.Any]:
    """One operation of a transaction, with the connection and the scope that it is for.

    Args:
        model: The model's class, or an object of it.
        request: The parameters of the operation.
    """
    connection = model._get_connection().connection
    # A program may put a connection of its own in place of the model's.
    if not isinstance(connection, Connection):
        return request
    declaration = model.__declaration__
    is_shared = declaration is not None and declaration.is_shared
    scope = None if is_shared else current_scope(model.__dynamo__)
    return TransactionItem(request, connection, scope=scope)


def _class_name(model: t.Any) -> str:
    return str((model if isinstance(model, type) else type(model)).__name__)
