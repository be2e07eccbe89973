"""What the installed botocore knows of DynamoDB. The lower bound of botocore lacks the newest members of requests."""

from __future__ import annotations

import functools
import typing as t

import botocore.session
import pytest


def needs_member(shape: str, member: str) -> pytest.MarkDecorator:
    """Skips a test if a structure of the installed botocore lacks a member, such as a new option of a request."""
    return pytest.mark.skipif(
        member not in _service_model().shape_for(shape).members, reason=f"this botocore has no {shape}.{member}"
    )


@functools.cache
def _service_model() -> t.Any:
    return botocore.session.get_session().get_service_model("dynamodb")
