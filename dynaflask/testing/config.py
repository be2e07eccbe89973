"""The settings of an app under test."""

from __future__ import annotations

import uuid

REGION = "us-east-1"


def account_config(server: str) -> dict[str, str]:
    """Settings of an account of its own on a test server.

    The local server takes a 12-digit access key as the number of an account, and keeps the tables of accounts apart.

    Args:
        server: URL of the test server.

    Returns:
        Settings for ``app.config``.
    """
    return {
        "DYNAMODB_HOST": server,
        "DYNAMODB_REGION": REGION,
        # Not 000000000000, the account of all other access keys.
        "DYNAMODB_AWS_ACCESS_KEY_ID": f"{uuid.uuid4().int % 10**12 or 1:012d}",
        "DYNAMODB_AWS_SECRET_ACCESS_KEY": "test",
    }
