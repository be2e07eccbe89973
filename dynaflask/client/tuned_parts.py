"""The tuned parts of a client, if botocore and PynamoDB have the names that they need.

Releases of these libraries may rename what the parts are built on. Then the libraries' own parts do the work.
"""

from __future__ import annotations

import logging
import typing as t

from botocore import auth
from botocore import useragent

PYNAMODB_LOG = "An update is serialized by PynamoDB, because this version of it differs: %s."
# Methods that the parts call on objects of botocore, during a call.
NEEDED: t.Final = (
    (auth, "SigV4Auth", ("add_auth", "headers_to_sign", "signed_headers")),
    (useragent, "UserAgentString", ("to_string", "with_client_config")),
)

logger = logging.getLogger("dynaflask.pool")


def version_difference(error: Exception) -> str:
    """What a version of a library lacks, from the error of an import or a look-up."""
    # Without the path of the file.
    return str(error).partition(" (")[0]


def _missing_method() -> str | None:
    for module, class_name, methods in NEEDED:
        owner = getattr(module, class_name)
        for method in methods:
            if not hasattr(owner, method):
                return f"{class_name} has no method {method!r}"
    return None


_modules: t.Any = None
_difference: str | None = None
try:
    from dynaflask.client.tuned import botocore_parts as _modules

    _difference = _missing_method()
except (ImportError, AttributeError) as error:
    _difference = version_difference(error)

serialize_update: t.Any
try:
    from dynaflask.client.tuned.update_expression import serialize_update
except (ImportError, AttributeError) as error:
    logger.warning(PYNAMODB_LOG, version_difference(error))

    def serialize_update(actions: t.Any) -> None:
        """Leaves every update to PynamoDB."""


def unsupported_reason() -> str | None:
    """Reason why botocore's own parts make the calls, or ``None`` if the tuned parts are used."""
    return _difference and f"this version of botocore differs: {_difference}"


def prepare_session(session: t.Any) -> None:
    """Let the clients of a session parse responses, and name their user agent, with the tuned parts."""
    if _difference is None:
        _modules.prepare_session(session)


def install(client: t.Any) -> None:
    """Let a new client sign, serialize and find its endpoint with the tuned parts."""
    if _difference is None:
        _modules.install(client)
