"""DynamoDB for Flask, on PynamoDB: declare a model once, and every app in the process reaches its own destination."""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.client.pool import ClientPool
    from dynaflask.client.pool import PoolStats
    from dynaflask.config.bind import Bind
    from dynaflask.exceptions import AmbiguousModel
    from dynaflask.exceptions import BadCursor
    from dynaflask.exceptions import BatchWriteError
    from dynaflask.exceptions import ConditionFailed
    from dynaflask.exceptions import ConfigurationError
    from dynaflask.exceptions import DamagedResponse
    from dynaflask.exceptions import DynaflaskError
    from dynaflask.exceptions import InvalidBody
    from dynaflask.exceptions import LocalServerError
    from dynaflask.exceptions import MigrationError
    from dynaflask.exceptions import StreamError
    from dynaflask.exceptions import TenantLimitExceeded
    from dynaflask.exceptions import TenantMismatch
    from dynaflask.exceptions import TenantRequired
    from dynaflask.exceptions import TransferError
    from dynaflask.exceptions import UnknownBind
    from dynaflask.exceptions import UnknownModel
    from dynaflask.exceptions import UnknownTenant
    from dynaflask.extension import Dynamo
    from dynaflask.model.indexes import GlobalSecondaryIndex
    from dynaflask.model.tenant_key import TenantKey
    from dynaflask.model.typed import Model
    from dynaflask.operations.operation import Operation
    from dynaflask.operations.operation import operation_finished
    from dynaflask.operations.usage import Usage
    from dynaflask.operations.usage import UsageKey
    from dynaflask.registry.health import Health
    from dynaflask.registry.registry import Registry
    from dynaflask.views.json_provider import JSONProvider
    from dynaflask.views.pagination import Page
else:
    # Hidden from type checkers, which would accept any name.
    def __getattr__(name: str) -> t.Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from dynaflask.collector import paused_to_import  # noqa: PLC0415 - an import of the package loads one module

        module = _MODULES.get(name, "dynaflask.exceptions")
        with paused_to_import(module):
            return globals().setdefault(name, getattr(importlib.import_module(module), name))


__all__ = [
    "AmbiguousModel",
    "BadCursor",
    "BatchWriteError",
    "Bind",
    "ClientPool",
    "ConditionFailed",
    "ConfigurationError",
    "DamagedResponse",
    "DynaflaskError",
    "Dynamo",
    "GlobalSecondaryIndex",
    "Health",
    "InvalidBody",
    "JSONProvider",
    "LocalServerError",
    "MigrationError",
    "Model",
    "Operation",
    "Page",
    "PoolStats",
    "Registry",
    "StreamError",
    "TenantKey",
    "TenantLimitExceeded",
    "TenantMismatch",
    "TenantRequired",
    "TransferError",
    "UnknownBind",
    "UnknownModel",
    "UnknownTenant",
    "Usage",
    "UsageKey",
    "operation_finished",
]

# The modules of the names that are no exceptions. Each is imported when a name of it is used: pytest imports this
# package in each run, to find the plugin in dynaflask.integrations.
_MODULES = {
    "Bind": "dynaflask.config.bind",
    "ClientPool": "dynaflask.client.pool",
    "Dynamo": "dynaflask.extension",
    "GlobalSecondaryIndex": "dynaflask.model.indexes",
    "Health": "dynaflask.registry.health",
    "JSONProvider": "dynaflask.views.json_provider",
    "Model": "dynaflask.model.typed",
    "Operation": "dynaflask.operations.operation",
    "Page": "dynaflask.views.pagination",
    "PoolStats": "dynaflask.client.pool",
    "Registry": "dynaflask.registry.registry",
    "TenantKey": "dynaflask.model.tenant_key",
    "Usage": "dynaflask.operations.usage",
    "UsageKey": "dynaflask.operations.usage",
    "operation_finished": "dynaflask.operations.operation",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
