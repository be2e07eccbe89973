"""Flask-Dynamo's names: import ``Dynamo`` from here in place of ``flask_dynamo``.

The session, the connection and the tables are boto3's, as in Flask-Dynamo: run ``pip install "dynaflask[boto3]"``.
"""

from __future__ import annotations

import collections.abc as cabc
import os
import threading
import typing as t

import flask
from botocore.config import Config

from dynaflask.client.key import client_config
from dynaflask.client.key import client_key
from dynaflask.client.sessions import LockedSession
from dynaflask.client.sessions import client_options
from dynaflask.client.sessions import new_session
from dynaflask.compat.fallback import DefaultAppRegistry
from dynaflask.compat.fallback import OneAppDynamo
from dynaflask.config.bind import Bind
from dynaflask.config.fields import BIND_VALIDATORS
from dynaflask.config.settings import DEFAULT_BIND
from dynaflask.config.settings import PREFIX
from dynaflask.config.settings import Settings
from dynaflask.config.settings import merge_settings
from dynaflask.exceptions import ConfigurationError
from dynaflask.exceptions import install_hint
from dynaflask.model.typed import Model
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.precedence import apply_prefix
from dynaflask.tables.manage import POLL_SECONDS

__all__ = ["ConfigurationError", "Dynamo", "Tables"]

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

TableConfig = cabc.Mapping[str, t.Any]

# One lock for each process, by process id. boto3's sessions are not thread-safe, and apps may share one:
# https://boto3.amazonaws.com/v1/documentation/api/latest/guide/session.html
# Making a client sends nothing, so that no thread waits for the network. A forked child makes a lock of its own: the
# thread that holds the parent's does not exist there.
_session_locks: dict[int, threading.Lock] = {}


class Tables:
    """The tables that ``DYNAMO_TABLES`` describes, each a resource of boto3's.

    Args:
        registry: The app's registry.
        table_configs: The arguments of ``create_table`` for each table.
    """

    def __init__(self, registry: Registry, table_configs: cabc.Sequence[TableConfig]) -> None:
        self._registry = registry
        self._table_configs = table_configs

    def __getitem__(self, name: str) -> t.Any:
        return self._registry.connection.Table(self._registry.table_name(name))

    def keys(self) -> list[str]:
        """The names of the tables."""
        return [table["TableName"] for table in self._table_configs]

    def len(self) -> int:
        """The number of tables."""
        return len(self._table_configs)

    def items(self) -> cabc.Iterator[tuple[str, t.Any]]:
        """Each table by its name."""
        for name in self.keys():
            yield name, self[name]

    def wait_exists(self, table_name: str) -> None:
        """Return when the table is active.

        Args:
            table_name: Its name without the prefix.

        Raises:
            WaiterError: The table is not so after 500 requests.
        """
        self._wait("table_exists", table_name)

    def wait_not_exists(self, table_name: str) -> None:
        """Return when the table no longer exists.

        Args:
            table_name: Its name without the prefix.

        Raises:
            WaiterError: The table is not so after 500 requests.
        """
        self._wait("table_not_exists", table_name)

    def create_all(self, wait: bool = False) -> None:
        """Create the tables that do not exist; see `Dynamo.create_all`."""
        connection = self._registry.connection
        for table in self._table_configs:
            real_name = self._registry.table_name(table["TableName"])
            try:
                connection.create_table(**{**table, "TableName": real_name})
            except connection.meta.client.exceptions.ResourceInUseException:
                continue
        for name in self.keys() if wait else ():
            self.wait_exists(name)

    def destroy_all(self, wait: bool = False) -> None:
        """Delete the tables; see `Dynamo.destroy_all`."""
        for name in self.keys():
            self[name].delete()
        for name in self.keys() if wait else ():
            self.wait_not_exists(name)

    def _wait(self, state: str, table_name: str) -> None:
        waiter = self._registry.connection.meta.client.get_waiter(state)
        waiter.wait(
            TableName=self._registry.table_name(table_name),
            WaiterConfig={"Delay": POLL_SECONDS, "MaxAttempts": 500},
        )


class Registry(DefaultAppRegistry):
    """``app.extensions["dynamo"]``: one app's boto3 objects, under Flask-Dynamo's names.

    Args:
        *args: Those of `dynaflask.Registry`.
        table_configs: The value of ``DYNAMO_TABLES``.
        **options: Those of `dynaflask.Registry`.

    Attributes:
        tables: The tables that ``DYNAMO_TABLES`` describes.
        table_configs: The value of ``DYNAMO_TABLES``.
    """

    def __init__(self, *args: t.Any, table_configs: cabc.Sequence[TableConfig], **options: t.Any) -> None:
        super().__init__(*args, **options)
        self.table_configs = table_configs
        self.tables: t.Any = Tables(self, table_configs)
        # By process id: a forked child must not share its parent's sockets. It keeps the parent's objects without using
        # them, because closing them could end the parent's connections.
        self._boto3_objects: dict[int, tuple[t.Any, t.Any]] = {}

    @property
    def session(self) -> t.Any:
        """The app's boto3 session: ``DYNAMO_SESSION``, or one with the app's keys and region."""
        return self._boto3()[0]

    @property
    def connection(self) -> t.Any:
        """The app's boto3 resource of DynamoDB. A ``db.using`` block has a resource of its own."""
        return self._boto3()[1]

    def get_table(self, table_name: str) -> t.Any:
        """A table by its name."""
        return self.tables[table_name]

    def create_all(self, wait: bool = False) -> None:
        """Create the tables that do not exist; see `Dynamo.create_all`."""
        self.tables.create_all(wait=wait)

    def destroy_all(self, wait: bool = False) -> None:
        """Delete the tables; see `Dynamo.destroy_all`."""
        self.tables.destroy_all(wait=wait)

    def table_name(self, name: str) -> str:
        """The real name of a table."""
        return apply_prefix(name, prefix=self._current_bind().table_prefix)

    def _boto3(self) -> tuple[t.Any, t.Any]:
        bind = self._current_bind()
        if bind != self.bind(DEFAULT_BIND):
            return make_boto3(bind)
        pid = os.getpid()
        if pid not in self._boto3_objects:
            # Threads may come here at once: setdefault gives all of them the objects of the first.
            self._boto3_objects.setdefault(pid, make_boto3(bind))
        return self._boto3_objects[pid]


