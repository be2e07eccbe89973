"""The private names of botocore, urllib3 and moto that dynaflask uses. `botocore_patches` has the others.

A release of these libraries may rename each of them. Each function says what it returns then; calls go on, made by
botocore.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import functools
import operator
import sys
import typing as t

import botocore.awsrequest
import botocore.discovery
import botocore.handlers
import botocore.httpsession
import botocore.retries.standard
import botocore.useragent
import botocore.utils

from dynaflask.operations.tracing import silenced

if t.TYPE_CHECKING:
    import ssl

    cached_property = functools.cached_property
else:
    # Without a lock. Up to Python 3.11, that of functools holds one for all objects of a class while it computes a
    # value: a child that is forked meanwhile waits for it for ever. Two threads at once compute the value twice.
    cached_property = botocore.utils.CachedProperty

with contextlib.suppress(ImportError):
    import botocore.context

_find_freeze = operator.attrgetter("_request_signer._credentials.get_frozen_credentials")

# The event handlers that botocore registers on each new session. moto appends its own when it is imported. Empty if the
# name is gone: then moto must be imported before the first client is made.
BUILTIN_HANDLERS: list[t.Any] = getattr(botocore.handlers, "BUILTIN_HANDLERS", [])
HeadersDict: t.Any = getattr(botocore.awsrequest, "HeadersDict", None)


def has_credentials(client: t.Any) -> bool:
    """True if a client found credentials when it was made, and for a client without the private names."""
    signer = getattr(client, "_request_signer", None)
    return signer is None or bool(getattr(signer, "_credentials", True))


def session_credentials(session: t.Any) -> t.Any:
    """The credentials that a session has loaded; ``None`` if it has loaded none, or a name is gone."""
    return getattr(getattr(session, "_session", session), "_credentials", None)


def mock_is_active() -> bool:
    """True while ``moto.mock_aws`` replaces AWS. False for a moto without the private names."""
    models = sys.modules.get("moto.core.models")
    return models is not None and bool(getattr(getattr(models, "botocore_stubber", None), "enabled", False))


def http_session(client: t.Any) -> t.Any:
    """The object that sends a client's requests over urllib3; ``None`` if its name is gone."""
    return getattr(getattr(client, "_endpoint", None), "http_session", None)


# Connection pools of parent processes, never closed: their sockets belong to the parent, and a thread that this process
# does not have may hold their locks.
_parents_pools: list[t.Any] = []


def renew_sockets(session: t.Any) -> bool:
    """Give a client's HTTP session new connection pools, in a forked child. The parent's connections stay open.

    Args:
        session: What :func:`http_session` returned.

    Returns:
        False if a name is gone. The session must not send then.
    """
    try:
        old, proxy_managers = session._manager, session._proxy_managers
        new = type(old)(**old.connection_pool_kw)
        new.pool_classes_by_scheme = old.pool_classes_by_scheme
    except AttributeError:
        return False
    _parents_pools.append((old, proxy_managers))
    session._manager, session._proxy_managers = new, {}
    return True


def count_idle_sockets(client: t.Any) -> int:
    """Number of open connections that a client keeps for its next calls; 0 if a name is gone."""
    manager = getattr(http_session(client), "_manager", None)
    pools = getattr(getattr(manager, "pools", None), "_container", {})
    queues = (getattr(getattr(pool, "pool", None), "queue", ()) for pool in list(pools.values()))
    return sum(getattr(connection, "sock", None) is not None for queue in queues for connection in list(queue))


def verify_option(client: t.Any) -> t.Any:
    """The ``verify`` option of a client: True or the path of a CA bundle.

    Returns:
        The option; ``None`` for a client that does not verify, has a client certificate or proxy settings, and if a
        name is gone. Such a client keeps its own TLS context.
    """
    session = http_session(client)
    try:
        has_more = session._cert_file or session._proxy_config.settings
        return None if has_more else session._verify or None
    except AttributeError:
        return None


def ca_bundle_path(verify: t.Any) -> t.Any:
    """Path of the CA bundle of a ``verify`` option; ``None`` if the name is gone."""
    find_path: t.Any = getattr(botocore.httpsession, "get_cert_path", None)
    return find_path(verify) if find_path is not None else None


def new_tls_context() -> ssl.SSLContext | None:
    """A TLS context with botocore's options; ``None`` if the name is gone."""
    make_context: t.Any = getattr(botocore.httpsession, "create_urllib3_context", None)
    return make_context() if make_context is not None else None


def use_tls_context(client: t.Any, make_context: cabc.Callable[[], ssl.SSLContext | None]) -> None:
    """Let a client open its connections with a TLS context that has the CA bundle. Does nothing if a name is gone.

    Args:
        client: A client that has not made a call yet.
        make_context: Called before each request; returns the context, or ``None`` for botocore's own.
    """
    session = http_session(client)
    stock_setup = getattr(session, "_setup_ssl_cert", None)
    if stock_setup is None:
        return

    def setup(pool: t.Any, url: str, verify: t.Any) -> None:
        stock_setup(pool, url, verify)
        options: t.Any = getattr(pool, "conn_kw", None)
        context = make_context() if options is not None and url.startswith("https:") else None
        if context is not None:
            options["ssl_context"] = context
            # urllib3 would read the bundle into the context again for each connection.
            pool.ca_certs = None

    session._setup_ssl_cert = setup


