"""Puts the response parser and the request serializer on clients, if botocore has the names that they need.

Releases of botocore and PynamoDB may rename what these parts are built on. Then the libraries' own parts do the work.
"""

from __future__ import annotations

import logging
import typing as t

# Start of the reason why a transport is not in use, which a message ends with what is missing.
DIFFERENCE = "this version of botocore differs: "
PYNAMODB_LOG = "An update is serialized by PynamoDB, because this version of it differs: %s."

logger = logging.getLogger("dynaflask.pool")


def version_difference(error: Exception) -> str:
    """What a version of a library lacks, from the error of an import or a look-up."""
    # Without the path of the file.
    return str(error).partition(" (")[0]


_difference: str | None = None
request_serializer: t.Any
ParserFactory: t.Any
try:
    from dynaflask.client.codec import request_serializer
    from dynaflask.client.codec.response_parser import ParserFactory
except (ImportError, AttributeError) as error:
    _difference = version_difference(error)

serialize_update: t.Any
try:
    from dynaflask.client.codec.update_expression import serialize_update
except (ImportError, AttributeError) as error:
    logger.warning(PYNAMODB_LOG, version_difference(error))

    def serialize_update(actions: t.Any) -> None:
        """Leaves every update to PynamoDB."""


def unsupported_reason() -> str | None:
    """Reason why botocore's own parts make the calls, or ``None`` if ours are used."""
    return _difference and f"{DIFFERENCE}{_difference}"


def prepare_session(session: t.Any) -> None:
    """Let the clients of a session parse responses with the parser."""
    if _difference is None:
        session.register_component("response_parser_factory", ParserFactory())


def install(client: t.Any) -> None:
    """Let a new client write requests with the serializer."""
    if _difference is None:
        request_serializer.install(client)
