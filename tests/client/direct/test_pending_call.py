"""A call that botocore makes for the direct transport."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.client.direct.pending_call import PendingCall
from dynaflask.client.direct.response import Response
from dynaflask.exceptions import DamagedResponse

BODY = b'{"Item": {}}'


def pending_with(response: Response | None) -> PendingCall:
    """A call whose last response is this one."""
    nothing: t.Any = None
    call = PendingCall(nothing, nothing, {}, "id", None)
    call.response, call.url = response, "http://dynamodb.test/"
    return call


@pytest.mark.parametrize(
    ("response", "fault"),
    [
        (Response(101, {}, b""), "status 101 in place of a response"),
        (Response(200, {}, b"{", is_complete=False), "a response that is cut short or malformed"),
        (Response(200, {"x-amz-crc32": "1"}, BODY), "a response that does not match its checksum, or is not JSON"),
    ],
    ids=["interim", "cut", "another checksum"],
)
def test_a_damaged_response_is_an_error(response: Response, fault: str) -> None:
    """botocore would take it for a success. The error says which server sent it, and that a write may have happened."""
    with pytest.raises(DamagedResponse, match="The request may have been applied") as raised:
        pending_with(response).check_response()
    assert f"http://dynamodb.test/ sent {fault}." in str(raised.value)


@pytest.mark.parametrize(
    "response", [None, Response(200, {}, BODY), Response(500, {}, b"x")], ids=["none", "intact", "an error"]
)
def test_any_other_response_is_botocores(response: Response | None) -> None:
    """No response yet, an intact one, or one that botocore raises or repeats."""
    pending_with(response).check_response()
