"""The streams of an app's tables: each record as objects of its model, for its tenant."""

from __future__ import annotations

from dynaflask.tables.streams.consumer import follow
from dynaflask.tables.streams.events import StreamRecords
from dynaflask.tables.streams.owners import TableOwners as TableOwners
from dynaflask.tables.streams.record import StreamRecord

__all__ = ["StreamRecord", "StreamRecords", "follow"]
