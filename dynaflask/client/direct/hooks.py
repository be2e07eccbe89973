"""Event handlers of a client and patches of botocore that a call outside botocore would bypass."""

from __future__ import annotations

import operator
import typing as t

from dynaflask.client.botocore_internals import BUILTIN_HANDLERS
from dynaflask.client.botocore_internals import call_path
from dynaflask.client.botocore_internals import creation_path
from dynaflask.client.botocore_internals import event_handlers
from dynaflask.client.botocore_internals import events_version
from dynaflask.client.botocore_internals import find_creation_patch
from dynaflask.client.botocore_internals import find_patch
from dynaflask.client.botocore_internals import is_discovery_guard
from dynaflask.client.botocore_internals import mock_is_active

# The direct transport does what the default handlers in these modules do. Handlers that a program adds, such as the
# Stubber's, and the rate limiter of the adaptive retry mode are defined in other modules of botocore.
REPLACED_MODULES = (
    "botocore.handlers",
    "botocore.retries.standard",
    "botocore.retryhandler",
    "botocore.signers",
    "botocore.useragent",
)
OWN_PREFIX = "dynaflask."
MOTO_PREFIX = "moto."

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


class ClientHooks:
    """The hooks of one client: its event handlers and the patches of its methods.

    The handlers are examined again only after a handler was registered or a method was patched.

    Args:
        client: The client.
        operations: Names of the operations that can bypass botocore.
    """

    def __init__(self, client: t.Any, *, operations: t.Iterable[str]) -> None:
        self._client = client
        service = client.meta.service_model.service_id.hyphenize()
        self._events = [f"{event}.{service}.{operation}" for event in EVENTS for operation in operations]
        self._version: t.Any = None
        self._call_path: tuple[t.Any, ...] = ()
        self._mocks: tuple[t.Any, ...] = ()
        self._reason: str | None = None
        self._handlers: dict[str, tuple[t.Any, ...]] = {}

    def blocking_reason(self) -> str | None:
        """Reason why a call must go through botocore, or ``None`` if no hook needs it."""
        version, methods = events_version(self._client), call_path(self._client)
        # Compare with `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
        are_same = all(map(operator.is_, methods, self._call_path))
        if version is None or version is not self._version or not are_same:
            self._reason = self._scan(has_version=version is not None)
            self._version, self._call_path, self._handlers = version, methods, {}
        # moto enables and disables its handler without registering it again.
        if self._mocks and any(mock.enabled for mock in self._mocks):
            return "moto's mock is active"
        return self._reason

    def emit(self, event: str, **arguments: t.Any) -> None:
        """Call the handlers of an event, as botocore does.

        Args:
            event: Full name of the event, with service and operation.
            **arguments: Arguments of the handlers.
        """
        handlers = self._handlers.get(event)
        if handlers is None:
            handlers = self._handlers[event] = event_handlers(self._client, event)
        for handler in handlers:
            handler(event_name=event, **arguments)

    def _scan(self, *, has_version: bool) -> str | None:
        patch = find_patch(self._client)
        if patch is not None or not has_version:
            return patch or "this botocore version does not expose its event handlers"
        handlers = {id(handler): handler for event in self._events for handler in event_handlers(self._client, event)}
        self._mocks = tuple(filter(_is_mock, handlers.values()))
        for handler in handlers.values():
            if not (_is_replaced(handler) or _is_mock(handler)):
                return f"{_qualified_name(handler)} listens to the client's events"
        return None


class FutureHooks:
    """The hooks that a client would have, if it was made now: patches of botocore's classes, and built-in handlers.

    One object serves all clients that are not made yet. Threads may examine the same change at once.
    """

    def __init__(self) -> None:
        self._examined: tuple[tuple[t.Any, ...], str | None] = ((), None)

    def blocking_reason(self) -> str | None:
        """Reason why the client must be made now, or ``None`` if no hook needs it."""
        methods = creation_path()
        former, reason = self._examined
        # Compare with `is`: see `ClientHooks.blocking_reason`.
        if methods is None or len(methods) != len(former) or not all(map(operator.is_, methods, former)):
            reason = find_creation_patch() or self._foreign_handler()
            self._examined = (methods or (), reason)
        return "moto's mock is active" if mock_is_active() else reason

    def emit(self, event: str, **arguments: t.Any) -> None:
        """Call no handler: what botocore's own handlers keep count of begins with the first failed attempt."""

    @staticmethod
    def _foreign_handler() -> str | None:
        for _, handler, *_ in BUILTIN_HANDLERS:
            if not (_is_builtin(handler) or _is_mock(handler)):
                return f"{_qualified_name(handler)} listens to the events of every client"
        return None


future_hooks = FutureHooks()


def _is_builtin(handler: t.Any) -> bool:
    return _module(handler).startswith("botocore.")


def _is_replaced(handler: t.Any) -> bool:
    module = _module(handler)
    return module in REPLACED_MODULES or module.startswith(OWN_PREFIX) or is_discovery_guard(handler)


def _is_mock(handler: t.Any) -> bool:
    # Once moto is imported, every new client has its handler, which does nothing until it is enabled.
    return _module(handler).startswith(MOTO_PREFIX) and hasattr(handler, "enabled")


def _module(handler: t.Any) -> str:
    return getattr(handler, "__module__", None) or type(handler).__module__


def _qualified_name(handler: t.Any) -> str:
    return f"{_module(handler)}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
