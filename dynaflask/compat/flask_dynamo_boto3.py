"""boto3's session and resource of a bind, as Flask-Dynamo has them."""

from __future__ import annotations

import threading
import typing as t

from botocore.config import Config

from dynaflask.client.key import client_config
from dynaflask.client.key import client_key
from dynaflask.client.sessions import LockedSession
from dynaflask.client.sessions import client_options
from dynaflask.client.sessions import new_session
from dynaflask.config.bind import Bind
from dynaflask.extras import required_extra
from dynaflask.process_local import ProcessLocal

# boto3's sessions are not thread-safe, and apps may share one:
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
# Making a client sends nothing, so that no thread waits for the network.
_session_lock: t.Final = ProcessLocal(threading.Lock)


def make_boto3(bind: Bind) -> tuple[t.Any, t.Any]:
    """A boto3 session with a bind's credentials and region, and its resource of DynamoDB.

    Args:
        bind: The destination, credentials and client options.

    Raises:
        ModuleNotFoundError: boto3 is not installed.
    """
    with required_extra("boto3", reason="The tables of Flask-Dynamo are boto3's"):
        import boto3.session  # noqa: PLC0415 - optional: this module can be imported without it

    key = client_key(bind)
    # PynamoDB switches the validation off for its own calls.
    config = client_config(bind).merge(Config(parameter_validation=True))
    with _session_lock.get():
        session = new_session(key)
        if not hasattr(session, "resource"):
            session = boto3.session.Session(botocore_session=session, region_name=bind.region)
        options = client_options(key, LockedSession(session))
        return session, session.resource("dynamodb", config=config, **options)
