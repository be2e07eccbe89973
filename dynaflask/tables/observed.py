"""The calls that a run of the tests made, as the actions that IAM allows: a file with a line for each."""

from __future__ import annotations

import json
import pathlib
import typing as t

from dynaflask.exceptions import TransferError
from dynaflask.operations.requests import Json
from dynaflask.operations.requests import requests_by_table

# IAM has no action for a transaction. Each of its parts needs the action of the single call.
TRANSACTION_ACTIONS: t.Final = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}

HOW_TO_WRITE = "Write the file with pytest --observe-calls."


class ObservedCall(t.NamedTuple):
    """One kind of call.

    Attributes:
        model: ``module.ClassName`` of a model on the table.
        index_name: Name of the index that was read, or ``None``.
        action: Name of the IAM action, without ``dynamodb:``.
    """

    model: str
    index_name: str | None
    action: str


def actions_by_table(operation: str, params: Json) -> dict[str, set[str]]:
    """The IAM actions that a call needs, by the name of the table.

    Args:
        operation: Name of the operation in DynamoDB's API.
        params: Its parameters.
    """
    if "TransactItems" not in params:
        return {table: {operation} for table in requests_by_table(params)}
    actions: dict[str, set[str]] = {}
    for item in params["TransactItems"]:
        for name, part in item.items():
            actions.setdefault(part["TableName"], set()).add(TRANSACTION_ACTIONS[name])
    return actions


def read_calls(path: pathlib.Path) -> set[ObservedCall]:
    """The calls in a file.

    Args:
        path: A file that `dynaflask.testing.observe` wrote.

    Raises:
        TransferError: The file cannot be read, or a line is not such a call.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise TransferError(path, f"The file cannot be read: {error.strerror}. {HOW_TO_WRITE}") from error
    return {_read_call(line, number, path) for number, line in enumerate(lines, 1)}


def format_call(call: ObservedCall) -> str:
    """The line of a call."""
    return json.dumps(call._asdict()) + "\n"


def _read_call(line: str, number: int, path: pathlib.Path) -> ObservedCall:
    try:
        return ObservedCall(**json.loads(line))
    except (ValueError, TypeError) as error:
        raise TransferError(path, f"This is no observed call. {HOW_TO_WRITE}", line=number) from error
