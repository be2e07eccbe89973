"""``ShardReader``: the records of the shards of a stream, each after those of its parent.

A shard is a part of a stream. DynamoDB closes it after some hours, or when it splits the partition of the table, and
opens its children. The changes of an item are in order only if a shard is read to its end before its children are.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from __future__ import annotations

import logging
import typing as t

from botocore.exceptions import ClientError

from dynaflask.exceptions import StreamError
from dynaflask.operations.error_codes import code_of
from dynaflask.tables.schema import Json
from dynaflask.tables.streams.checkpoints import END
from dynaflask.tables.streams.checkpoints import Checkpoints

# A process that is killed repeats up to one page. DynamoDB returns at most 1,000 records or 1 MB.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
PAGE_RECORDS: t.Final = 100

# An iterator can be used for 15 minutes.
EXPIRED: t.Final = "ExpiredIteratorException"
# The record at the position is older than 24 hours.
TRIMMED: t.Final = "TrimmedDataAccessException"
# The shard itself is older than that.
NOT_FOUND: t.Final = "ResourceNotFoundException"

logger: t.Final = logging.getLogger("dynaflask.streams")


class Page(t.NamedTuple):
    """Some records of a shard, and the iterator of the next ones; ``None`` at the end of the shard."""

    records: list[Json]
    next_iterator: str | None


class ShardReader:
    """Reads the shards of one stream.

    Args:
        client: A client of DynamoDB Streams.
        stream_arn: The stream.
        checkpoints: The positions from which the shards are read.
    """

    def __init__(self, client: t.Any, stream_arn: str, checkpoints: Checkpoints) -> None:
        self._client = client
        self._stream_arn = stream_arn
        self._checkpoints = checkpoints
        # By shard: the position and the next iterator of those that are being read.
        self._positions: dict[str, str | None] = {}
        self._iterators: dict[str, str] = {}
        self._finished: set[str] = set()

    @property
    def shards(self) -> list[str]:
        """The shards that can be read now."""
        return list(self._iterators)

    def open_shards(self) -> None:
        """Begin to read the shards whose parents are finished, or do not exist any more.

        Raises:
            StreamError: The stream is disabled, and read to its end.
        """
        parents, is_enabled = self._describe()
        # A shard that is gone does not come back.
        self._finished &= parents.keys()
        pending = {shard: parent for shard, parent in parents.items() if shard not in self._known}
        while ready := [shard for shard, parent in pending.items() if parent not in pending.keys() | self._iterators]:
            for shard in ready:
                del pending[shard]
                self._open(shard)
        if not (is_enabled or self._iterators):
            raise StreamError(
                f"The stream {self._stream_arn} is disabled, and read to its end. Start again when the table has a new"
                " stream."
            )

    def read(self, shard: str) -> Page:
        """The next page of a shard. Until `advance`, it is the same."""
        try:
            response = self._client.get_records(ShardIterator=self._iterators[shard], Limit=PAGE_RECORDS)
        except ClientError as error:
            code = code_of(error)
            if code == EXPIRED:
                return Page([], self._iterator(shard))
            if code == TRIMMED:
                return Page([], self._iterator_of_oldest(shard))
            if code == NOT_FOUND:
                return Page([], None)
            raise
        return Page(response["Records"], response.get("NextShardIterator"))

    def save(self, shard: str, position: str) -> None:
        """Save that all records of a shard up to a sequence number are handled.

        Raises:
            StreamError: Another process reads the shard.
        """
        self._checkpoints.save(shard, position)
        self._positions[shard] = position

    def advance(self, shard: str, page: Page) -> None:
        """Continue after a page.

        Raises:
            StreamError: Another process reads the shard.
        """
        if page.next_iterator is not None:
            self._iterators[shard] = page.next_iterator
        else:
            self.save(shard, END)
            self._finish(shard)

    @property
    def _known(self) -> set[str]:
        return self._finished | self._iterators.keys()

    def _describe(self) -> tuple[dict[str, str | None], bool]:
        """The shards with their parents, and True if the stream is enabled."""
        parents: dict[str, str | None] = {}
        request: Json = {"StreamArn": self._stream_arn}
        while True:
            description = self._client.describe_stream(**request)["StreamDescription"]
            parents |= {shard["ShardId"]: shard.get("ParentShardId") for shard in description["Shards"]}
            last_shard = description.get("LastEvaluatedShardId")
            if last_shard is None:
                return parents, description["StreamStatus"] in {"ENABLED", "ENABLING"}
            request["ExclusiveStartShardId"] = last_shard

    def _open(self, shard: str) -> None:
        position = self._checkpoints.claim(shard)
        self._positions[shard] = position
        iterator = None if position == END else self._iterator(shard)
        if iterator is None:
            self._finish(shard)
        else:
            self._iterators[shard] = iterator

    def _finish(self, shard: str) -> None:
        self._iterators.pop(shard, None)
        del self._positions[shard]
        self._finished.add(shard)

    def _iterator(self, shard: str) -> str | None:
        """The iterator of the first record that is not handled; ``None`` if the shard is gone."""
        position = self._positions[shard]
        if position is None:
            return self._request_iterator(shard, ShardIteratorType="TRIM_HORIZON")
        try:
            return self._request_iterator(shard, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=position)
        except ClientError as error:
            if code_of(error) != TRIMMED:
                raise
        return self._iterator_of_oldest(shard)

    def _iterator_of_oldest(self, shard: str) -> str | None:
        logger.warning(
            "The records of %s after %s are older than 24 hours, and DynamoDB has deleted some of them. Reading"
            " continues at the oldest record. Compare what the handler keeps with the table.",
            shard,
            self._positions[shard],
        )
        self._positions[shard] = None
        return self._iterator(shard)

    def _request_iterator(self, shard: str, **request: str) -> str | None:
        try:
            response = self._client.get_shard_iterator(StreamArn=self._stream_arn, ShardId=shard, **request)
        except ClientError as error:
            if code_of(error) != NOT_FOUND:
                raise
            return None
        return t.cast("str", response["ShardIterator"])
