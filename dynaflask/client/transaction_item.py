"""An operation of a transaction, with the connection of its model."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from dynaflask.client.transaction_calls import TransactionCalls


class TransactionScope(t.Protocol):
    """What an operation of a transaction needs of the scope that it was added in."""

    def require_current(self, model: str) -> None:
        """Raise if the code acts in another context, or for another tenant."""


class TransactionItem(dict[str, t.Any]):
    """One operation of a transaction, which only a connection to the destination of its model can read.

    PynamoDB's transactions send what a model returns over the connection that the program passed to them. This may be
    any connection, so that the operation of a model brings its own along. It can be changed, compared and printed.

    Args:
        request: The parameters of the operation.
        connection: The model's own connection.
        scope: The scope that the operation was added in; ``None`` if its model belongs to no tenant.
    """

    def __init__(
        self,
        request: dict[str, t.Any],
        connection: TransactionCalls,
        *,
        scope: TransactionScope | None = None,
    ) -> None:
        super().__init__(request)
        self._connection = connection
        self._scope = scope

    def unwrapped_for(self, connection: TransactionCalls) -> dict[str, t.Any]:
        """The parameters, for a connection to the same destination.

        Raises:
            RuntimeError: As of :meth:`.TransactionCalls.require_same_destination`. Or the transaction is sent in
                another context or for another tenant than the operation was added for: its objects would then belong to
                that tenant.
        """
        self.require_current()
        connection.require_same_destination(self._connection, model=str(self._connection._model))
        return dict(super().items())

    def require_current(self) -> None:
        """Refuse to go on in another context or for another tenant than the operation was added for.

        Raises:
            RuntimeError: The current context or tenant is another one.
        """
        if self._scope is not None:
            self._scope.require_current(str(self._connection._model))

    def visible_result(self, result: dict[str, t.Any]) -> dict[str, t.Any]:
        """The result of this read, without an item that the model hides."""
        return self._connection.visible_result(result)

    def _refuse(self, *_: t.Any) -> t.NoReturn:
        # Not an AttributeError or a LookupError, which botocore's walk over the request would swallow.
        raise RuntimeError(
            f"This operation of {self._connection._model} is for {self._connection!r} of"
            f" {self._connection._recorder.app_name!r}, and another connection, or other code, tries to read or"
            " send it. Make the transaction with db.transact_write() or db.transact_get(), or with db.connection."
        )

    __getitem__ = __iter__ = __reversed__ = __or__ = __ror__ = _refuse
    get = items = keys = values = copy = pop = popitem = setdefault = _refuse
    __reduce_ex__ = _refuse
