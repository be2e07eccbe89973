"""``flask dynamo doctor``."""

from __future__ import annotations

import collections.abc as cabc
import json

import flask
import pytest

import dynaflask
from tests.support import engines
from tests.support import models
from tests.support.settings import MakeApp


@pytest.fixture
def app(
    db: dynaflask.Dynamo, make_app: MakeApp, ministack: engines.Engine, account: engines.Account
) -> cabc.Iterator[flask.Flask]:
    """An app with a model whose table exists, and a tenant whose table does not."""
    thread = models.declare_thread(db)
    keys = {"aws_access_key_id": account.access_key_id, "aws_secret_access_key": "hush"}
    app = make_app(host=ministack.url, region="us-east-1", tenants={"acme": {"table_prefix": "acme-"}}, **keys)
    with app.app_context():
        db.create_all(wait=True)
    yield app
    with app.app_context():
        db.drop_all()
    assert thread is not None


def test_it_shows_values_and_findings(app: flask.Flask) -> None:
    """Each value has its source and each finding its line, without secrets; the exit code is 0 if nothing is wrong."""
    result = app.test_cli_runner().invoke(args=["dynamo", "doctor"])
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["default", "region", "us-east-1", "DYNAMODB_REGION"] in lines
    assert ["default", "table", "Thread", "ok", "It", "fits", "Thread."] in lines
    assert "hush" not in result.output


def test_an_error_ends_with_1(app: flask.Flask) -> None:
    """A tenant's table is missing, and its line says what to do."""
    result = app.test_cli_runner().invoke(args=["dynamo", "doctor", "--tenant", "acme"])
    assert result.exit_code == 1
    assert "flask dynamo create" in result.output


def test_it_prints_json(app: flask.Flask) -> None:
    """``--json`` prints a list of diagnoses; ``--bind`` limits it, and an unknown bind ends with 2."""
    run = app.test_cli_runner().invoke
    (diagnosis,) = json.loads(run(args=["dynamo", "doctor", "--json", "--bind", "default"]).output)
    assert (diagnosis["bind"], diagnosis["tenant"], diagnosis["models"]) == ("default", None, ["Thread"])
    assert {finding["level"] for finding in diagnosis["findings"]} == {"ok"}
    assert run(args=["dynamo", "doctor", "--bind", "mars"]).exit_code == 2
