"""Runs the same steps with PynamoDB alone and with an app's ``db.Model``, on one engine, and compares the outcomes.

def steps(kit):
    class Thread(kit.Model):
        Meta = kit.meta("Thread")
        ...
    kit.do(lambda: Thread.create_table(wait=True))
    kit.do(lambda: Thread.get("no such thread"))

assert side_by_side(steps)[-1] == ("raised", "Thread.DoesNotExist", "")
"""

from __future__ import annotations

import collections.abc as cabc
import itertools
import re
import typing as t

import flask
import pynamodb.connection
import pynamodb.models
import pynamodb.transactions

import dynaflask
from tests.support.engines import Account
from tests.support.engines import Engine

REGIONS = ("eu-west-1", "us-west-2")
CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
# Response members that differ between two equal tables.
NOT_COMPARED = re.compile(
    "ResponseMetadata|.*Arn|.*Label|.*DateTime|TableId|CreationDate|LastIncrease.*|LastDecrease.*"
)

Outcome = tuple[t.Any, ...]


class Kit:
    """Gives the steps their base model and connections, and collects the outcome of each step."""

    def __init__(self, options: cabc.Mapping[str, str], *, table_prefix: str) -> None:
        self.options = options
        self.table_prefix = table_prefix
        self.outcomes: list[Outcome] = []

    def do(self, step: t.Callable[[], t.Any]) -> t.Any:
        """Run a step, and return its result or its error."""
        try:
            result = step()
            self.outcomes.append(comparable(result))
        except Exception as error:  # noqa: BLE001 - both kits must raise the same error
            self.outcomes.append(("raised", _class_name(error), _message(error)))
            return error
        return result


class PlainKit(Kit):
    """PynamoDB alone: each model's Meta names the region and host."""

    Model = pynamodb.models.Model

    def declared(self, table_name: str) -> str:
        """The table name for a model's Meta."""
        return self.table_prefix + table_name

    def meta(self, table_name: str, **more: t.Any) -> type:
        """The ``Meta`` of a model."""
        return type("Meta", (), {"table_name": self.declared(table_name), **self.options, **more})

    @property
    def connection(self) -> pynamodb.connection.Connection:
        """A connection."""
        return pynamodb.connection.Connection(**self.options)  # type: ignore[arg-type]

    def transact_get(self, **options: t.Any) -> pynamodb.transactions.TransactGet:
        """A read transaction."""
        return pynamodb.transactions.TransactGet(connection=self.connection, **options)

    def transact_write(self, **options: t.Any) -> pynamodb.transactions.TransactWrite:
        """A write transaction."""
        return pynamodb.transactions.TransactWrite(connection=self.connection, **options)


class ScopedKit(Kit):
    """An app: its configuration names the region and host."""

    def __init__(self, options: cabc.Mapping[str, str], *, table_prefix: str) -> None:
        super().__init__(options, table_prefix=table_prefix)
        settings = {**options, "table_prefix": table_prefix}
        self.db = dynaflask.Dynamo()
        self.Model = self.db.Model
        self.app = flask.Flask("app")
        self.app.config.from_mapping({f"DYNAMODB_{name.upper()}": value for name, value in settings.items()})
        self.db.init_app(self.app)

    def declared(self, table_name: str) -> str:
        """The table name for a model's Meta."""
        return table_name

    def meta(self, table_name: str, **more: t.Any) -> type:
        """The ``Meta`` of a model."""
        return type("Meta", (), {"table_name": table_name, **more})

    @property
    def connection(self) -> pynamodb.connection.Connection:
        """A connection."""
        return self.db.connection

    def transact_get(self, **options: t.Any) -> pynamodb.transactions.TransactGet:
        """A read transaction."""
        return self.db.transact_get(**options)

    def transact_write(self, **options: t.Any) -> pynamodb.transactions.TransactWrite:
        """A write transaction."""
        return self.db.transact_write(**options)


Steps = t.Callable[[t.Any], None]


def side_by_side(engine: Engine, steps: Steps) -> list[Outcome]:
    """Run the steps with both kits, each in its own region, and return the outcomes, which must be equal."""
    account = Account()
    plain = PlainKit(_options(engine, account, REGIONS[0]), table_prefix=account.table_prefix)
    scoped = ScopedKit(_options(engine, account, REGIONS[1]), table_prefix=account.table_prefix)
    steps(plain)
    with scoped.app.app_context():
        steps(scoped)
    for one, other in itertools.zip_longest(plain.outcomes, scoped.outcomes):
        assert one == other, f"With PynamoDB alone: {one}\nIn the app: {other}"
    return scoped.outcomes


def _options(engine: Engine, account: Account, region: str) -> dict[str, str]:
    settings = engine.settings(account)
    options = {name: settings.get(f"DYNAMODB_{name.upper()}") for name in ("host", *CREDENTIALS)}
    return {name: value for name, value in options.items() if value} | {"region": region}


def comparable(value: t.Any) -> t.Any:
    """The part of a result that must be equal with both kits."""
    if isinstance(value, pynamodb.models.Model):
        return (type(value).__name__, comparable(value.attribute_values))
    if isinstance(value, dict):
        return {name: comparable(content) for name, content in value.items() if not NOT_COMPARED.fullmatch(str(name))}
    if isinstance(value, (str, type)):
        return _without_region(value if isinstance(value, str) else value.__name__)
    if isinstance(value, (bytes, set)):
        return value
    if hasattr(value, "attribute_values"):
        return comparable(value.attribute_values)
    return [comparable(content) for content in value] if isinstance(value, cabc.Iterable) else value


def _class_name(error: Exception) -> str:
    """Name of the error's class, or of PynamoDB's class that it inherits from."""
    cls = next(base for base in type(error).__mro__ if not base.__module__.startswith("dynaflask"))
    return cls.__qualname__.rpartition("<locals>.")[2]


def _message(error: Exception) -> str:
    """PynamoDB's part of the message. An app adds the bind, advice, and DynamoDB's reason to a transaction's error."""
    message = re.sub(r" \(The bind is .*\)$", "", str(error))
    message = re.sub(r"^(Failed to (?:get|write) transaction items): .*", r"\1", message, flags=re.DOTALL)
    return _without_region(re.sub(r"on request \(.*?\)", "on request ()", message))


def _without_region(text: str) -> str:
    return re.sub("|".join(REGIONS), "REGION", text)
