"""Flask-Dynamo's settings, as settings of a bind."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.config.fields import BIND_VALIDATORS
from dynaflask.exceptions import ConfigurationError

DEFAULT_REGION = "us-east-1"
KEY_ID, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
LOCAL, LOCAL_HOST, LOCAL_PORT = "DYNAMO_ENABLE_LOCAL", "DYNAMO_LOCAL_HOST", "DYNAMO_LOCAL_PORT"

# The names of a bind's settings in Flask-Dynamo, for messages.
LABELS: t.Final = {
    "region": "AWS_REGION",
    "host": "The address of DYNAMO_LOCAL_HOST and DYNAMO_LOCAL_PORT",
    "session": "DYNAMO_SESSION",
    "aws_access_key_id": KEY_ID,
    "aws_secret_access_key": SECRET,
    "aws_session_token": TOKEN,
}


def config_defaults(config: cabc.Mapping[str, t.Any], environ: cabc.Mapping[str, str]) -> dict[str, t.Any]:
    """The values that Flask-Dynamo writes into ``app.config`` for missing keys: the environment's, or its defaults.

    Args:
        config: ``app.config``. It is not changed.
        environ: ``os.environ``. It is not changed.
    """
    defaults = {name: environ.get(name) for name in (LOCAL_HOST, LOCAL_PORT, KEY_ID, SECRET)}
    # A token belongs to its key pair: that of the environment does not go with a pair of the config.
    token = None if config.get(KEY_ID) else environ.get(TOKEN)
    region = environ.get("AWS_REGION", DEFAULT_REGION)
    return {
        **defaults,
        TOKEN: token,
        LOCAL: environ.get(LOCAL, False),
        "AWS_REGION": region,
        "DYNAMO_SESSION": None,
    }


def read_config(config: cabc.Mapping[str, t.Any], environ: cabc.Mapping[str, str]) -> dict[str, t.Any]:
    """Flask-Dynamo's settings as settings of a bind. Keys that the config lacks are read from the environment.

    Args:
        config: ``app.config``. It is not changed.
        environ: ``os.environ``. It is not changed.

    Raises:
        ConfigurationError: Only one of a key pair, or only one of a local server's host and port.
    """
    bind = {
        "region": config.get("AWS_REGION", environ.get("AWS_REGION", DEFAULT_REGION)),
        "host": _read_host(config, environ),
        **_read_keys(config, environ),
    }
    if config.get("DYNAMO_SESSION") is not None:
        # The session has credentials and a region of its own.
        bind = {"host": bind["host"], "session": config["DYNAMO_SESSION"]}
    return {name: BIND_VALIDATORS[name](LABELS[name], value) for name, value in bind.items() if value}


def _read_host(config: cabc.Mapping[str, t.Any], environ: cabc.Mapping[str, str]) -> str | None:
    if not config.get(LOCAL, environ.get(LOCAL)):
        return None
    host, port = (config.get(name, environ.get(name)) for name in (LOCAL_HOST, LOCAL_PORT))
    if not host or not port:
        raise ConfigurationError(f"{LOCAL} is set without {LOCAL_PORT if host else LOCAL_HOST}. Set host and port.")
    return f"http://{host}:{port}"


def _read_keys(config: cabc.Mapping[str, t.Any], environ: cabc.Mapping[str, str]) -> dict[str, t.Any]:
    key_id, secret = (config.get(name, environ.get(name)) for name in (KEY_ID, SECRET))
    if bool(key_id) != bool(secret):
        have, lack = (KEY_ID, SECRET) if key_id else (SECRET, KEY_ID)
        raise ConfigurationError(f"{have} is set without {lack}. Set both, or neither.")
    # A token in the environment belongs to the key pair in the environment, not to one in the config.
    token = config.get(TOKEN, None if config.get(KEY_ID) else environ.get(TOKEN)) if key_id else None
    if token == environ.get(TOKEN) and key_id != environ.get(KEY_ID):
        # An earlier init_app wrote this token into the config. Since then, the config got a key pair of its own.
        token = None
    return {"aws_access_key_id": key_id, "aws_secret_access_key": secret, "aws_session_token": token}