class Dynamo(OneAppDynamo):
    """Flask-Dynamo's extension object. Each app has its own region, keys, session and tables.

    Args:
        app: Call `init_app` on this app.
    """

    DEFAULT_REGION = "us-east-1"

    def init_app(self, app: flask.Flask, *, models: cabc.Iterable[type[Model]] | None = None) -> None:
        """Give an app its registry, and write Flask-Dynamo's defaults into the app's config where it has no value.

        Args:
            app: The app.
            models: Limit the app to these models; by default it has all of the program.
        """
        super().init_app(app, models=models)
        # After init_app: if it raises, the app's config has not changed.
        for name, value in config_defaults(app.config, os.environ).items():
            app.config.setdefault(name, value)
        app.config.setdefault("DYNAMO_TABLES", app.extensions[EXTENSION].table_configs)

    @property
    def session(self) -> t.Any:
        """The current app's boto3 session: ``DYNAMO_SESSION``, or one with the app's keys and region."""
        return self._registry("dynamo.session").session

    def get_table(self, table_name: str) -> t.Any:
        """One of the current app's tables, as a boto3 resource.

        Args:
            table_name: Its name without the prefix. Any table will do, also one that is not in ``DYNAMO_TABLES``.
        """
        return self._registry("dynamo.get_table").get_table(table_name)

    def create_all(self, wait: bool = False) -> None:  # type: ignore[override]  # Flask-Dynamo's meaning
        """Create the tables of ``DYNAMO_TABLES`` that do not exist.

        Args:
            wait: Return when the tables are active.

        Raises:
            ClientError: DynamoDB refused the request.
        """
        self._registry("dynamo.create_all").create_all(wait=wait)

    def destroy_all(self, wait: bool = False) -> None:
        """Delete the tables of ``DYNAMO_TABLES``, with all their items.

        Args:
            wait: Return when the tables no longer exist.

        Raises:
            ClientError: DynamoDB refused the request, for example because a table does not exist.
        """
        self._registry("dynamo.destroy_all").destroy_all(wait=wait)

    def _registry(self, what: str) -> t.Any:
        return super()._registry(what)

    def _config(self, app: flask.Flask) -> cabc.Mapping[str, t.Any]:
        own = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in app.config.items()
            if name.startswith(PREFIX) and value is not None
        }
        mapped = merge_settings(read_config(app.config, os.environ), own)
        return {PREFIX + name.upper(): value for name, value in mapped.items()}

    def _make_registry(self, app: flask.Flask, settings: Settings, **options: t.Any) -> Registry:
        table_configs = app.config.get("DYNAMO_TABLES") or []
        for position, table in enumerate(table_configs):
            if not isinstance(table, cabc.Mapping) or "TableName" not in table:
                raise ConfigurationError(
                    f"DYNAMO_TABLES[{position}] must be a dict of create_table's arguments that has TableName."
                )
        return Registry(self, settings, table_configs=table_configs, **options)


def config_defaults(config: cabc.Mapping[str, t.Any], environ: cabc.Mapping[str, str]) -> dict[str, t.Any]:
    """The values that Flask-Dynamo writes into ``app.config`` for missing keys: the environment's, or its defaults.

    Args:
        config: ``app.config``. It is not changed.
        environ: ``os.environ``. It is not changed.
    """
    defaults = {name: environ.get(name) for name in (LOCAL_HOST, LOCAL_PORT, KEY_ID, SECRET)}
    # A token belongs to its key pair: that of the environment does not go with a pair of the config.
    token = None if config.get(KEY_ID) else environ.get(TOKEN)
    region = environ.get("AWS_REGION", Dynamo.DEFAULT_REGION)
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
        "region": config.get("AWS_REGION", environ.get("AWS_REGION", Dynamo.DEFAULT_REGION)),
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


def make_boto3(bind: Bind) -> tuple[t.Any, t.Any]:
    """A boto3 session with a bind's credentials and region, and its resource of DynamoDB.

    Args:
        bind: The destination, credentials and client options.

    Raises:
        ModuleNotFoundError: boto3 is not installed.
    """
    try:
        import boto3.session  # noqa: PLC0415 - optional: this module can be imported without it
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"The tables of Flask-Dynamo are boto3's, and {install_hint(error, extra='boto3')}", name=error.name
        ) from error

    key = client_key(bind)
    # PynamoDB switches the validation off for its own calls.
    config = client_config(bind).merge(Config(parameter_validation=True))
    with _session_locks.setdefault(os.getpid(), threading.Lock()):
        session = new_session(key)
        if not hasattr(session, "resource"):
            session = boto3.session.Session(botocore_session=session, region_name=bind.region)
        options = client_options(key, LockedSession(session))
        return session, session.resource("dynamodb", config=config, **options)
