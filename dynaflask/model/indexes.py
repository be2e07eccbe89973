"""``GlobalSecondaryIndex``: PynamoDB's, queried by the names of its keys."""

from __future__ import annotations

import typing as t

import pynamodb.indexes
import pynamodb.models
from pynamodb.pagination import ResultIterator

from dynaflask.model.counts import QUERY_ARGUMENTS

M = t.TypeVar("M", bound=pynamodb.models.Model)


class GlobalSecondaryIndex(pynamodb.indexes.GlobalSecondaryIndex[M]):  # type: ignore[no-untyped-call]  # PynamoDB's
    """PynamoDB's global index, which takes its keys by name: ``Match.by_round.query(cup="winter", region="eu")``.

    A query needs each hash key. It may have range keys, from the first one on, for the items that are equal to them,
    and a ``range_key_condition`` on the one after them. A key with the name of an argument, such as ``limit``, goes
    into a dict: ``query({"limit": 5})``.
    """

    # PynamoDB's own arguments, and the keys.
    def query(self, *args: t.Any, **options: t.Any) -> ResultIterator[M]:
        """The items of these keys; see PynamoDB for the other arguments.

        Raises:
            TypeError: The hash key is given twice.
            ValueError: A hash key is missing, or the range keys have a gap.
        """
        return super().query(*args, **self._with_keys(args, options))

    def count(self, *args: t.Any, **options: t.Any) -> int:
        """Number of the items of these keys; see PynamoDB for the other arguments.

        Raises:
            TypeError: As of :meth:`query`.
            ValueError: As of :meth:`query`.
        """
        return super().count(*args, **self._with_keys(args, options))

    def _with_keys(self, args: tuple[t.Any, ...], options: dict[str, t.Any]) -> dict[str, t.Any]:
        names = self.Meta.attributes.keys() - set(QUERY_ARGUMENTS)
        keys = {name: options.pop(name) for name in names if name in options}
        if not keys:
            return options
        if args or "hash_key" in options:
            raise TypeError(f"Pass the keys of {self.Meta.index_name!r} either by name, or as the hash key.")
        return {**options, "hash_key": keys}
