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
