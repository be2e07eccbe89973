"""Event handlers of a client and patches of botocore that a call outside botocore would bypass."""

from __future__ import annotations

import operator
import typing as t

from dynaflask.client.botocore_internals import BUILTIN_HANDLERS
from dynaflask.client.botocore_internals import event_handlers
from dynaflask.client.botocore_internals import events_version
from dynaflask.client.botocore_internals import is_discovery_guard
from dynaflask.client.botocore_internals import mock_is_active
from dynaflask.client.botocore_patches import call_path
from dynaflask.client.botocore_patches import creation_path
from dynaflask.client.botocore_patches import find_creation_patch
from dynaflask.client.botocore_patches import find_patch
from dynaflask.client.botocore_patches import static_call_path
from dynaflask.client.botocore_patches import static_creation_path
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


class _Examined:
    """The hooks that a call found, and what follows from them, until one of them changes.

    Args:
        version: Version of the client's event handlers.
        methods: Methods on the path of a call.
        static_methods: The same, as they stand in their classes.
    """

    def __init__(
        self, version: object = None, methods: tuple[t.Any, ...] = (), static_methods: tuple[t.Any, ...] = ()
    ) -> None:
        self.version = version
        self.methods = methods
        self.static_methods = static_methods
        # By the modules whose hooks a call leaves out: apps with and without a tracer share a client.
        self.reasons: dict[frozenset[str], str | None] = {}
        self.mocks: tuple[t.Any, ...] = ()
        self.handlers: dict[str, tuple[t.Any, ...]] = {}


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
        self._examined = _Examined()

    def blocking_reason(self, modules: frozenset[str] = frozenset()) -> str | None:
        """Reason why a call must go through botocore, or ``None`` if no hook needs it.

        Args:
            modules: Modules whose hooks the call leaves out.
        """
        version, methods, examined = events_version(self._client), call_path(self._client), self._examined
        if version is None or version is not examined.version or not _are_same(methods, examined.methods):
            static_methods = static_call_path(self._client)
            if (
                version is None
                or version is not examined.version
                or not _are_same(static_methods, examined.static_methods)
            ):
                examined = self._examined = _Examined(version, methods, static_methods)
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

    def _scan(self, examined: _Examined, modules: frozenset[str]) -> str | None:
        patch = find_patch(self._client, modules)
        if patch is not None or examined.version is None:
            return patch or "this botocore version does not expose its event handlers"
        handlers = {id(handler): handler for event in self._events for handler in event_handlers(self._client, event)}
        examined.mocks = tuple(filter(_is_mock, handlers.values()))
        for handler in handlers.values():
            if not (_is_replaced(handler) or _is_mock(handler) or is_of(_module(handler), modules)):
                return f"{_qualified_name(handler)} listens to the client's events{_origin(handler)}"
        return None


class FutureHooks:
    """The hooks that a client would have, if it was made now: patches of botocore's classes, and built-in handlers.

    One object serves all clients that are not made yet. Threads may examine the same change at once.
    """

    def __init__(self) -> None:
        self._examined = _Examined()

    def blocking_reason(self, modules: frozenset[str] = frozenset()) -> str | None:
        """Reason why the client must be made now, or ``None`` if no hook needs it.

        Args:
            modules: Modules whose hooks the call leaves out.
        """
        methods, examined = creation_path(), self._examined
        # What an earlier call found has as many methods, or none.
        if not (methods and examined.methods and all(map(operator.is_, methods, examined.methods))):
            static_methods = static_creation_path()
            if methods is None or not _are_same(static_methods, examined.static_methods):
                examined = self._examined = _Examined(None, methods or (), static_methods)
        if modules not in examined.reasons:
            examined.reasons[modules] = find_creation_patch(modules) or self._foreign_handler(modules)
        return "moto's mock is active" if mock_is_active() else examined.reasons[modules]

    @staticmethod
    def handlers(_: str) -> tuple[t.Any, ...]:
        """No handler: botocore's own handlers count from the first failed attempt on."""
        return ()

    @staticmethod
    def _foreign_handler(modules: frozenset[str]) -> str | None:
        for _, handler, *_ in BUILTIN_HANDLERS:
            if not (_is_builtin(handler) or _is_mock(handler) or is_of(_module(handler), modules)):
                return f"{_qualified_name(handler)} listens to the events of every client{_origin(handler)}"
        return None


future_hooks = FutureHooks()


def _are_same(methods: tuple[t.Any, ...], others: tuple[t.Any, ...]) -> bool:
    # Compare with `is`: wrapt, which tracers use, makes a wrapper equal to the function that it wraps.
    return len(methods) == len(others) and all(map(operator.is_, methods, others))


def _is_builtin(handler: t.Any) -> bool:
    return _module(handler).startswith("botocore.")


def _is_replaced(handler: t.Any) -> bool:
    module = _module(handler)
    return module in REPLACED_MODULES or module.startswith(OWN_PREFIX) or is_discovery_guard(handler)


def _is_mock(handler: t.Any) -> bool:
    # Once moto is imported, every new client has its handler, which does nothing until it is enabled.
    return _module(handler).startswith(MOTO_PREFIX) and hasattr(handler, "enabled")


def _origin(handler: t.Any) -> str:
    origin = named(_module(handler))
    return f": it is installed{origin}" if origin else ""


def _module(handler: t.Any) -> str:
    return getattr(handler, "__module__", None) or type(handler).__module__


def _qualified_name(handler: t.Any) -> str:
    return f"{_module(handler)}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
