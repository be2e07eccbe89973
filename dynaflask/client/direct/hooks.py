"""Who would miss something if a call went round botocore: handlers of a client's events, and patches of its code."""

from __future__ import annotations

import operator
import types
import typing as t

from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session

from dynaflask.client.botocore_internals import event_handlers
from dynaflask.client.botocore_internals import events_version
from dynaflask.client.botocore_internals import is_discovery_guard

# What botocore's own handlers do, the direct way does as well. In other modules of it are those that a user adds, such
# as the Stubber's, and the rate limiter of the adaptive retries.
KNOWN = (
    "botocore.handlers",
    "botocore.retries.standard",
    "botocore.retryhandler",
    "botocore.signers",
    "botocore.useragent",
)
OWN = "dynaflask."
MOTO = "moto."

EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "before-parse",
    "response-received",
    "needs-retry",
    "after-call",
    "after-call-error",
)

# What tracers and tests put their own in place of.
METHODS: tuple[tuple[type, str], ...] = (
    (BaseClient, "_make_api_call"),
    (Endpoint, "make_request"),
    (Endpoint, "prepare_request"),
    (Endpoint, "_send"),
    (URLLib3Session, "send"),
)
# Asked for at every call.
SPACES = tuple(vars(owner) for owner, _ in METHODS)
NAMES = tuple(name for _, name in METHODS)


class Listeners:
    """Those of one client. Asking again costs next to nothing as long as nothing was registered or patched.

    Args:
        client: The client.
        operations: The operations that matter.
    """

    def __init__(self, client: t.Any, *, operations: t.Iterable[str]) -> None:
        self._client = client
        service = client.meta.service_model.service_id.hyphenize()
        self._events = [f"{event}.{service}.{operation}" for event in EVENTS for operation in operations]
        self._version: t.Any = None
        self._methods: tuple[t.Any, ...] = ()
        self._mocks: tuple[t.Any, ...] = ()
        self._found: str | None = None
        self._told: dict[str, tuple[t.Any, ...]] = {}

    def blocking_reason(self) -> str | None:
        """Who listens; ``None`` if nobody does."""
        version, methods = events_version(self._client), _methods(self._client)
        # A wrapper says that it equals what it wraps.
        are_same = len(methods) == len(self._methods) and all(map(operator.is_, methods, self._methods))
        if version is None or version is not self._version or not are_same:
            self._found = self._scan(is_shown=version is not None)
            self._version, self._methods, self._told = version, methods, {}
        if self._mocks and any(mock.enabled for mock in self._mocks):
            return "moto's mock is active"
        return self._found

    def emit(self, event: str, **facts: t.Any) -> None:
        """Tell those that are known, as botocore would.

        Args:
            event: The event, with service and operation.
            **facts: What it is about.
        """
        told = self._told.get(event)
        if told is None:
            told = self._told[event] = event_handlers(self._client, event)
        for handler in told:
            handler(event_name=event, **facts)

    def _scan(self, *, is_shown: bool) -> str | None:
        patch = _patch(self._client)
        if patch is not None or not is_shown:
            return patch or "this botocore does not show who listens"
        handlers = {id(handler): handler for event in self._events for handler in event_handlers(self._client, event)}
        mocks = [handler for handler in handlers.values() if _is_mock(handler)]
        foreign = [handler for handler in handlers.values() if not (_is_known(handler) or _is_mock(handler))]
        self._mocks = tuple(mocks)
        return f"{_name(foreign[0])} listens to the client's events" if foreign else None


def _is_known(handler: t.Any) -> bool:
    module = _module(handler)
    return module in KNOWN or module.startswith(OWN) or is_discovery_guard(handler)


def _is_mock(handler: t.Any) -> bool:
    # moto's handler is on every client once it is imported, and does nothing until it is enabled.
    return _module(handler).startswith(MOTO) and hasattr(handler, "enabled")


def _module(handler: t.Any) -> str:
    return getattr(handler, "__module__", None) or type(handler).__module__


def _name(handler: t.Any) -> str:
    return f"{_module(handler)}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"


def _methods(client: t.Any) -> tuple[t.Any, ...]:
    own = vars(client).get("_make_api_call"), getattr(type(client), "_make_api_call", None)
    return (*own, *map(types.MappingProxyType.get, SPACES, NAMES))


def _patch(client: t.Any) -> str | None:
    own = getattr(type(client), "_make_api_call", None)
    if "_make_api_call" in vars(client) or own is not vars(BaseClient).get("_make_api_call"):
        return "the client's _make_api_call is patched"
    for owner, name in METHODS:
        if not _is_botocores(vars(owner).get(name)):
            return f"botocore's {owner.__name__}.{name} is patched"
    return None


def _is_botocores(method: t.Any) -> bool:
    # Not its `__module__`, which a wrapper copies.
    return type(method) is types.FunctionType and method.__globals__["__name__"].startswith("botocore.")
