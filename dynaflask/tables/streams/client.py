"""The client of DynamoDB Streams for a bind: a service of its own, with an endpoint of its own."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t
import urllib.parse

from dynaflask.client.key import client_config
from dynaflask.client.key import client_key
from dynaflask.client.service_data import is_of_aws
from dynaflask.client.sessions import LockedSession
from dynaflask.client.sessions import client_options
from dynaflask.client.sessions import new_session
from dynaflask.config.bind import Bind
from dynaflask.exceptions import ConfigurationError

SERVICE: t.Final = "dynamodbstreams"


@contextlib.contextmanager
def streams_client(bind: Bind) -> cabc.Iterator[t.Any]:
    """A client with the region, the credentials and the options of a bind. It is closed at the end of the block.

    A local server has both services at one address. For AWS, the client uses the endpoint of the region.

    Raises:
        ConfigurationError: The bind has a ``DYNAMODB_CLIENT_FACTORY``.
    """
    if bind.client_factory is not None:
        raise ConfigurationError(
            f"DYNAMODB_CLIENT_FACTORY of the bind {bind.key!r} makes clients of DynamoDB, and a stream needs another"
            " service. Read it with a bind that has no factory, or in a Lambda function."
        )
    key = client_key(bind)
    session = LockedSession(new_session(key))
    options = client_options(key, session)
    options["endpoint_url"] = _endpoint(options["endpoint_url"])
    client = session.create_client(SERVICE, config=client_config(bind), **options)
    with contextlib.closing(client):
        yield client


def _endpoint(url: str | None) -> str | None:
    # https://docs.aws.amazon.com/general/latest/gr/ddb.html
    host = urllib.parse.urlsplit(url or "").hostname or ""
    if not (host.startswith(("dynamodb.", "dynamodb-fips.")) and is_of_aws(host)):
        return url
    # The domains of the endpoints for both versions of IP begin with `api`.
    return t.cast("str", url).replace("//", "//streams-" if ".api." in host else "//streams.", 1)
