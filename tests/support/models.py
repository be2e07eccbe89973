"""Models that several test files use."""

from __future__ import annotations

import typing as t

from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

import dynaflask


class ViewIndex(GlobalSecondaryIndex[t.Any]):
    """Threads by their number of views."""

    class Meta:
        """Read only the index."""

        index_name = "viewIdx"
        projection = AllProjection()
        read_capacity_units = 1
        write_capacity_units = 1

    views = NumberAttribute(hash_key=True)


def declare_thread(db: dynaflask.Dynamo, **meta: t.Any) -> t.Any:
    """The ``Thread`` of PynamoDB's tutorial, with further attributes of ``Meta``."""

    class Thread(db.Model):  # type: ignore[name-defined]
        Meta = type("Meta", (), {"table_name": "Thread", "billing_mode": "PAY_PER_REQUEST", **meta})
        forum_name = UnicodeAttribute(hash_key=True)
        subject = UnicodeAttribute(range_key=True)
        views = NumberAttribute(default=0)
        view_index = ViewIndex()

    return Thread
