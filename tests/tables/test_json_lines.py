"""Files of items: one item per line in DynamoDB's own JSON."""

from __future__ import annotations

import gzip
import itertools
import json
import pathlib
import tracemalloc
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

import dynaflask
from dynaflask.tables import json_lines

SCALARS = st.one_of(
    st.fixed_dictionaries({"S": st.text(max_size=5)}),
    st.fixed_dictionaries({"N": st.integers().map(str)}),
    st.fixed_dictionaries({"B": st.binary(max_size=5)}),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.fixed_dictionaries({"BS": st.lists(st.binary(max_size=5), min_size=1, max_size=2)}),
)
NAMES = st.one_of(st.sampled_from(["B", "BS", "Item", "M"]), st.text(max_size=3))
VALUES = st.recursive(
    SCALARS,
    lambda values: st.one_of(
        st.fixed_dictionaries({"M": st.dictionaries(NAMES, values, max_size=2)}),
        st.fixed_dictionaries({"L": st.lists(values, max_size=2)}),
    ),
    max_leaves=4,
)


@hypothesis.given(
    items=st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3), suffix=st.sampled_from(["", ".gz"])
)
@hypothesis.settings(deadline=None, max_examples=50)
def test_every_item_is_read_as_it_was_written(
    items: list[json_lines.Json], suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also items whose attributes have the names of types, and files that were written in several parts."""
    path = tmp_path_factory.mktemp("lines") / f"file{suffix}"
    path.write_bytes(b"".join(json_lines.write_items([item], path=path) for item in items))
    assert list(json_lines.read_items(path)) == list(enumerate(items, start=1))


def test_a_line_has_no_line_break(tmp_path: pathlib.Path) -> None:
    """Line breaks in a text are escaped, also those that only Python takes for one."""
    content = json_lines.write_items([{"a": {"S": "\n\r\u2028\x85"}}], path=tmp_path / "file")
    assert len(content.decode("ascii").splitlines()) == 1


def test_a_value_that_is_not_dynamodbs_is_an_error() -> None:
    """A value that is neither JSON nor bytes raises TypeError when it is written."""
    with pytest.raises(TypeError):
        json_lines.write_json({"N": t.cast("t.Any", object())})


def test_a_replaced_file_leaves_no_temporary_file(tmp_path: pathlib.Path) -> None:
    """``write_safely`` replaces the content of a file and leaves no other file beside it."""
    for number in range(2):
        json_lines.write_safely(tmp_path / "state", json.dumps(number))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert json_lines.read_json((tmp_path / "state").read_bytes()) == 1


ITEM_LIMIT = 400 * 1024


@pytest.mark.parametrize(
    "value",
    [
        {"S": "\x01" * ITEM_LIMIT},
        {"S": "\xfc" * (ITEM_LIMIT // 2)},
        {"B": b"\xff" * ITEM_LIMIT},
        # DynamoDB counts two bytes for each boolean in a list.
        {"L": [{"BOOL": False}] * (ITEM_LIMIT // 2)},
        {"L": [{"NULL": True}] * (ITEM_LIMIT // 2)},
    ],
    ids=["control characters", "umlauts", "binary", "booleans", "nulls"],
)
def test_the_largest_items_fit_in_a_line(tmp_path: pathlib.Path, value: t.Any) -> None:
    """Any item of 400 KB, DynamoDB's limit, can be read from the line that a dump writes."""
    path = tmp_path / "file"
    path.write_bytes(json_lines.write_items([{"a": value}], path=path))
    assert list(json_lines.read_items(path)) == [(1, {"a": value})]


@pytest.mark.parametrize("name", ["file", "file.gz"])
def test_a_line_longer_than_any_item_is_an_error(tmp_path: pathlib.Path, name: str) -> None:
    """A line above the limit is an error with its number, and no more than the limit of it is read into memory."""
    path = tmp_path / name
    with gzip.open(path, "wb") if path.suffix else path.open("wb") as file:
        file.write(b'{"Item":{}}\n')
        for block in itertools.repeat(b"x" * json_lines.MAX_LINE_BYTES, 20):
            file.write(block)
    lines = json_lines.read_lines(path)
    assert next(lines) == (1, b'{"Item":{}}\n')
    tracemalloc.start()
    try:
        with pytest.raises(dynaflask.TransferError, match="line 2: The line has more than 4194304 bytes") as caught:
            next(lines)
        assert tracemalloc.get_traced_memory()[1] < 4 * json_lines.MAX_LINE_BYTES
    finally:
        tracemalloc.stop()
    assert caught.value.line == 2
