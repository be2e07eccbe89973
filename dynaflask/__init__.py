"""DynamoDB for Flask, on PynamoDB: declare a model once, and every app in the process reaches its own destination."""

from __future__ import annotations

import typing as t

from dynaflask.binds import Bind
from dynaflask.exceptions import AmbiguousModel
from dynaflask.exceptions import BadCursor
from dynaflask.exceptions import BatchWriteError
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import EngineError
from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.exceptions import TransferError
from dynaflask.exceptions import UnknownBind
from dynaflask.exceptions import UnknownModel
from dynaflask.exceptions import UnknownTenant
from dynaflask.extension import Dynamo
from dynaflask.late import module
from dynaflask.registry import Registry
from dynaflask.signals import operation_finished
from dynaflask.wire.clients import ClientPool
from dynaflask.wire.clients import PoolStats

if t.TYPE_CHECKING:
    from dynaflask.json_provider import JSONProvider
    from dynaflask.operations import Operation
    from dynaflask.pagination import Page
    from dynaflask.tenant_keys import TenantKey
    from dynaflask.usage import Usage
    from dynaflask.usage import UsageKey

__all__ = [
    "AmbiguousModel",
    "BadCursor",
    "BatchWriteError",
    "Bind",
    "ClientPool",
    "ConfigurationError",
    "DynaflaskError",
    "Dynamo",
    "EngineError",
    "JSONProvider",
    "Operation",
    "Page",
    "PoolStats",
    "Registry",
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

# Where the names are that few programs use, so that the others do not pay for them.
_ON_DEMAND = {
    "JSONProvider": "json_provider",
    "Operation": "operations",
    "Page": "pagination",
    "TenantKey": "tenant_keys",
    "Usage": "usage",
    "UsageKey": "usage",
}


def __getattr__(name: str) -> t.Any:
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(module(f"{__name__}.{_ON_DEMAND[name]}"), name)
