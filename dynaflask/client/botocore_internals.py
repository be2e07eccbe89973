"""The names that botocore, urllib3 and moto keep to themselves. Each is asked for here alone, and may be gone."""

from __future__ import annotations

import contextlib
import sys
import types
import typing as t

import botocore.discovery
from botocore.awsrequest import HeadersDict
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session

with contextlib.suppress(ImportError):
    import botocore.context


def has_credentials(client: t.Any) -> bool:
    """Whether a client found credentials when it was made. One that cannot be asked is taken to have some."""
    signer = getattr(client, "_request_signer", None)
    return signer is None or bool(getattr(signer, "_credentials", True))


def call_features() -> frozenset[str] | None:
    """The features of botocore's that the call under way uses, for its user agent; ``None`` if that is not known."""
    try:
        context = botocore.context.get_context()
    except AttributeError:
        return None
    return frozenset(context.features) if context else frozenset()


def replace_serializer(client: t.Any, *, stock: type, by: t.Any) -> None:
    """Give a client another serializer, if it has the stock one."""
    _replace(client, "_serializer", stock=stock, by=by)


def replace_resolver(client: t.Any, *, stock: type, by: t.Any, needs: tuple[str, ...]) -> None:
    """Give a client another resolver of endpoints, if it has the stock one, with all that the other needs."""
    resolver = getattr(client, "_ruleset_resolver", None)
    if all(hasattr(resolver, name) for name in needs):
        _replace(client, "_ruleset_resolver", stock=stock, by=by)


def lower_headers(headers: t.Any) -> dict[str, str]:
    """The headers of an answer, by lower-case name."""
    # Each look into botocore's headers makes a key anew.
    held = getattr(headers, "_dict", headers) if type(headers) is HeadersDict else headers
    return {str(name).lower(): value for name, value in held.items()}


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


def event_handlers(client: t.Any, event: str) -> tuple[t.Any, ...]:
    """Those that a client calls at an event."""
    handlers = getattr(_emitter(client), "_handlers", None)
    return tuple(handlers.prefix_search(event)) if handlers is not None else ()


def events_version(client: t.Any) -> object | None:
    """An object that is another one whenever a handler was registered on a client; ``None`` if there is none to be had.

    It is botocore's cache of the handlers of each event, which a registration replaces.
    """
    return getattr(_emitter(client), "_lookup_cache", None)


def is_discovery_guard(handler: t.Any) -> bool:
    """Whether a handler is the one that botocore gives to clients of AWS's own endpoints.

    It refuses operations that cannot do without endpoint discovery, of which DynamoDB has none.
    """
    return handler is getattr(botocore.discovery, "block_endpoint_discovery_required_operations", None)


def frozen_credentials(client: t.Any) -> t.Any:
    """What a client signs with just now, renewed if it is time; ``None`` without credentials."""
    credentials = getattr(getattr(client, "_request_signer", None), "_credentials", None)
    return credentials.get_frozen_credentials() if credentials is not None else None


def has_proxy(client: t.Any) -> bool:
    """Whether a client goes through a proxy. One that cannot be asked is taken to."""
    configuration = getattr(http_session(client), "_proxy_config", None)
    return configuration is None or configuration.proxy_url_for(client.meta.endpoint_url) is not None


def socket_options(client: t.Any) -> tuple[tuple[int, int, int], ...]:
    """What a client sets on its sockets."""
    return tuple(getattr(http_session(client), "_socket_options", ()))


def _emitter(client: t.Any) -> t.Any:
    return getattr(client.meta.events, "_emitter", None)


def _replace(client: t.Any, name: str, *, stock: type, by: t.Any) -> None:
    part = getattr(client, name, None)
    if type(part) is stock:
        other = by.__new__(by)
        vars(other).update(vars(part))
        setattr(client, name, other)


# Methods that tracers, mocks and tests replace to see each call.
_CALL_PATH: tuple[tuple[type, str], ...] = (
    (BaseClient, "_make_api_call"),
    (Endpoint, "make_request"),
    (Endpoint, "prepare_request"),
    (Endpoint, "_send"),
    (URLLib3Session, "send"),
)
# Separate tuples for `map`: `call_path` runs at each call.
_CALL_PATH_DICTS = tuple(vars(owner) for owner, _ in _CALL_PATH)
_CALL_PATH_NAMES = tuple(name for _, name in _CALL_PATH)


def make_api_call(client: t.Any, operation_name: str, params: dict[str, t.Any]) -> t.Any:
    """The result of a call that botocore makes.

    If the name is gone, every call raises ``AttributeError``, as it does with PynamoDB, which uses the name, too.
    """
    return client._make_api_call(operation_name, params)


def call_path(client: t.Any) -> tuple[t.Any, ...]:
    """The methods that a call of a client goes through, to compare with those of an earlier call.

    A method that is gone is ``None``, and ``find_patch`` names it.
    """
    own = vars(client).get("_make_api_call"), getattr(type(client), "_make_api_call", None)
    return (*own, *map(types.MappingProxyType.get, _CALL_PATH_DICTS, _CALL_PATH_NAMES))


def find_patch(client: t.Any) -> str | None:
    """The first patched method on the path of a client's calls, as a sentence, or ``None`` if there is none.

    A method that is gone counts as patched, so that botocore makes the calls.
    """
    own = getattr(type(client), "_make_api_call", None)
    if "_make_api_call" in vars(client) or own is not vars(BaseClient).get("_make_api_call"):
        return "the client's _make_api_call is patched"
    for owner, name in _CALL_PATH:
        if not _is_defined_by_botocore(vars(owner).get(name)):
            return f"botocore's {owner.__name__}.{name} is patched"
    return None


def _is_defined_by_botocore(method: t.Any) -> bool:
    # Not by `__module__`, which `functools.wraps` copies to the wrapper.
    return type(method) is types.FunctionType and method.__globals__["__name__"].startswith("botocore.")
