"""PynamoDB's translation of the errors of a call, around a client."""

from __future__ import annotations

import typing as t

import pynamodb.connection


class ApiCall(pynamodb.connection.Connection):
    """The part of a connection that PynamoDB needs to make one call and to translate its errors.

    Its ``_make_api_call`` is PynamoDB's. A test that patches it sees the arguments that it sees with PynamoDB alone.
    Threads may share it: it keeps nothing of a call.

    Args:
        client: A botocore client, or what makes calls in its place.
    """

    __slots__ = ("client",)

    # super().__init__() prepares what only a whole connection needs.
    def __init__(self, client: t.Any) -> None:
        self.client = client  # type: ignore[misc]  # the slot replaces PynamoDB's property

    def __repr__(self) -> str:
        """Its client. PynamoDB's shows the URL of a client, which a transport does not have."""
        return f"<ApiCall {self.client!r}>"
