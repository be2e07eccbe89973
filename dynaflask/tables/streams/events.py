"""``StreamRecords``: the records of an event that Lambda passes to a function."""

from __future__ import annotations

import collections.abc as cabc
import logging
import typing as t

from dynaflask.exceptions import StreamError
from dynaflask.tables.schema import Json
from dynaflask.tables.streams.owners import TableOwners
from dynaflask.tables.streams.record import Handler
from dynaflask.tables.streams.record import StreamRecord
from dynaflask.tables.streams.record import read_record

logger: t.Final = logging.getLogger("dynaflask.streams")


class StreamRecords:
    """The records of an event, in their order. Each is read when the iteration reaches it.

    Args:
        event: The event.
        owners: Finds tenant and model of a record.

    Raises:
        StreamError: It is no event of a stream.
    """

    def __init__(self, event: t.Any, owners: TableOwners) -> None:
        if not isinstance(event, cabc.Mapping) or not isinstance(event.get("Records"), list):
            raise StreamError(
                "This is no event of a DynamoDB stream: it has no list of Records. Pass the event of the Lambda"
                " function as it is."
            )
        self._records: list[Json] = event["Records"]
        self._owners = owners

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> cabc.Iterator[StreamRecord]:
        return map(self._read, self._records)

    def handle(self, handler: Handler) -> dict[str, list[dict[str, str]]]:
        """Call a function with each record, in an app context for the record's tenant, until one fails.

        The records after the failed one are not handled: Lambda sends them again, together with it, so that the changes
        of an item stay in order. The error is logged.

        Args:
            handler: The function.

        Returns:
            The response of the Lambda function, ``{"batchItemFailures": [...]}``, with the sequence number of the
            failed record. It needs ``ReportBatchItemFailures`` in the event source mapping; without, Lambda takes the
            response for a success.
        """
        for record in self._records:
            sequence_number: str = record["dynamodb"]["SequenceNumber"]
            try:
                self._read(record).handle(handler)
            except Exception:
                # Lambda continues from the record that the response names, also if it is one of another app.
                logger.exception("The record %s of %s failed.", sequence_number, record.get("eventSourceARN"))
                return {"batchItemFailures": [{"itemIdentifier": sequence_number}]}
        return {"batchItemFailures": []}

    def _read(self, record: Json) -> StreamRecord:
        return read_record(record, arn=str(record.get("eventSourceARN")), owners=self._owners)
