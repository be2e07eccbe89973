"""``GlobalSecondaryIndex``: PynamoDB's, queried by the names of its keys."""

from __future__ import annotations

import typing as t

import pynamodb.indexes
import pynamodb.models
from pynamodb.pagination import ResultIterator

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition

M = t.TypeVar("M", bound=pynamodb.models.Model)


class GlobalSecondaryIndex(pynamodb.indexes.GlobalSecondaryIndex[M]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """PynamoDB's global index, which takes its keys by name: ``Match.by_round.query(cup="winter", region="eu")``.

    A query needs each hash key. It may have range keys, from the first one on, for the items that are equal to them,
    and a ``range_key_condition`` on the one after them. A key with the name of an argument, such as ``limit``, goes
    into a dict: ``query({"limit": 5})``.
    """

    def query(  # noqa: PLR0917 - PynamoDB's
        self,
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        consistent_read: bool = False,
        scan_index_forward: bool | None = None,
        limit: int | None = None,
        last_evaluated_key: dict[str, t.Any] | None = None,
        attributes_to_get: list[str] | None = None,
        page_size: int | None = None,
        rate_limit: float | None = None,
        **keys: t.Any,
    ) -> ResultIterator[M]:
        """The items of these keys.

        Args:
            hash_key: The hash key, or a dict of keys; by default the keys are given by name.
            range_key_condition: A condition on the range key after those that are given.
            filter_condition: A condition on other attributes.
            consistent_read: Leave it out: DynamoDB refuses it for a global index.
            scan_index_forward: False for the last item first, by the range key.
            limit: The most items to return.
            last_evaluated_key: Where to start: that of an earlier result.
            attributes_to_get: Names of the attributes to read; by default all.
            page_size: The most items that DynamoDB evaluates per request; by default as many as fit into 1 MB.
            rate_limit: The most capacity units per second to consume; by default no limit.
            **keys: Keys by name.

        Raises:
            TypeError: The hash key is given twice.
            ValueError: A hash key is missing, a name is no key of the index, or the range keys have a gap.
        """
        return super().query(
            self._hash_key(hash_key, keys),
            range_key_condition,
            filter_condition,
            consistent_read=consistent_read,
            scan_index_forward=scan_index_forward,
            limit=limit,
            last_evaluated_key=last_evaluated_key,
            attributes_to_get=attributes_to_get,
            page_size=page_size,
            rate_limit=rate_limit,
        )

    def count(  # noqa: PLR0917 - PynamoDB's
        self,
        hash_key: t.Any = None,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        consistent_read: bool = False,
        limit: int | None = None,
        rate_limit: float | None = None,
        **keys: t.Any,
    ) -> int:
        """Number of the items of these keys.

        Args:
            hash_key: See `query`.
            range_key_condition: See `query`.
            filter_condition: See `query`.
            consistent_read: See `query`.
            limit: The most items to count.
            rate_limit: See `query`.
            **keys: See `query`.

        Raises:
            TypeError: As of `query`.
            ValueError: As of `query`.
        """
        return super().count(
            self._hash_key(hash_key, keys),
            range_key_condition,
            filter_condition,
            consistent_read=consistent_read,
            limit=limit,
            rate_limit=rate_limit,
        )

    def _hash_key(self, hash_key: t.Any, keys: dict[str, t.Any]) -> t.Any:
        if keys and hash_key is not None:
            raise TypeError(f"Pass the keys of {self.Meta.index_name!r} either by name, or as the hash key.")
        # Without any key, the dict is empty, and the error names those of the index.
        return keys if hash_key is None else hash_key
