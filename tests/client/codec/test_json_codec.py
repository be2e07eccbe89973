"""JSON with msgspec and with the standard library."""

from __future__ import annotations

import typing as t
import uuid

import pytest

from dynaflask.client.codec import json_codec


@pytest.mark.usefixtures("json_library")
class TestCodec:
    """Both libraries give the same results."""

    def test_what_is_written_is_compact(self) -> None:
        """The text has no whitespace, like that of DynamoDB."""
        assert json_codec.dump({"Key": {"id": {"S": "a"}}, "Limit": 1}) == b'{"Key":{"id":{"S":"a"}},"Limit":1}'

    def test_what_is_written_can_be_read(self) -> None:
        """Any text survives a round trip."""
        value = {"Item": {"naïve": {"S": "☃ 𝄞"}, "n": {"N": "1"}}}
        assert json_codec.load(t.cast("bytes", json_codec.dump(value))) == value

    @pytest.mark.parametrize("value", [object(), {"id": object()}])
    def test_what_cannot_be_written_is_left_to_botocore(self, value: t.Any) -> None:
        """A value that is not JSON gives None, so that botocore raises its error."""
        assert json_codec.dump(value) is None

    @pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"\x00{\x00}"])
    def test_what_cannot_be_read_is_left_to_botocore(self, body: bytes) -> None:
        """A malformed text gives None. UTF-16, which the standard library accepts, does, too."""
        assert json_codec.load(body) is None


def test_a_lone_surrogate_is_left_to_botocore() -> None:
    """A lone surrogate gives None: it has no form in UTF-8."""
    assert json_codec.dump({"S": "\ud800"}) is None
    assert json_codec.load(b'{"S": "\\ud800"}') is None


def test_what_is_no_json_is_left_to_botocore() -> None:
    """msgspec also writes a UUID, so requests are checked before they are written."""
    assert json_codec.dump({"id": uuid.UUID(int=7)}) is not None
