"""Checks before the first request and between requests, as methods of the registry: does DynamoDB answer?"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

if t.TYPE_CHECKING:
    from dynaflask.config.bind import Bind
    from dynaflask.registry.health import Health
    from dynaflask.registry.registry import Registry


class HealthMethodsMixin:
    """Methods of the registry that call DynamoDB without a model."""

    if t.TYPE_CHECKING:
        binds: cabc.Mapping[str, Bind]  # of the registry

    def ping(self, bind_key: str = "default") -> float:
        """Make one cheap signed call, ListTables with a limit of one, as a readiness check.

        The call uses the app's own settings, not those of the current block or tenant.

        Args:
            bind_key: A key of ``DYNAMODB_BINDS``, or ``"default"``.

        Returns:
            The duration of the call in seconds.

        Raises:
            UnknownBind: The app has no such bind.
            BotoCoreError: There was no response, or not one of DynamoDB: check the endpoint, the credentials and the
                network.
            ClientError: DynamoDB or STS refused the request.
        """
        from dynaflask.registry import health  # noqa: PLC0415 - few programs need it

        registry = t.cast("Registry", self)
        return health.ping(registry, registry.bind(bind_key))

    def check(self, *bind_keys: str, tables: bool = False) -> list[Health]:
        """Check if DynamoDB answers on the binds, or if the tables of the models can be used, as a readiness check.

        Args:
            *bind_keys: Keys of the binds to check; by default all.
            tables: Check each table with DescribeTable instead of its bind with ListTables. The tables are those of the
                current context and its tenant. A bind without a table is checked by itself.

        Returns:
            One result per table or bind. Failed calls are in the results, and raise nothing.

        Raises:
            UnknownBind: The app has no such bind.
            RuntimeError: ``tables`` is true, and the current context is not one of this app.
            TenantRequired: ``tables`` is true, ``DYNAMODB_REQUIRE_TENANT`` is set, and there is no tenant.
        """
        from dynaflask.registry import health  # noqa: PLC0415 - few programs need it

        return health.check(t.cast("Registry", self), *bind_keys, tables=tables)

    def warm(self, *bind_keys: str) -> None:
        """Make the clients, and open a connection of each, before the first request.

        Args:
            *bind_keys: The binds; by default all. If some fail, the others are warmed first.

        Raises:
            BotoCoreError: As of `ping`, for the first bind that failed.
            ClientError: As of `ping`, for the first bind that failed.
        """
        errors = []
        for bind_key in bind_keys or self.binds:
            try:
                self.ping(bind_key)
            except (BotoCoreError, ClientError) as error:
                errors.append(error)
        if errors:
            raise errors[0]
