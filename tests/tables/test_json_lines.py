"""Files of items: DynamoDB's own JSON, an item a line."""

from __future__ import annotations

import json
import pathlib
import typing as t

import hypothesis
import hypothesis.strategies as st
import pytest

from dynaflask.tables import json_lines as lines

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
def test_every_item_comes_back(items: list[lines.Json], suffix: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As it was, also one whose attributes are called as DynamoDB's types, and of pieces that were written apart."""
    path = tmp_path_factory.mktemp("lines") / f"file{suffix}"
    path.write_bytes(b"".join(lines.write_items([item], path=path) for item in items))
    assert list(lines.read_items(path)) == list(enumerate(items, start=1))


def test_a_line_has_no_line_break(tmp_path: pathlib.Path) -> None:
    """Whatever a text has."""
    written = lines.write_items([{"a": {"S": "\n\r\u2028\x85"}}], path=tmp_path / "file")
    assert len(written.decode("ascii").splitlines()) == 1


def test_what_is_none_of_dynamodbs_is_an_error() -> None:
    """Rather than a line that cannot be read."""
    with pytest.raises(TypeError):
        lines.write_json({"N": t.cast("t.Any", object())})


def test_a_file_is_written_whole(tmp_path: pathlib.Path) -> None:
    """And nothing else is left beside it."""
    for number in range(2):
        lines.write_safely(tmp_path / "state", json.dumps(number))
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert lines.read_json((tmp_path / "state").read_bytes()) == 1
