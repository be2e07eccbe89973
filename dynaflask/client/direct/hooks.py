"""Event handlers of a client and patches of botocore that a call outside botocore would bypass."""

from __future__ import annotations

import typing as t

from dynaflask.client.botocore_internals import BUILTIN_HANDLERS
from dynaflask.client.botocore_internals import event_handlers
from dynaflask.client.botocore_internals import is_discovery_guard
from dynaflask.client.botocore_internals import mock_is_active
from dynaflask.client.botocore_patches import find_creation_patch
from dynaflask.client.botocore_patches import find_patch
from dynaflask.client.direct.examined_hooks import ExaminedClasses
from dynaflask.client.direct.examined_hooks import ExaminedClient
from dynaflask.client.direct.examined_hooks import is_mock
from dynaflask.client.direct.examined_hooks import module_of
from dynaflask.client.tracer_patches import is_of
from dynaflask.client.tracer_patches import named

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
        self._examined = ExaminedClient(client)

    def blocking_reason(self, modules: frozenset[str] = frozenset()) -> str | None:
        """Reason why a call must go through botocore, or ``None`` if no hook needs it.

        Args:
            modules: Modules whose hooks the call leaves out.
        """
        examined = self._examined
        if not examined.is_current(self._client):
            examined = self._examined = ExaminedClient(self._client)
        if modules not in examined.reasons:
            examined.reasons[modules] = self._scan(examined, modules)
        # moto enables and disables its handler without registering it again.
        if examined.mocks and any(mock.enabled for mock in examined.mocks):
            return "moto's mock is active"
        return examined.reasons[modules]

    def handlers(self, event: str) -> tuple[t.Any, ...]:
        """The handlers that botocore would call at an event, in its order.

        Args:
            event: Full name of the event, with service and operation.
        """
        cache = self._examined.handlers
        handlers = cache.get(event)
        if handlers is None:
            handlers = cache[event] = event_handlers(self._client, event)
        return handlers

    def _scan(self, examined: ExaminedClient, modules: frozenset[str]) -> str | None:
        patch = find_patch(self._client, modules)
        if patch is not None or examined.version is None:
            return patch or "this botocore version does not expose its event handlers"
        handlers = {id(handler): handler for event in self._events for handler in event_handlers(self._client, event)}
        examined.mocks = tuple(filter(is_mock, handlers.values()))
        for handler in handlers.values():
            if not (_is_replaced(handler) or is_mock(handler) or is_of(module_of(handler), modules)):
                return f"{_qualified_name(handler)} listens to the client's events{_origin(handler)}"
        return None


class FutureHooks:
    """The hooks that a client would have, if it was made now: patches of botocore's classes, and built-in handlers.

    One object serves all clients that are not made yet. Threads may examine the same change at once.
    """

    def __init__(self) -> None:
        self._examined = ExaminedClasses()

    def blocking_reason(self, modules: frozenset[str] = frozenset()) -> str | None:
        """Reason why the client must be made now, or ``None`` if no hook needs it.

        Args:
            modules: Modules whose hooks the call leaves out.
        """
        examined = self._examined
        if not examined.is_current():
            examined = self._examined = ExaminedClasses()
        if modules not in examined.reasons:
            examined.reasons[modules] = find_creation_patch(modules) or self._foreign_handler(modules)
        return "moto's mock is active" if examined.mocks and mock_is_active() else examined.reasons[modules]

    @staticmethod
    def handlers(_: str) -> tuple[t.Any, ...]:
        """No handler: botocore's own handlers count from the first failed attempt on."""
        return ()

    @staticmethod
    def _foreign_handler(modules: frozenset[str]) -> str | None:
        for _, handler, *_ in BUILTIN_HANDLERS:
            if not (_is_builtin(handler) or is_mock(handler) or is_of(module_of(handler), modules)):
                return f"{_qualified_name(handler)} listens to the events of every client{_origin(handler)}"
        return None


def _is_builtin(handler: t.Any) -> bool:
    return module_of(handler).startswith("botocore.")


def _is_replaced(handler: t.Any) -> bool:
    module = module_of(handler)
    return module in REPLACED_MODULES or module.startswith(OWN_PREFIX) or is_discovery_guard(handler)


def _origin(handler: t.Any) -> str:
    origin = named(module_of(handler))
    return f": it is installed{origin}" if origin else ""


def _qualified_name(handler: t.Any) -> str:
    return f"{module_of(handler)}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"


future_hooks = FutureHooks()
