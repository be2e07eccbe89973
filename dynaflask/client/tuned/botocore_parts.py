"""Puts the tuned parts in their places. Not imported if botocore lacks a name that one of them needs."""

from __future__ import annotations

import typing as t

from dynaflask.client.tuned import endpoint_resolver
from dynaflask.client.tuned import request_serializer
from dynaflask.client.tuned import signer
from dynaflask.client.tuned.response_parser import ParserFactory
from dynaflask.client.tuned.user_agent import UserAgent


def prepare_session(session: t.Any) -> None:
    """Register the parser and the user agent on a session."""
    session.register_component("response_parser_factory", ParserFactory())
    session.register_component("user_agent_creator", UserAgent.from_environment())


def install(client: t.Any) -> None:
    """Replace the signer, the serializer and the endpoint resolver of a new client."""
    signer.install(client)
    request_serializer.install(client)
    endpoint_resolver.install(client)
