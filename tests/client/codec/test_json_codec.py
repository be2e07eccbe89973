"""JSON with msgspec and with the standard library."""

from __future__ import annotations

import typing as t
import uuid

import pytest

from dynaflask.client.codec import json_codec
from tests.support import servers
from tests.support.paths import measured_environment

IMPORTS = "import json, sys\nfrom dynaflask.client.codec import json_codec\n"


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


def test_msgspec_is_imported_after_some_bodies() -> None:
    """The standard library reads and writes the first bodies of a process, with the same results."""
    program = """
loaded = []
texts, values = [], []
for _ in range(json_codec.FIRST_BODIES):
    loaded.append("msgspec" in sys.modules)
    texts.append(json_codec.dump({"S": "a"}).decode())
    values.append(json_codec.load(b'{"S": "b"}'))
print(json.dumps([loaded.count(False), sorted(set(texts)), values.count({"S": "b"}), json_codec.msgspec is None]))
"""
    seldom, texts, reads, is_missing = servers.printed(IMPORTS + program, measured_environment())
    first = json_codec.FIRST_BODIES if is_missing else json_codec.FIRST_BODIES // 2
    assert (seldom, texts, reads) == (first, ['{"S":"a"}'], json_codec.FIRST_BODIES)


def test_code_that_needs_msgspec_imports_it() -> None:
    """The first use of msgspec imports it, and the bodies take it from then on. Another name is an error."""
    program = """
before = "msgspec" in sys.modules
used = json_codec.msgspec
is_used = used is None or json_codec._decode is used.json.decode
try:
    json_codec.msgpack
except AttributeError as error:
    print(json.dumps([before, is_used, str(error)]))
"""
    message = "module 'dynaflask.client.codec.json_codec' has no attribute 'msgpack'"
    assert servers.printed(IMPORTS + program, measured_environment()) == [False, True, message]


def test_an_old_msgspec_is_not_used() -> None:
    """What an old version raises for a malformed text is no ValueError, which callers expect."""
    program = """
import types
sys.modules["msgspec"] = types.SimpleNamespace(DecodeError=Exception)
print(json.dumps([json_codec.msgspec is None, json_codec.load(b"[1]")]))
"""
    assert servers.printed(IMPORTS + program, measured_environment()) == [True, [1]]


def test_without_msgspec_the_standard_library_is_used() -> None:
    """A program that has no msgspec looks for it once, and reads and writes the same bodies."""
    program = """
sys.modules["msgspec"] = None
json_codec.load_msgspec()
print(json.dumps([json_codec.msgspec is None, json_codec.load(b"[1]"), json_codec.dump([1]).decode()]))
"""
    assert servers.printed(IMPORTS + program, measured_environment()) == [True, [1], "[1]"]
