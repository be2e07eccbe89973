"""JSON, with orjson and without."""

from __future__ import annotations

import sys
import typing as t
import uuid

import pytest

from dynaflask.wire import payload


@pytest.fixture(params=["orjson", "json"])
def codec(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[str]:
    """Either of the two, as if the other were not there."""
    if request.param == "json":
        monkeypatch.setitem(sys.modules, "orjson", None)
    payload._codec.cache_clear()
    yield request.param
    payload._codec.cache_clear()


@pytest.mark.usefixtures("codec")
class TestCodec:
    """It makes no difference which it is."""

    def test_what_is_written_is_compact(self) -> None:
        """As DynamoDB writes it, too."""
        assert payload.dump({"Key": {"id": {"S": "a"}}, "Limit": 1}) == b'{"Key":{"id":{"S":"a"}},"Limit":1}'

    def test_what_is_written_can_be_read(self) -> None:
        """Whatever the alphabet."""
        value = {"Item": {"naïve": {"S": "☃ 𝄞"}, "n": {"N": "1"}}}
        assert payload.load(t.cast("bytes", payload.dump(value))) == value

    @pytest.mark.parametrize("value", [object(), {"id": object()}])
    def test_what_cannot_be_written_is_left_to_botocore(self, value: t.Any) -> None:
        """It knows the right error."""
        assert payload.dump(value) is None

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"\x00{\x00}"])
    def test_what_cannot_be_read_is_left_to_botocore(self, body: bytes) -> None:
        """Also what the standard library would take for UTF-16."""
        assert payload.load(body) is None


def test_a_lone_surrogate_is_left_to_botocore() -> None:
    """It has no form in UTF-8."""
    payload._codec.cache_clear()
    assert payload.dump({"S": "\ud800"}) is None
    assert payload.load(b'{"S": "\\ud800"}') is None


def test_what_is_no_json_is_left_to_botocore() -> None:
    """orjson takes more, so that a request is looked through first."""
    assert payload.dump({"id": uuid.UUID(int=7)}) is not None
