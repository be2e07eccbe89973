"""Runs the tests, and the programs that they start, with another default of ``DYNAMODB_TRANSPORT``.

DYNAFLASK_TEST_TRANSPORT=botocore pytest

Tests that are about one transport name it. Only the others that call a server run: the default changes no other test.
"""

from __future__ import annotations

import os

import pytest

from dynaflask.client import key

VARIABLE = "DYNAFLASK_TEST_TRANSPORT"
OF_DYNAFLASK = key.DEFAULT_TRANSPORT
TRANSPORTS = {key.DIRECT, key.BOTOCORE, key.STOCK}
# Fixtures of tests that call a server. One engine is enough: how the transport reads its responses is the same.
SERVERS = {"recorder", "ministack", "dynamo_server"}


def apply() -> None:
    """Take the default from the environment, if the variable is set."""
    name = os.environ.get(VARIABLE, key.DEFAULT_TRANSPORT)
    if name not in TRANSPORTS:
        raise ValueError(f"{VARIABLE} must be 'direct', 'botocore' or 'stock', not {name!r}.")
    key.DEFAULT_TRANSPORT = name


def depends_on_default(item: pytest.Item) -> bool:
    """True if a test calls a server by the default transport: it has a server, and does not name a transport."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    names = {str(value) for value in parameters.values()}
    fixtures = {*getattr(item, "fixturenames", ()), parameters.get("engine")}
    return not SERVERS.isdisjoint(fixtures) and TRANSPORTS.isdisjoint(names)
