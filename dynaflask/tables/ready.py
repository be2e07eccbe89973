"""Wait until a table is ready to be used or changed, and change it then."""

from __future__ import annotations

import time

from pynamodb.exceptions import TableError

from dynaflask.operations.error_codes import BACKUPS_UNAVAILABLE
from dynaflask.operations.error_codes import code_of
from dynaflask.tables.difference import Difference
from dynaflask.tables.schema import Json
from dynaflask.tables.table import Table

POLL_SECONDS = 1
# DescribeTable is eventually consistent: for some seconds after CreateTable it may not find the new table.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeTable.html
MAX_MISSING_POLLS = 60
# States that a table does not leave by itself.
FINAL_STATES = frozenset({"ARCHIVED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"})


def change(table: Table, difference: Difference) -> None:
    """Remove a difference, once the table is ready for it.

    Args:
        table: The table.
        difference: A difference that DynamoDB can change in place.

    Raises:
        TableError: DynamoDB refused.
    """
    description = wait_until_ready(table)
    # Two operations take an ARN, the other ones a name.
    is_of_arn = difference.operation in {"TagResource", "PutResourcePolicy"}
    target = {"ResourceArn": description["TableArn"]} if is_of_arn else {"TableName": table.name}
    request = {**target, **difference.request}
    for _ in range(MAX_MISSING_POLLS):
        if call_unless(BACKUPS_UNAVAILABLE, table, difference.operation, request):
            return
        time.sleep(POLL_SECONDS)
    table.call(difference.operation, **request)


def call_unless(code: str, table: Table, operation: str, request: Json) -> bool:
    """Make a call. True if it succeeded, False if it failed with this error code.

    Args:
        code: The error code.
        table: The table.
        operation: Name of the operation.
        request: Its request.

    Raises:
        TableError: It failed with another code.
    """
    try:
        table.call(operation, **request)
    except TableError as error:
        if code_of(error) != code:
            raise
        return False
    return True


def wait_until_ready(table: Table) -> Json:
    """Wait until a table is ready to be used or changed, and return its description.

    There is no time limit, because DynamoDB fills a new index for hours where the table is large.

    Raises:
        TableError: The table does not exist any more, or is in a state that it does not leave by itself.
    """
    missing_polls = 0
    while (description := table.describe()) is None or not _is_ready(description):
        missing_polls += description is None
        if missing_polls > MAX_MISSING_POLLS:
            table.require()
        if description is not None and description["TableStatus"] in FINAL_STATES:
            raise TableError(
                f"The {table} cannot be used: its status is {description['TableStatus']}. See the console of AWS."
            )
        time.sleep(POLL_SECONDS)
    return description


def wait_until_gone(table: Table) -> None:
    """Wait until a table does not exist any more."""
    while table.describe() is not None:
        time.sleep(POLL_SECONDS)


def _is_ready(description: Json) -> bool:
    indexes = description.get("GlobalSecondaryIndexes") or ()
    # The warm throughput of an active table may be changing.
    warming = ((part.get("WarmThroughput") or {}).get("Status") for part in (description, *indexes))
    return (
        description["TableStatus"] == "ACTIVE"
        and all(index.get("IndexStatus", "ACTIVE") == "ACTIVE" for index in indexes)
        and "UPDATING" not in warming
    )
