"""``Model.count``, which refuses the arguments that it would ignore, and stops at its limit."""

from __future__ import annotations

import typing as t

from pynamodb.constants import CAMEL_COUNT
from pynamodb.constants import COUNT

from dynaflask.model.pynamodb_internals import page_request

# What PynamoDB's query takes by position, and what its count takes.
QUERY_ARGUMENTS = (
    "hash_key",
    "range_key_condition",
    "filter_condition",
    "consistent_read",
    "index_name",
    "scan_index_forward",
    "limit",
    "last_evaluated_key",
    "attributes_to_get",
    "page_size",
    "rate_limit",
)
COUNT_ARGUMENTS = (*QUERY_ARGUMENTS[:5], "limit", "rate_limit")


class CountMixin:
    """The ``count`` of a model."""

    @classmethod
    def count(cls, *args: t.Any, **options: t.Any) -> int:
        """Number of items; see `TenantGuardMixin.count`.

        Raises:
            ValueError: A range key condition, an index or a limit comes without a hash key.
        """
        arguments = {**dict(zip(COUNT_ARGUMENTS, args, strict=False)), **options}
        has_hash_key = arguments.get("hash_key") is not None
        for name in ("range_key_condition", "index_name", "limit"):
            if not has_hash_key and arguments.get(name) is not None:
                raise ValueError(
                    f"Without a hash_key, count returns DynamoDB's count of the table, and takes no {name}."
                )
        if has_hash_key and arguments.get("limit") is not None:
            return cls._count_up_to(**arguments)
        return t.cast("int", t.cast("t.Any", super()).count(*args, **options))

    @classmethod
    def _count_up_to(cls, *, limit: int, **arguments: t.Any) -> int:
        results = t.cast("t.Any", super()).query(**arguments, page_size=limit)
        # PynamoDB's own count takes the limit for the size of a page, and reads to the end.
        page_request(results).kwargs["select"] = COUNT
        total = 0
        while total < limit and (page := next(results.page_iter, None)):
            total += page[CAMEL_COUNT]
        return min(total, limit)
