"""The error codes of DynamoDB that dynaflask acts on.

A transaction that DynamoDB cancels has a code per item as well, its cancellation reason. Some reasons are spelt
differently from the code of the same error, and both spellings are in the table. The codes are listed in
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import typing as t

from botocore.exceptions import ClientError

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

# A request that DynamoDB does not accept: a wrong key, a missing index, or a value of another type.
INVALID_REQUEST: t.Final = frozenset({"ValidationException", "SerializationException"})


def code_of(error: BaseException | None) -> str | None:
    """The code of DynamoDB's response to a call that failed.

    PynamoDB's own ``cause_response_code`` raises AttributeError for a timeout, whose response is None.

    Args:
        error: Error of PynamoDB or of botocore.

    Returns:
        The code; None if there was no response, as after a timeout.
    """
    cause = getattr(error, "cause", None) or error
    return cause.response.get("Error", {}).get("Code") if isinstance(cause, ClientError) else None


def reason_codes(error: BaseException | None) -> frozenset[str]:
    """Why DynamoDB refused a call: the code of the response, or of each item that canceled the transaction.

    Args:
        error: Error of PynamoDB or of botocore.

    Returns:
        The codes; none if there was no response.
    """
    code = code_of(error)
    if code != TRANSACTION_CANCELED:
        return frozenset({code} if code else ())
    cause: t.Any = getattr(error, "cause", None) or error
    # PynamoDB moves the reasons from the response to an attribute. The other items have None, or "None".
    reasons = getattr(cause, "cancellation_reasons", None)
    if reasons is not None:
        return frozenset(reason.code for reason in reasons if reason)
    return frozenset(reason["Code"] for reason in cause.response.get("CancellationReasons", ())) - {"None"}
