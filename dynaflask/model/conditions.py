"""Conditional writes that report the item that their condition was false for: ``error.item``."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import weakref

from botocore.exceptions import ClientError
from pynamodb.constants import ITEM
from pynamodb.exceptions import DeleteError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import PynamoDBException
from pynamodb.exceptions import TransactWriteError
from pynamodb.exceptions import UpdateError

from dynaflask.client.condition_values import OPTION
from dynaflask.client.condition_values import asking_for
from dynaflask.exceptions import ConditionFailed
from dynaflask.exceptions import _DeleteConditionFailed
from dynaflask.exceptions import _PutConditionFailed
from dynaflask.exceptions import _TransactConditionFailed
from dynaflask.exceptions import _UpdateConditionFailed
from dynaflask.operations.error_codes import CONDITION_FAILED
from dynaflask.operations.error_codes import code_of
from dynaflask.registry.context import require_scope

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope

# By PynamoDB's own class: a program's subclass stays as it is.
FAILURES: t.Final[dict[type[PynamoDBException], type[ConditionFailed]]] = {
    PutError: _PutConditionFailed,
    UpdateError: _UpdateConditionFailed,
    DeleteError: _DeleteConditionFailed,
}


class ConditionMixin:
    """Model methods that take ``return_values_on_condition_failure``, and raise ``ConditionFailed``."""

    def save(self, *args: t.Any, **options: t.Any) -> t.Any:  # noqa: D417 - typed.py has the signature
        """Write the object as the item, in place of the one that has its keys.

        Args:
            condition: A condition on the item as it is.
            add_version_condition: False to write the item also if it has another version.
            return_values_on_condition_failure: ``"ALL_OLD"`` to have the item in the error of a false condition; by
                default the setting of that name decides.

        Returns:
            DynamoDB's response.

        Raises:
            ConditionFailed: The condition is false. It is PynamoDB's PutError, too.
            PutError: DynamoDB refused.
        """
        return _write(self, super().save, args, options)  # type: ignore[misc]

    def update(self, *args: t.Any, **options: t.Any) -> t.Any:  # noqa: D417 - typed.py has the signature
        """Change attributes of the item, and read the result into the object.

        Args:
            actions: The changes, such as ``[Thread.views.add(1)]``.
            condition: A condition on the item as it is.
            add_version_condition: False to change the item also if it has another version.
            return_values_on_condition_failure: ``"ALL_OLD"`` to have the item in the error of a false condition; by
                default the setting of that name decides.

        Returns:
            DynamoDB's response.

        Raises:
            ConditionFailed: The condition is false. It is PynamoDB's UpdateError, too.
            UpdateError: DynamoDB refused.
        """
        return _write(self, super().update, args, options)  # type: ignore[misc]

    def delete(self, *args: t.Any, **options: t.Any) -> t.Any:  # noqa: D417 - typed.py has the signature
        """Delete the item. It is no error if there is none.

        Args:
            condition: A condition on the item as it is.
            add_version_condition: False to delete the item also if it has another version.
            return_values_on_condition_failure: ``"ALL_OLD"`` to have the item in the error of a false condition; by
                default the setting of that name decides.

        Returns:
            DynamoDB's response.

        Raises:
            ConditionFailed: The condition is false. It is PynamoDB's DeleteError, too.
            DeleteError: DynamoDB refused.
        """
        return _write(self, super().delete, args, options)  # type: ignore[misc]


def _write(model: t.Any, write: t.Callable[..., t.Any], args: tuple[t.Any, ...], options: dict[str, t.Any]) -> t.Any:
    try:
        if OPTION not in options:
            return write(*args, **options)
        with asking_for(options.pop(OPTION)):
            return write(*args, **options)
    except (PutError, UpdateError, DeleteError) as error:
        failure = FAILURES.get(type(error))
        if failure is None or code_of(error) not in CONDITION_FAILED:
            raise
        raise _marked(
            failure(error.msg, error.cause, items=[_made(model, _raw_item(error, model))]), model
        ) from error.cause


def raise_for_conditions(error: TransactWriteError, models: cabc.Iterable[t.Any]) -> None:
    """Raise ``ConditionFailed`` for a transaction that failed because of a condition.

    Args:
        error: PynamoDB's error.
        models: The models, or objects of them, in the order of the transaction's reasons.

    Raises:
        ConditionFailed: A condition of the transaction is false.
    """
    reasons = error.cancellation_reasons
    if not any(reason and reason.code in CONDITION_FAILED for reason in reasons):
        return
    pairs = list(zip(models, reasons, strict=False))
    items = [_made(model, reason and reason.raw_item) for model, reason in pairs]
    failure = _TransactConditionFailed(error.msg, error.cause, items=items)
    # The text has DynamoDB's reason, which `msg` has not.
    failure.args = error.args
    raise _marked(failure, pairs[0][0]) from error.cause


def _raw_item(error: PynamoDBException, model: t.Any) -> t.Any:
    # PynamoDB's client error has only code and message. Its cause is botocore's, with the whole response.
    origin = getattr(error.cause, "__cause__", None)
    if not isinstance(origin, ClientError):
        return None
    from dynaflask.client.error_context import get_context  # noqa: PLC0415 - a declaration does not need it

    context, is_shared = get_context(t.cast("Exception", error.cause)), model.__declaration__.is_shared
    tenant = None if is_shared else require_scope(type(model).__name__, model.__dynamo__).tenant
    # A receiver of a signal may have entered the block of another tenant, whose object the item would become.
    return None if context is not None and context.tenant != tenant else origin.response.get(ITEM)


def _made(model: t.Any, raw: t.Any) -> t.Any:
    """The object of an item that DynamoDB returned, or None."""
    # A TenantKey refuses the item of another tenant.
    cls: t.Any = model if isinstance(model, type) else type(model)
    return cls.from_raw_data(raw) if raw else None


class Origin(t.NamedTuple):
    """The context that an error's item was read in.

    Attributes:
        root: The scope of the app context.
        tenant: Name of the tenant, if it was known.
        is_unrestricted: True inside of a ``db.without_tenant`` block.
        is_shared: True for a model that belongs to no tenant.
    """

    root: weakref.ref[Scope]
    tenant: str | None
    is_unrestricted: bool
    is_shared: bool

    def is_same(self, scope: Scope) -> bool:
        """True if what was read there may be shown in a scope: that of the same app context and the same tenant."""
        if self.root() is not scope.root:
            return False
        return self.is_shared or (not self.is_unrestricted and self.tenant == scope.tenant)


def _marked(failure: ConditionFailed, model: t.Any) -> ConditionFailed:
    scope, is_shared = require_scope(type(model).__name__, model.__dynamo__), model.__declaration__.is_shared
    is_unrestricted = not is_shared and scope.principal.is_unrestricted
    origin = Origin(weakref.ref(scope.root), scope.known_tenant, is_unrestricted, is_shared)
    # Not with the failure, whose attributes are pickled.
    vars(failure.cause)["dynaflask_origin"] = origin
    return failure


def origin_of(error: ConditionFailed) -> Origin | None:
    """The context that an error's item was read in; None if the error was copied."""
    return vars(error.cause).get("dynaflask_origin")
