"""DynamoDB for Flask, on PynamoDB: declare a model once, and every app in the process reaches its own destination."""

from __future__ import annotations

from dynaflask.client.pool import ClientPool
from dynaflask.client.pool import PoolStats
from dynaflask.config.bind import Bind
from dynaflask.exceptions import AmbiguousModel
from dynaflask.exceptions import BadCursor
from dynaflask.exceptions import BatchWriteError
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import DamagedResponse
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import InvalidBody
from dynaflask.exceptions import LocalServerError
from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TenantRequired
from dynaflask.exceptions import TransferError
from dynaflask.exceptions import UnknownBind
from dynaflask.exceptions import UnknownModel
from dynaflask.exceptions import UnknownTenant
from dynaflask.extension import Dynamo
from dynaflask.model.tenant_key import TenantKey
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.usage import Usage
from dynaflask.operations.usage import UsageKey
from dynaflask.registry.health import Health
from dynaflask.registry.registry import Registry
from dynaflask.views.json_provider import JSONProvider
from dynaflask.views.pagination import Page

__all__ = [
    "AmbiguousModel",
    "BadCursor",
    "BatchWriteError",
    "Bind",
    "ClientPool",
    "ConfigurationError",
    "DamagedResponse",
    "DynaflaskError",
    "Dynamo",
    "Health",
    "InvalidBody",
    "JSONProvider",
    "LocalServerError",
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
