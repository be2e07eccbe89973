"""The codes of DynamoDB's errors."""

from __future__ import annotations

import typing as t

import botocore.exceptions
import pytest
from pynamodb.exceptions import GetError

from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import code_of

RESPONSE: t.Any = {"Error": {"Code": TABLE_NOT_FOUND}}


@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (botocore.exceptions.ClientError(RESPONSE, "GetItem"), TABLE_NOT_FOUND),
        (botocore.exceptions.ClientError({}, "GetItem"), None),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://nowhere"), None),
        (botocore.exceptions.NoCredentialsError(), None),
        (None, None),
    ],
)
def test_the_code_of_an_error(cause: Exception | None, code: str | None) -> None:
    """It is the code of the response. An error of the network has none, which is no error."""
    assert code_of(GetError(cause=cause)) == code
