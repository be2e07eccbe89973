"""The codes of DynamoDB's errors."""

from __future__ import annotations

import typing as t

import botocore.exceptions
import pytest
from pynamodb.exceptions import CancellationReason
from pynamodb.exceptions import GetError
from pynamodb.exceptions import TransactWriteError
from pynamodb.exceptions import VerboseClientError

from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import TRANSACTION_CANCELED
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.error_codes import failed_operation
from dynaflask.operations.error_codes import is_foreign
from dynaflask.operations.error_codes import reason_codes

ClientError = botocore.exceptions.ClientError
RESPONSE: t.Any = {"Error": {"Code": TABLE_NOT_FOUND}}
CANCELED: t.Any = {"Error": {"Code": TRANSACTION_CANCELED}}
REASONS: t.Any = {**CANCELED, "CancellationReasons": [{"Code": "None"}, {"Code": "ThrottlingError"}]}


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (ClientError(RESPONSE, "GetItem"), TABLE_NOT_FOUND),
        (ClientError({}, "GetItem"), None),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://nowhere"), None),
        (botocore.exceptions.NoCredentialsError(), None),
        (None, None),
    ],
)
def test_the_code_of_an_error(cause: Exception | None, code: str | None) -> None:
    """It is the code of the response, also in the cause of PynamoDB's error. An error of the network has none."""
    assert code_of(cause) == code_of(GetError(cause=cause)) == code
    assert reason_codes(cause) == ({code} if code else set())


@pytest.mark.parametrize(
    ("error", "codes"),
    [
        (ClientError(REASONS, "TransactWriteItems"), {"ThrottlingError"}),
        (ClientError(CANCELED, "TransactWriteItems"), set()),
        (
            VerboseClientError(
                CANCELED, "TransactWriteItems", cancellation_reasons=[None, CancellationReason(code="ThrottlingError")]
            ),
            {"ThrottlingError"},
        ),
    ],
    ids=["botocore", "no-reasons", "pynamodb"],
)
def test_the_reasons_of_a_canceled_transaction(error: Exception, codes: set[str]) -> None:
    """They are the codes of the items that canceled it, in botocore's errors and in PynamoDB's."""
    assert reason_codes(error) == reason_codes(TransactWriteError(msg="failed", cause=error)) == codes


def test_the_operation_that_failed() -> None:
    """It is that of STS, if PynamoDB's error of a call is caused by one; else that of the call."""
    refused = ClientError(RESPONSE, "AssumeRole")
    wrapped = VerboseClientError(RESPONSE, "GetItem")
    wrapped.__cause__ = refused
    assert failed_operation(refused) == failed_operation(wrapped) == failed_operation(GetError(cause=wrapped))
    assert failed_operation(GetError(cause=wrapped)) == "AssumeRole"
    assert failed_operation(GetError(cause=ClientError(RESPONSE, "GetItem"))) == "GetItem"
    assert failed_operation(botocore.exceptions.NoCredentialsError()) is None


@pytest.mark.parametrize(("code", "expected"), [("403", True), (TABLE_NOT_FOUND, False), (None, False)])
def test_a_response_that_is_not_one_of_aws(code: str | None, expected: bool) -> None:
    """A code of digits is the status of a response without a code."""
    assert is_foreign(code) is expected
