"""The base classes of models: ``dynaflask.Model`` and ``db.Model``, and the signatures that type checkers see."""

from __future__ import annotations

import inspect
import typing as t

import pynamodb.exceptions
import pynamodb.models

from dynaflask.model import base
from dynaflask.model.metaclass import ModelMeta
from dynaflask.registry.declaration import own_attribute

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action


class ConditionalWrites:
    """The parameters of the methods of `dynaflask.model.conditions.ConditionMixin`: PynamoDB's, and one more."""

    def save(  # type: ignore[empty-body]  # only the signature is used
        self,
        condition: Condition | None = None,
        *,
        add_version_condition: bool = True,
        return_values_on_condition_failure: str | None = None,
    ) -> dict[str, t.Any]:
        """Save the object."""

    def update(
        self,
        actions: list[Action],
        condition: Condition | None = None,
        *,
        add_version_condition: bool = True,
        return_values_on_condition_failure: str | None = None,
    ) -> t.Any:
        """Change the item."""

    def delete(
        self,
        condition: Condition | None = None,
        *,
        add_version_condition: bool = True,
        return_values_on_condition_failure: str | None = None,
    ) -> t.Any:
        """Delete the item."""


if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo
    from dynaflask.model.batch import BatchWrite
    from dynaflask.model.creation import GetOrCreateMixin
    from dynaflask.model.lookups import GetOr404Mixin
    from dynaflask.model.updates import UpdateFromMixin
    from dynaflask.registry.declaration import DeclaredMeta

    M = t.TypeVar("M", bound="Model")

    # The overrides of base.Model take any arguments, and pass them on. Type checkers and editors see PynamoDB's own
    # signatures instead: those of the installed release.
    class Model(
        ConditionalWrites, GetOr404Mixin, GetOrCreateMixin, UpdateFromMixin, pynamodb.models.Model, metaclass=ModelMeta
    ):
        """See `dynaflask.model.base.Model`."""

        __dynamo__: t.ClassVar[Dynamo | None]
        __declaration__: t.ClassVar[DeclaredMeta | None]
        __has_tenant_key__: t.ClassVar[bool]

        # PynamoDB requires that every Meta has all of its options.
        Meta: t.Any
        # PynamoDB's annotation refers to itself: the attribute has the name of its class.
        DoesNotExist: type[pynamodb.exceptions.DoesNotExist]

        @classmethod
        def batch_write(cls: type[M], auto_commit: bool = True) -> BatchWrite[M]:
            """Write items in batches; see PynamoDB."""

else:
    Model = base.Model


def make_base(dynamo: Dynamo, parent: type[Model]) -> type[Model]:
    """A base class for the models of one extension object."""
    namespace = {"__dynamo__": dynamo, "__module__": parent.__module__, "__doc__": parent.__doc__}
    return t.cast("type[Model]", ModelMeta("Model", (parent,), namespace))


def show_signatures(model: type) -> None:
    """Make ``help()`` and completion show PynamoDB's parameters of the methods that a model overrides."""
    for name, method in vars(pynamodb.models.Model).items():
        upstream, override = (getattr(each, "__func__", each) for each in (method, own_attribute(model, name)))
        if inspect.isfunction(upstream) and inspect.isfunction(override) and override is not upstream:
            override.__wrapped__ = vars(ConditionalWrites).get(name, upstream)  # type: ignore[attr-defined]


show_signatures(base.Model)
