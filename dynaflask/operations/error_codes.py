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
UNKNOWN_KEY: t.Final = "UnrecognizedClientException"
WRONG_SIGNATURE: t.Final = "InvalidSignatureException"
# The credentials are missing, wrong or expired: no call of the app has access. The codes of DynamoDB, and of STS.
REJECTED_CREDENTIALS: t.Final = frozenset(
    {
        "ExpiredTokenException",
        "IncompleteSignature",
        "MissingAuthenticationTokenException",
        UNKNOWN_KEY,
        WRONG_SIGNATURE,
        "ExpiredToken",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
    }
)
# The credentials are right, and the IAM policy does not allow the call.
NOT_ALLOWED: t.Final = "AccessDeniedException"

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


def is_foreign(code: str | None) -> bool:
    """True if the response was not one of AWS, but of a proxy: it had no code, and botocore took its status for one.

    Args:
        code: Result of `code_of`.
    """
    return code is not None and code.isdecimal()


def failed_operation(error: BaseException) -> str | None:
    """The operation that AWS refused: that of the program, or ``AssumeRole`` before it.

    Args:
        error: Error of PynamoDB or of botocore.
    """
    # PynamoDB's own client error names the operation that the program called. Its cause names the one that failed.
    cause = getattr(error, "cause", None) or error
    return getattr(cause.__cause__ or cause, "operation_name", None)


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
