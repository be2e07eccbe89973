"""``EffectiveSettings``: what a model's settings are in one scope, after :mod:`.precedence` has decided."""

from __future__ import annotations

import typing as t
import weakref

from dynaflask.client.connection_template import ConnectionTemplate
from dynaflask.config.bind import Bind
from dynaflask.config.fields import MODEL_VALIDATORS
from dynaflask.config.fields import UPSTREAM_DEFAULTS
from dynaflask.config.settings import Settings
from dynaflask.config.settings import merge_settings
from dynaflask.config.validators import Values
from dynaflask.registry.places import plain_name
from dynaflask.registry.places import possible_place


class EffectiveSettings:
    """The settings that a model has in one scope.

    Args:
        bind: The destination and client options.
        table_name: The real table name; ``None`` if the model has no table.
        is_static: True if the settings stay the same until the context changes something. They do not if a table name
            or a prefix is computed.
        values: With ``settings``, the values over those of the bind. Without, all values.
        settings: The configuration that has the bind's own values.

    Attributes:
        template: Makes the connections to the table, from the first use on, if the settings are static.
        opened_for: The model that a context without a tenant and changes has opened the table for, as a weak reference:
            the next such context need not check again that the app has the model. None if each must.
        unshared_among: Number of models that were declared when no model with a ``TenantKey`` had this table.
    """

    __slots__ = (
        *("_layer", "_settings", "_values", "bind", "is_static", "opened_for"),
        *("table_name", "template", "unshared_among"),
    )

    def __init__(
        self,
        bind: Bind,
        table_name: str | None,
        *,
        is_static: bool,
        values: Values,
        settings: Settings | None = None,
    ) -> None:
        self.bind: t.Final = bind
        self.table_name: t.Final = table_name
        self.is_static: t.Final = is_static
        self.template: ConnectionTemplate | None = None
        self.opened_for: weakref.ref[t.Any] | None = None
        self.unshared_among = -1
        self._layer = values
        self._settings = settings
        self._values: Values | None = None if settings else values

    @property
    def values(self) -> Values:
        """The settings by name. A setting without a value is missing."""
        # Merged on first access: a call reads none of them, and an app has many models.
        if self._values is None:
            values = merge_settings(t.cast("Settings", self._settings).effective_values(self.bind.key), self._layer)
            self._values = with_defaults(values, self.bind.key, self.table_name)
        return self._values

    @property
    def place(self) -> tuple[t.Any, str | None]:
        """The destination and the real table name: equal for two models whose items are in one table."""
        return self.bind.destination, self.table_name

    @property
    def possible_place(self) -> tuple[t.Any, ...]:
        """Equal for two models whose items may be in one table; see :func:`.possible_place`."""
        return possible_place(self.bind, self.table_name)

    def may_share_table(self, other: EffectiveSettings) -> bool:
        """True if the items of two models may be in one table.

        Args:
            other: The settings of the other model.
        """
        # First the names, most of which differ: the rest of a place takes much longer to find.
        is_same_name = plain_name(self.table_name) == plain_name(other.table_name)
        return is_same_name and self.possible_place == other.possible_place

    def __repr__(self) -> str:
        return f"<EffectiveSettings {self.table_name!r} on {self.bind!r}>"


def with_defaults(values: Values, bind_key: str, table_name: str | None) -> Values:
    """The settings by name, with PynamoDB's defaults for those without a value.

    Args:
        values: The values.
        bind_key: The bind.
        table_name: The real table name; ``None`` if the model has no table.
    """
    present = {name: value for name, value in values.items() if value is not None or name not in MODEL_VALIDATORS}
    if table_name is not None:
        present["table_name"] = table_name
    return {**UPSTREAM_DEFAULTS, **present, "bind_key": bind_key}
