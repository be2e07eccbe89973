"""PynamoDB's translation of the errors of a call, around any client."""

from __future__ import annotations

import types

import pytest
from botocore.exceptions import ClientError
from botocore.exceptions import ReadTimeoutError
from pynamodb.exceptions import VerboseClientError

from dynaflask.client.api_call import ApiCall
from dynaflask.client.direct.transport import DirectTransport


def client(outcome: object) -> types.SimpleNamespace:
    """A client whose calls end so."""

    def make_api_call(operation_name: str, params: dict[str, str]) -> object:
        if isinstance(outcome, Exception):
            raise outcome
        return operation_name, params, outcome

    return types.SimpleNamespace(_make_api_call=make_api_call)


def test_the_result_is_the_clients() -> None:
    """Two clients, as two apps have them, each get their own call."""
    one, other = ApiCall(client("one")), ApiCall(client("other"))
    assert one._make_api_call("GetItem", {"TableName": "a"}) == ("GetItem", {"TableName": "a"}, "one")
    assert other._make_api_call("GetItem", {"TableName": "b"}) == ("GetItem", {"TableName": "b"}, "other")


def test_a_refusal_is_pynamodbs_error() -> None:
    """It names the table and the operation, as PynamoDB's connection does."""
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetItem")
    with pytest.raises(VerboseClientError, match="on table \\(a\\)"):
        ApiCall(client(refused))._make_api_call("GetItem", {"TableName": "a"})


def test_another_error_stays_as_it_is() -> None:
    """A call that DynamoDB did not answer raises botocore's error."""
    with pytest.raises(ReadTimeoutError):
        ApiCall(client(ReadTimeoutError(endpoint_url="http://a")))._make_api_call("GetItem", {})


def test_it_can_be_shown() -> None:
    """A debugger, or an assertion of ``mock`` that fails, shows the transport, which makes no client for that."""
    transports = [DirectTransport(make_client=pytest.fail, destination=None) for _ in range(2)]
    for transport in transports:
        assert repr(ApiCall(transport)) == f"<ApiCall {transport!r}>"
