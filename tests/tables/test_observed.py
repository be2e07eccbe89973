"""The calls that a run of the tests made, as the actions that IAM allows."""

from __future__ import annotations

import pathlib

import pytest

from dynaflask.exceptions import TransferError
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.observed import actions_by_table
from dynaflask.tables.observed import format_call
from dynaflask.tables.observed import read_calls

CALLS = {ObservedCall("forum.Thread", None, "GetItem"), ObservedCall("forum.Thread", "byViews", "Query")}


def test_a_file_has_a_line_for_each_call(tmp_path: pathlib.Path) -> None:
    """Lines that several processes wrote are the calls, each once."""
    path = tmp_path / "calls"
    path.write_text("".join(map(format_call, [*CALLS, *CALLS])), encoding="utf-8")
    assert read_calls(path) == CALLS


@pytest.mark.parametrize("line", ["{", "[]", '{"model": "Thread"}', '{"model": "a", "index": "b", "action": "c"}'])
def test_a_line_that_is_no_call_is_an_error(tmp_path: pathlib.Path, line: str) -> None:
    """The error names the file, the line, and how to write the file."""
    path = tmp_path / "calls"
    path.write_text(f"{format_call(next(iter(CALLS)))}{line}\n", encoding="utf-8")
    with pytest.raises(TransferError, match="calls, line 2: .* Write the file with pytest --observe-calls."):
        read_calls(path)


def test_a_missing_file_is_an_error(tmp_path: pathlib.Path) -> None:
    """The error says how to write the file."""
    with pytest.raises(
        TransferError, match="cannot be read: No such file .* Write the file with pytest --observe-calls."
    ):
        read_calls(tmp_path / "calls")


def test_a_call_needs_the_action_of_its_name() -> None:
    """A call to one table, and a batch for several, need the action with the name of the operation."""
    assert actions_by_table("Query", {"TableName": "Thread", "IndexName": "byViews"}) == {"Thread": {"Query"}}
    batch = {"RequestItems": {"Thread": {"Keys": []}, "Post": {"Keys": []}}}
    assert actions_by_table("BatchGetItem", batch) == {"Thread": {"BatchGetItem"}, "Post": {"BatchGetItem"}}
    assert actions_by_table("ListTables", {}) == {}


def test_a_transaction_needs_the_actions_of_its_parts() -> None:
    """IAM has no action for a transaction."""
    parts = [
        {"Put": {"TableName": "Thread"}},
        {"Update": {"TableName": "Thread"}},
        {"Delete": {"TableName": "Post"}},
        {"ConditionCheck": {"TableName": "Post"}},
    ]
    assert actions_by_table("TransactWriteItems", {"TransactItems": parts}) == {
        "Thread": {"PutItem", "UpdateItem"},
        "Post": {"DeleteItem", "ConditionCheckItem"},
    }
    reads = {"TransactItems": [{"Get": {"TableName": "Thread"}}]}
    assert actions_by_table("TransactGetItems", reads) == {"Thread": {"GetItem"}}
