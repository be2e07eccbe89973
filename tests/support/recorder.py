"""The recording server, under the name that the tests use, and its responses."""

from __future__ import annotations

import typing as t

from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Json
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from dynaflask.testing.recorder import plain_answer
from dynaflask.testing.recorder import read_request

__all__ = ["Answer", "Json", "Recorder", "Request", "no_table", "plain_answer", "read_request", "refusal"]


def refusal(code: str, *reasons: str, **more: t.Any) -> tuple[int, Json]:
    """DynamoDB's response to a call that it refuses.

    Args:
        code: The error code.
        *reasons: For a transaction, the code of each of its actions.
        **more: Further members of the body.
    """
    reported = {"CancellationReasons": [{"Code": reason} for reason in reasons]} if reasons else {}
    return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no", **reported, **more}


def no_table(request: Request) -> Answer:
    """An answer function by which no table exists.

    Args:
        request: The request.
    """
    return refusal("ResourceNotFoundException") if request.operation == "DescribeTable" else None
