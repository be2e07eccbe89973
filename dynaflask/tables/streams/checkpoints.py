"""``Checkpoints``: how far a consumer has read each shard of a stream, in a table of DynamoDB beside the table."""

from __future__ import annotations

import time
import typing as t
import uuid

from pynamodb.exceptions import TableError

from dynaflask.client.connection import Connection
from dynaflask.client.table_connection import TableConnection
from dynaflask.exceptions import StreamError
from dynaflask.operations.error_codes import CONFLICTS
from dynaflask.operations.error_codes import code_of
from dynaflask.registry.precedence import apply_prefix
from dynaflask.tables.manage import create
from dynaflask.tables.schema import Json
from dynaflask.tables.schema import Key
from dynaflask.tables.schema import Schema
from dynaflask.tables.table import Table

TABLE_NAME: t.Final = "dynaflask_checkpoints"
SCHEMA: t.Final = Schema((Key("consumer", "HASH", "S"), Key("shard", "RANGE", "S")), ttl_attribute="expires_at")

#: The position of a shard that is read to its end.
END: t.Final = "end"

# A shard and its records exist for a day.
KEPT_SECONDS: t.Final = 7 * 24 * 3600


class Checkpoints:
    """The checkpoints of one consumer of one stream.

    A process that begins to read a shard becomes its owner, and the former owner cannot save any more. So a process
    that was replaced stops, and never takes a checkpoint back.

    Args:
        connection: A connection to the place of the table.
        stream_arn: The stream.
        consumer: The name of the consumer. Each one reads the whole stream.
    """

    def __init__(self, connection: Connection, *, stream_arn: str, consumer: str) -> None:
        name = apply_prefix(TABLE_NAME, prefix=connection.bind.table_prefix)
        table_connection = TableConnection(name, connection=connection)
        self._table = Table(name, connection.bind, (), SCHEMA, table_connection, connection.tenant)
        self._consumer = consumer
        # An ARN contains no "#".
        self._key = f"{stream_arn}#{consumer}"
        self._owner = uuid.uuid4().hex

    def create(self) -> None:
        """Create the table, if it does not exist, and wait until it can be used."""
        create([self._table], wait=True)

    def claim(self, shard: str) -> str | None:
        """Become the owner of a shard.

        Returns:
            The sequence number of the last record that is handled, `END`, or ``None`` if there is none.
        """
        item = self._update(shard, "SET #owner = :owner, #expires_at = :expires_at")
        return t.cast("str | None", item.get("position", {}).get("S"))

    def save(self, shard: str, position: str) -> None:
        """Save how far a shard is read.

        Args:
            shard: A shard that was claimed.
            position: The sequence number of the last record that is handled, or `END`.

        Raises:
            StreamError: Another process has become the owner of the shard.
        """
        try:
            self._update(
                shard,
                "SET #position = :position, #owner = :owner, #expires_at = :expires_at",
                condition="#owner = :owner",
                position=position,
            )
        except TableError as error:
            if code_of(error) not in CONFLICTS:
                raise
            raise StreamError(
                f"Another process reads this stream as {self._consumer!r} now, so that this one stopped. Run one"
                " process for each consumer; another consumer needs another name."
            ) from error

    def _update(self, shard: str, expression: str, *, condition: str | None = None, **values: str) -> Json:
        names = ["owner", "expires_at", *values]
        request: Json = {} if condition is None else {"ConditionExpression": condition}
        response = self._table.call(
            "UpdateItem",
            TableName=self._table.name,
            Key={"consumer": {"S": self._key}, "shard": {"S": shard}},
            UpdateExpression=expression,
            ExpressionAttributeNames={f"#{name}": name for name in names},
            ExpressionAttributeValues={
                ":owner": {"S": self._owner},
                ":expires_at": {"N": str(int(time.time()) + KEPT_SECONDS)},
                **{f":{name}": {"S": value} for name, value in values.items()},
            },
            ReturnValues="ALL_NEW",
            **request,
        )
        return t.cast("Json", response["Attributes"])
