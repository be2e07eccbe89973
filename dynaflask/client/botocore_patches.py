"""The methods of botocore that tracers, mocks and tests patch, on the path of a call and on that of a new client.

The direct transport leaves the calls to botocore while one of them is patched, so that the patch sees each call.
"""

from __future__ import annotations

import importlib
import operator
import types
import typing as t

import botocore.auth
import botocore.session
from botocore.client import BaseClient
from botocore.endpoint import Endpoint
from botocore.httpsession import URLLib3Session

from dynaflask.client.tracer_patches import is_left_out
from dynaflask.client.tracer_patches import patched_by

#: The method that a patch of one client replaces.
CALL_METHOD: t.Final = "_make_api_call"
# Methods that tracers, mocks and tests replace to see each call.
_CALL_PATH: tuple[tuple[type, str], ...] = (
    (BaseClient, CALL_METHOD),
    (Endpoint, "make_request"),
    (Endpoint, "prepare_request"),
    (Endpoint, "_send"),
    (URLLib3Session, "send"),
)

#: The classes of these methods.
CALL_CLASSES: t.Final = tuple(dict.fromkeys(owner for owner, _ in _CALL_PATH))

# Separate tuples for `map`.
_CALL_PATH_DICTS = tuple(vars(owner) for owner, _ in _CALL_PATH)

_CALL_PATH_NAMES = tuple(name for _, name in _CALL_PATH)


def call_path(client: t.Any) -> tuple[t.Any, ...]:
    """The methods of classes that a call of a client goes through, to compare with those of an earlier call.

    A method that is gone is ``None``, and ``find_patch`` names it.
    """
    own = getattr(type(client), CALL_METHOD, None)
    return (own, *map(types.MappingProxyType.get, _CALL_PATH_DICTS, _CALL_PATH_NAMES))


def static_call_path(client: t.Any) -> tuple[t.Any, ...]:
    """The same methods as they stand in their classes, which is slower.

    A wrapper of wrapt, which tracers use, is another object each time that it is read as an attribute of its class.
    """
    own = [vars(cls).get(CALL_METHOD) for cls in type(client).__mro__]
    return (*own, *map(types.MappingProxyType.get, _CALL_PATH_DICTS, _CALL_PATH_NAMES))


def find_patch(client: t.Any, modules: frozenset[str]) -> str | None:
    """The first patched method on the path of a client's calls, as a sentence, or ``None`` if there is none.

    A method that is gone counts as patched, so that botocore makes the calls.

    Args:
        client: The client.
        modules: Modules whose patches the call leaves out.
    """
    owners = [cls for cls in type(client).__mro__ if CALL_METHOD in vars(cls)]
    if CALL_METHOD in vars(client) or owners[:1] not in ([BaseClient], []):
        return "the client's _make_api_call is patched"
    for owner, name in _CALL_PATH:
        method = vars(owner).get(name)
        if not is_left_out(method, modules):
            return f"botocore's {owner.__name__}.{name} is patched{patched_by(method)}"
    return None


# Classes that make a client or its requests. Tracers patch their methods to see each new client. None: it is renamed.
_CREATORS: dict[str, t.Any] = {
    name: getattr(importlib.import_module(f"botocore.{module}"), name, None)
    for module, name in (
        ("session", "Session"),
        ("client", "ClientCreator"),
        ("client", "BaseClient"),
        ("args", "ClientArgsCreator"),
        ("endpoint", "EndpointCreator"),
        ("endpoint", "Endpoint"),
        ("httpsession", "URLLib3Session"),
        ("signers", "RequestSigner"),
        ("auth", "SigV4Auth"),
        ("useragent", "UserAgentString"),
        ("hooks", "HierarchicalEmitter"),
    )
}

#: The classes whose methods make a client and its calls.
CREATORS: t.Final = tuple(cls for cls in _CREATORS.values() if cls is not None)

# The methods that known tracers patch, compared to find a change. All others are examined after one.
# `attrgetter` reads all of them in a third of the time of separate look-ups.
_creators_by_name = types.SimpleNamespace(**_CREATORS)

_CREATION_PATH: tuple[tuple[str, str], ...] = (
    *((owner.__name__, name) for owner, name in _CALL_PATH),
    ("BaseClient", "__init__"),
    ("Session", "create_client"),
    ("ClientCreator", "create_client"),
    ("ClientCreator", "_create_methods"),
    ("ClientCreator", "_create_api_method"),
    ("SigV4Auth", "add_auth"),
)

_creation_methods = operator.attrgetter(*map(".".join, _CREATION_PATH))

_CREATION_DICTS = tuple(vars(_CREATORS[name] or object) for name, _ in _CREATION_PATH)

_CREATION_NAMES = tuple(name for _, name in _CREATION_PATH)


def creation_path() -> tuple[t.Any, ...] | None:
    """The methods that make a client and its calls, to compare with those of an earlier call; None if one is gone."""
    try:
        return _creation_methods(_creators_by_name)
    except AttributeError:
        return None


def static_creation_path() -> tuple[t.Any, ...]:
    """The same methods as they stand in their classes; see :func:`static_call_path`."""
    return tuple(map(types.MappingProxyType.get, _CREATION_DICTS, _CREATION_NAMES))


def find_creation_patch(modules: frozenset[str]) -> str | None:
    """The first patch of a class that makes clients or their requests, as a sentence, or ``None`` if there is none.

    Args:
        modules: Modules whose patches the call leaves out.
    """
    signers: t.Any = getattr(botocore.auth, "AUTH_TYPE_MAPS", {})
    if creation_path() is None or None in _CREATORS.values():
        return "this version of botocore makes its clients in another way"
    if botocore.session.Session is not _CREATORS["Session"] or signers.get("v4") is not _CREATORS["SigV4Auth"]:
        return "botocore's Session or its signer is replaced"
    for class_name, owner in _CREATORS.items():
        for name, method in vars(owner).items():
            if callable(method) and type(method) is not type and not is_left_out(method, modules):
                return f"botocore's {class_name}.{name} is patched{patched_by(method)}"
    return None
