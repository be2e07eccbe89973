"""Flask-Dynamo's names: import ``Dynamo`` from here in place of ``flask_dynamo``.

The session, the connection and the tables are boto3's, as in Flask-Dynamo: run ``pip install "dynaflask[boto3]"``.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import os
import typing as t

import flask

from dynaflask.compat.fallback import DefaultAppRegistry
from dynaflask.compat.fallback import OneAppDynamo
from dynaflask.compat.flask_dynamo_boto3 import make_boto3
from dynaflask.compat.flask_dynamo_config import DEFAULT_REGION
from dynaflask.compat.flask_dynamo_config import config_defaults
from dynaflask.compat.flask_dynamo_config import read_config
from dynaflask.config.settings import DEFAULT_BIND
from dynaflask.config.settings import PREFIX
from dynaflask.config.settings import Settings
from dynaflask.config.settings import merge_settings
from dynaflask.exceptions import ConfigurationError
from dynaflask.model.typed import Model
from dynaflask.process_local import ProcessLocal
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.precedence import apply_prefix
from dynaflask.tables.ready import POLL_SECONDS

__all__ = ["ConfigurationError", "Dynamo", "Tables"]

TableConfig = cabc.Mapping[str, t.Any]


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
        """Create the tables that do not exist; see `Dynamo.create_all`.

        Args:
            wait: Return when the tables are active.
        """
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
        """Delete the tables; see `Dynamo.destroy_all`.

        Args:
            wait: Return when the tables no longer exist.
        """
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
        # A forked child keeps its parent's objects without using them: closing them could end the parent's connections.
        self._parents_objects: list[tuple[t.Any, t.Any]] = []
        self._boto3_objects = ProcessLocal(
            functools.partial(make_boto3, self.binds[DEFAULT_BIND]), abandon=self._parents_objects.append
        )

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
        return self._boto3_objects.get()


class Dynamo(OneAppDynamo):
    """Flask-Dynamo's extension object. Each app has its own region, keys, session and tables.

    Args:
        app: Call `init_app` on this app.
    """

    DEFAULT_REGION = DEFAULT_REGION

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