def replace_serializer(client: t.Any, *, stock: type, by: t.Any) -> None:
    """Replace the serializer of a client, if it is the stock one. Does nothing if the name is gone."""
    serializer = getattr(client, "_serializer", None)
    if type(serializer) is stock:
        client._serializer = by.__new__(by)
        vars(client._serializer).update(vars(serializer))


def lower_headers(headers: t.Any) -> dict[str, str]:
    """The headers of a response, by lower-case name.

    If the name is gone, they are read through botocore's mapping, which is slower: it makes a key object for each
    lookup.
    """
    items = getattr(headers, "_dict", headers) if type(headers) is HeadersDict else headers
    return {str(name).lower(): value for name, value in items.items()}


def user_agent(config: t.Any, features: cabc.Iterable[str]) -> str:
    """The ``User-Agent`` header of a client, without the client.

    Args:
        config: The client's ``Config``.
        features: Names of the botocore features that its calls use. A botocore without such names has no such part.
    """
    register: t.Any = getattr(botocore.useragent, "register_feature_id", None)
    agent = botocore.useragent.UserAgentString.from_environment().with_client_config(config)
    if register is None:
        return agent.to_string()
    # A context of its own: the features of a call in progress are not those of this client.
    return contextvars.Context().run(_user_agent_with, agent, register, features)


def _user_agent_with(agent: t.Any, register: t.Any, features: cabc.Iterable[str]) -> str:
    start: t.Any = botocore.context.start_as_current_context
    with start():
        for feature in features:
            register(feature)
        return t.cast("str", agent.to_string())


def first_attempt_names_limit() -> bool:
    """True if the first attempt of a call names the limit of attempts: botocore 1.44 does, and 1.35 does not."""
    return hasattr(botocore.retries.standard, "MaxAttemptsSeeder")


def signing_destination(client: t.Any) -> tuple[str, str] | None:
    """The region and the service name that a client signs with; ``None`` if a name is gone."""
    signer: t.Any = getattr(client, "_request_signer", None)
    try:
        return signer.region_name, signer.signing_name
    except AttributeError:
        return None


def event_handlers(client: t.Any, event: str) -> tuple[t.Any, ...]:
    """The handlers that a client calls at an event; none if a name is gone."""
    search = getattr(getattr(_emitter(client), "_handlers", None), "prefix_search", None)
    return tuple(search(event)) if search is not None else ()


def events_version(client: t.Any) -> object | None:
    """An object that changes whenever a handler is registered on a client; ``None`` if a name is gone.

    It is botocore's cache of the handlers of each event. Each registration replaces it.
    """
    return getattr(_emitter(client), "_lookup_cache", None)


def is_discovery_guard(handler: t.Any) -> bool:
    """True for the handler that botocore registers on clients of AWS's own endpoints. False if the name is gone.

    It refuses operations that require endpoint discovery. DynamoDB has none.
    """
    return handler is getattr(botocore.discovery, "block_endpoint_discovery_required_operations", None)


def frozen_credentials(client: t.Any) -> t.Any:
    """The credentials that a client signs with, refreshed if they are about to expire.

    ``None`` without credentials, and if a name is gone.
    """
    try:
        freeze = _find_freeze(client)
    except AttributeError:
        return None
    return freeze()


def has_proxy(client: t.Any) -> bool:
    """True if a client uses a proxy, and if a name is gone."""
    find_proxy = getattr(getattr(http_session(client), "_proxy_config", None), "proxy_url_for", None)
    return find_proxy is None or find_proxy(client.meta.endpoint_url) is not None


# What a call outside botocore reads of a client. Each may be None, but not be gone.
_READ_BY_DIRECT = (
    "_endpoint.http_session._proxy_config.proxy_url_for",
    "_endpoint.http_session._verify",
    "_endpoint.http_session._cert_file",
    "_endpoint.http_session._socket_options",
    "meta.events._emitter._handlers.prefix_search",
    "meta.events._emitter._lookup_cache",
    "_request_signer._credentials.get_frozen_credentials",
)


def missing_name(client: t.Any) -> str | None:
    """The first name that a call outside botocore needs and this botocore does not have; ``None`` if it has all."""
    for path in _READ_BY_DIRECT:
        value, owner = client, "client"
        for name in path.split("."):
            if value is not None and not hasattr(value, name):
                return f"{owner} has no {name!r}"
            value, owner = getattr(value, name, None), name
    for name in ("get_cert_path", "create_urllib3_context"):
        if not hasattr(botocore.httpsession, name):
            return f"botocore.httpsession has no {name!r}"
    return None


def socket_options(client: t.Any) -> tuple[tuple[int, int, int], ...]:
    """The options that a client sets on its sockets; none if a name is gone."""
    return tuple(getattr(http_session(client), "_socket_options", ()))


def _emitter(client: t.Any) -> t.Any:
    return getattr(client.meta.events, "_emitter", None)


def make_api_call(client: t.Any, operation_name: str, params: dict[str, t.Any]) -> t.Any:
    """The result of a call that botocore makes.

    If the name is gone, every call raises ``AttributeError``, as it does with PynamoDB, which uses the name, too.
    """
    return client._make_api_call(operation_name, params)


def make_silenced_call(client: t.Any, operation_name: str, params: dict[str, t.Any]) -> t.Any:
    """The result of a call that botocore makes for an app whose tracers see the call; as :func:`make_api_call`."""
    with silenced():
        return make_api_call(client, operation_name, params)
