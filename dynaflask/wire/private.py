"""The names that botocore, urllib3 and moto keep to themselves. Each is asked for here alone, and may be gone."""

from __future__ import annotations

import sys
import typing as t


def has_credentials(client: t.Any) -> bool:
    """Whether a client found credentials when it was made. One that cannot be asked is taken to have some."""
    signer = getattr(client, "_request_signer", None)
    return signer is None or bool(getattr(signer, "_credentials", True))


def mock_is_active() -> bool:
    """Whether ``moto.mock_aws`` stands in for AWS just now."""
    models = sys.modules.get("moto.core.models")
    return bool(getattr(getattr(models, "botocore_stubber", None), "enabled", False))


def http_session(client: t.Any) -> t.Any:
    """What a client sends its requests with."""
    return getattr(getattr(client, "_endpoint", None), "http_session", None)


def count_idle_sockets(client: t.Any) -> int:
    """How many connections a client keeps open for its next calls."""
    manager = getattr(http_session(client), "_manager", None)
    pools = getattr(getattr(manager, "pools", None), "_container", {})
    queues = (getattr(getattr(pool, "pool", None), "queue", ()) for pool in list(pools.values()))
    return sum(getattr(connection, "sock", None) is not None for queue in queues for connection in list(queue))
