"""The ``Server-Timing`` header: what DynamoDB took of a response, for the developer tools of a browser.

https://www.w3.org/TR/server-timing/
"""

from __future__ import annotations

import collections
import collections.abc as cabc
import re

from dynaflask.operations.operation import Operation

# Metrics beside the total, so that the header stays short.
MAX_METRICS = 10

# The name of a metric is a token of HTTP. The name of a Python class may have other letters.
_NOT_IN_TOKENS = r"[^A-Za-z0-9_.-]"


def header_value(operations: cabc.Iterable[Operation]) -> str:
    """The value of the header: the total, and each model and operation, the slowest first.

    Args:
        operations: Operations of a request. Refused ones took no time, and are left out.

    Returns:
        The value; empty without operations.
    """
    groups: dict[str, list[Operation]] = collections.defaultdict(list)
    for operation in operations:
        if not operation.is_refused:
            groups["dynamodb"].append(operation)
            groups[
                re.sub(_NOT_IN_TOKENS, "_", f"dynamodb.{operation.model or operation.bind_key}.{operation.operation}")
            ].append(operation)
    total = groups.pop("dynamodb", [])
    slowest = sorted(groups.items(), key=lambda group: -_seconds(group[1]))[:MAX_METRICS]
    metrics = [("dynamodb", total), *slowest] if total else []
    return ", ".join(_metric(name, part) for name, part in metrics)


def _metric(name: str, operations: list[Operation]) -> str:
    calls = "1 call" if len(operations) == 1 else f"{len(operations)} calls"
    units = sum(operation.units for operation in operations)
    return f'{name};dur={_seconds(operations) * 1000:.1f};desc="{calls}, {units:g} units"'


def _seconds(operations: list[Operation]) -> float:
    return sum(operation.duration_seconds for operation in operations)
