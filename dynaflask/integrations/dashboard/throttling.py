"""What to do about DynamoDB's reasons for throttling a call.

A reason has three parts: table or index, read or write, and the limit.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html
"""

from __future__ import annotations

import typing as t

BY_LIMIT: t.Final = {
    "KeyRangeThroughputExceeded": (
        "One partition gets too many calls. Spread them over more hash keys, for example with a suffix. More capacity"
        " of the table does not help."
    ),
    "ProvisionedThroughputExceeded": (
        "The provisioned capacity is used up. Raise it, turn on auto scaling, or change the table to on-demand billing."
    ),
    "MaxOnDemandThroughputExceeded": (
        "The maximum throughput that is set for on-demand billing is reached. Raise it, or limit the tenant that uses"
        " it."
    ),
    "AccountLimitExceeded": (
        "The account's quota for one table is reached. Request a higher one from AWS Service Quotas."
    ),
}
OF_AN_INDEX = " The index is throttled, not its table: writes to the table wait for it."
WITHOUT_REASON = (
    "DynamoDB gave no reason, or botocore is older than August 2025. See the table's metrics in CloudWatch, and upgrade"
    " botocore."
)


def what_to_do(reason: str) -> str:
    """What to do about a reason.

    Args:
        reason: DynamoDB's reason, such as ``"TableWriteKeyRangeThroughputExceeded"``; or an error code.
    """
    for limit, advice in BY_LIMIT.items():
        if reason.endswith(limit):
            return advice + OF_AN_INDEX * reason.startswith("IndexWrite")
    return WITHOUT_REASON
