"""The advisor: what the operations of one request or context could do better, and the line of code to change.

Each rule is a function that takes the operations of one context and yields its advice.
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import typing as t

from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import READ_OPERATIONS
from dynaflask.operations.operation import Operation

MIN_GETS = 5
MIN_PAGES = 5
# A filter may drop all of a few items. Fewer units than one page has are not worth a change.
MIN_SCANNED = 10
KEPT_SHARE = 0.1

# DynamoDB's reasons for a hot partition, such as TableWriteKeyRangeThroughputExceeded.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/throttling-key-range-limit-exceeded-mitigation.html
HOT_PARTITION = "KeyRangeThroughputExceeded"


class Advice(t.NamedTuple):
    """What to change in one line of code.

    Attributes:
        rule: Name of the rule.
        caller: The line.
        problem: What the line does.
        fix: What to do instead.
    """

    rule: str
    caller: Caller
    problem: str
    fix: str

    def __str__(self) -> str:
        return f"{self.caller}: {self.problem} {self.fix}"


Operations = cabc.Sequence[Operation]


def advise(operations: Operations) -> list[Advice]:
    """Advice on the operations of one request, or of one context without a request.

    Args:
        operations: The operations in the order in which they ended. Each advice names a line, so that there is none on
            operations without one.
    """
    sent = [operation for operation in operations if not operation.is_refused]
    return [advice for rule in RULES for advice in rule(sent)]


def repeated_get(operations: Operations) -> cabc.Iterator[Advice]:
    """Five or more items of one model are read one by one by one line."""
    gets = [operation for operation in operations if operation.operation == "GetItem"]
    for (caller, label), group in _by_line(gets):
        if len({(operation.tenant, operation.key_hash) for operation in group}) >= MIN_GETS:
            model = group[0].model or "Model"
            yield Advice(
                "repeated_get",
                caller,
                f"{len(group)} calls of {label} read one item each.",
                f"Read the items together: {model}.batch_get([...]).",
            )


def scan_in_request(operations: Operations) -> cabc.Iterator[Advice]:
    """A request scans a table or an index."""
    scans = [operation for operation in operations if operation.operation == "Scan" and operation.route is not None]
    for (caller, label), group in _by_line(scans):
        yield Advice(
            "scan_in_request",
            caller,
            f"{label} reads the whole {'index' if group[0].index_name else 'table'} in a request.",
            "Query by a hash key or by an index, or scan in a command and store the result.",
        )


def wasteful_filter(operations: Operations) -> cabc.Iterator[Advice]:
    """A filter drops more than nine tenths of the items that were read and paid for."""
    reads = [operation for operation in operations if operation.scanned_count]
    for (caller, label), group in _by_line(reads):
        scanned = sum(operation.scanned_count for operation in group)
        kept = sum(operation.item_count for operation in group)
        if scanned >= MIN_SCANNED and kept < scanned * KEPT_SHARE:
            yield Advice(
                "wasteful_filter",
                caller,
                f"{label} read {scanned} items, and its filter kept {kept}.",
                "DynamoDB charges for all that it reads: use a condition on the range key, or an index for this query.",
            )


def same_key_twice(operations: Operations) -> cabc.Iterator[Advice]:
    """A key is read again, although nothing was written to its table in between."""
    first_lines: dict[t.Any, Caller] = {}
    repeats: dict[Caller, tuple[str, Caller]] = {}
    for operation in operations:
        if operation.operation not in READ_OPERATIONS:
            # A write without one table may have changed any of them.
            first_lines = {key: line for key, line in first_lines.items() if operation.table not in {None, key[0]}}
        elif operation.key_hash is not None and operation.caller is not None and operation.error is None:
            place = (operation.table, operation.host, operation.bind_key, operation.tenant)
            first = first_lines.setdefault((*place, operation.key_hash), operation.caller)
            # The same object: the first read of this key.
            if first is not operation.caller:
                repeats.setdefault(operation.caller, (operation.label, first))
    for caller, (label, first) in repeats.items():
        where = "this line" if first == caller else str(first)
        yield Advice(
            "same_key_twice",
            caller,
            f"{label} reads a key that {where} has read already.",
            "Keep the item, in a variable or on flask.g.",
        )


def many_pages(operations: Operations) -> cabc.Iterator[Advice]:
    """A request reads five or more pages of one query or scan."""
    pages = [operation for operation in operations if operation.is_next_page and operation.route is not None]
    for (caller, label), group in _by_line(pages):
        # Each query has a first page, which continues nothing.
        if len(group) >= MIN_PAGES - 1:
            yield Advice(
                "many_pages",
                caller,
                f"{label} read {len(group)} further pages in a request.",
                "Return one page at a time: db.paginate; or set limit.",
            )


def hot_partition(operations: Operations) -> cabc.Iterator[Advice]:
    """DynamoDB throttles one partition of a table or an index."""
    throttled = [
        operation
        for operation in operations
        if any(HOT_PARTITION in reason.reason for reason in operation.throttling_reasons)
    ]
    for (caller, label), group in _by_line(throttled):
        reasons = {reason.resource for operation in group for reason in operation.throttling_reasons}
        yield Advice(
            "hot_partition",
            caller,
            f"{label} was throttled, because one partition of {', '.join(sorted(reasons))} gets too many calls.",
            "Spread them over more hash keys, for example with a suffix; more capacity of the table does not help.",
        )


def needless_consistency(operations: Operations) -> cabc.Iterator[Advice]:
    """A table is read strongly consistently, and the context writes nothing to it."""
    written = {operation.table for operation in operations if operation.operation not in READ_OPERATIONS}
    reads = [
        operation
        for operation in operations
        if operation.is_consistent and operation.table is not None and not written & {operation.table, None}
    ]
    for (caller, label), group in _by_line(reads):
        yield Advice(
            "needless_consistency",
            caller,
            f"{label} read strongly consistently {len(group)} times, for twice the units, and nothing was written to"
            f" {group[0].table}.",
            "Leave out consistent_read=True, unless the read must see what another request has just written.",
        )


#: The rules, by which a program can choose.
RULES: t.Final = (
    repeated_get,
    scan_in_request,
    wasteful_filter,
    same_key_twice,
    many_pages,
    hot_partition,
    needless_consistency,
)


def _by_line(operations: Operations) -> list[tuple[tuple[Caller, str], list[Operation]]]:
    """The operations by their line, and by model and operation."""
    groups: dict[tuple[Caller, str], list[Operation]] = collections.defaultdict(list)
    for operation in operations:
        if operation.caller is not None:
            groups[operation.caller, operation.label].append(operation)
    return list(groups.items())
