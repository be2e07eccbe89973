"""``update_from``: an update of an item with the fields of a JSON body."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition


class UpdateFromMixin:
    """A model method that updates an item from a mapping of fields."""

    def update_from(
        self,
        body: cabc.Mapping[str, t.Any],
        *,
        only: cabc.Collection[str] | None = None,
        exclude: cabc.Collection[str] = (),
        condition: Condition | None = None,
        add_version_condition: bool = True,
        return_values_on_condition_failure: str | None = None,
    ) -> t.Any:
        """Update the item in one call: SET the fields that have a value, and REMOVE those that are null.

        Args:
            body: JSON, such as ``request.json``. It may repeat the keys of the item, unchanged.
            only: Names of the fields that the body may have; by default all.
            exclude: Names of the fields that the body may not have.
            condition: A condition on the item as it is.
            add_version_condition: False to update the item also if it has another version.
            return_values_on_condition_failure: ``"ALL_OLD"`` to have the item in the error of a false condition; by
                default the setting of that name decides.

        Returns:
            The result of PynamoDB's ``update``.

        Raises:
            InvalidBody: The body does not fit; see `dynaflask.views.load_item`. A view answers 400.
            ConditionFailed: The condition is false. It is PynamoDB's UpdateError, too.
            UpdateError: DynamoDB refused.
        """
        from dynaflask.model.bodies import loading  # noqa: PLC0415 - few programs update items from bodies

        actions = loading.update_actions_of(self, body, only=only, exclude=exclude)
        return t.cast("t.Any", self).update(
            actions=actions,
            condition=condition,
            add_version_condition=add_version_condition,
            return_values_on_condition_failure=return_values_on_condition_failure,
        )
