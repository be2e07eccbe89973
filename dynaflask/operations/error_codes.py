"""The error codes of DynamoDB that dynaflask acts on.

A transaction that DynamoDB cancels has a code per item as well, its cancellation reason. Some reasons are spelt
differently from the code of the same error, and both spellings are in the table. The codes are listed in
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import typing as t

from pynamodb.exceptions import PynamoDBException

TABLE_NOT_FOUND: t.Final = "ResourceNotFoundException"
TABLE_EXISTS: t.Final = "ResourceInUseException"
POLICY_NOT_FOUND: t.Final = "PolicyNotFoundException"
# For some seconds, a new table has no backups that could be configured.
BACKUPS_UNAVAILABLE: t.Final = "ContinuousBackupsUnavailableException"
TRANSACTION_CANCELED: t.Final = "TransactionCanceledException"

THROTTLED: t.Final = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ThrottlingError",
    }
)
CONDITION_FAILED: t.Final = frozenset({"ConditionalCheckFailedException", "ConditionalCheckFailed"})
TRANSACTION_CONFLICTS: t.Final = frozenset(
    {
        "TransactionConflictException",
        "TransactionConflict",
        # A transaction with the same client token has not ended yet.
        "TransactionInProgressException",
    }
)
# Another region of a global table with strong consistency is writing the item.
CONFLICTS: t.Final = CONDITION_FAILED | TRANSACTION_CONFLICTS | {"ReplicatedWriteConflictException"}
# DynamoDB's code, and that of STS.
EXPIRED_CREDENTIALS: t.Final = frozenset({"ExpiredTokenException", "ExpiredToken"})
NOT_ALLOWED: t.Final = "AccessDeniedException"
# The credentials are wrong, or the IAM policy does not allow the call.
ACCESS_DENIED: t.Final = frozenset(
    {
        NOT_ALLOWED,
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)


def code_of(error: PynamoDBException) -> str | None:
    """The code of DynamoDB's response to a call that failed.

    PynamoDB's own ``cause_response_code`` raises AttributeError for a timeout, whose response is None.

    Args:
        error: PynamoDB's error.

    Returns:
        The code; None if there was no response, as after a timeout.
    """
    response = getattr(error.cause, "response", None) or {}
    code: str | None = response.get("Error", {}).get("Code")
    return code
