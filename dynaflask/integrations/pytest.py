"""pytest: fixtures for a DynamoDB of a test's own.

pytest imports this module in each run, because it is an entry point. So it imports Flask, PynamoDB and botocore only
when a fixture is used.
"""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    import flask

    from dynaflask.testing.tables import AppTables

__all__ = ["dynamo_config", "dynamo_server", "dynamo_tables"]


@pytest.fixture(scope="session")
def dynamo_server() -> str:
    """URL of a local DynamoDB server for this run of pytest; under pytest-xdist, for this worker.

    It starts on first use, keeps its data in memory and ends with the run. Override this fixture to use another server.
    """
    from dynaflask import local  # noqa: PLC0415 - see above

    return local.endpoint()


@pytest.fixture
def dynamo_config(dynamo_server: str) -> dict[str, str]:
    """Settings of an account of the test's own on the server, for ``app.config``."""
    from dynaflask.testing.config import account_config  # noqa: PLC0415 - see above

    return account_config(dynamo_server)


@pytest.fixture
def dynamo_tables(app: flask.Flask, dynamo_server: str) -> AppTables:
    """The tables of the app that the fixture ``app`` returns, created and empty.

    The app must have the settings of ``dynamo_config``.
    """
    from dynaflask.testing.tables import AppTables  # noqa: PLC0415 - see above

    tables = AppTables(app, server=dynamo_server)
    tables.create()
    return tables
