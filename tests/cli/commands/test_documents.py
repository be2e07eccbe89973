"""``flask dynamo export`` and ``policy``."""

from __future__ import annotations

import json
import pathlib

import flask
import pytest

import dynaflask
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.observed import format_call
from tests.support import boards
from tests.support.commands import run
from tests.support.settings import MakeApp


class TestInfrastructure:
    """``export`` and ``policy``, which make no call."""

    @pytest.fixture
    def tenants(self, make_app: MakeApp, db: dynaflask.Dynamo) -> flask.Flask:
        """An app whose tenants have tables of their own, and that needs a tenant."""
        boards.declare_board(db)
        prefixes = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
        return make_app(region="eu-west-1", tenants=prefixes, require_tenant=True)

    @pytest.mark.parametrize("arguments", [["export", "--format", "terraform"], ["policy", "--read-only"]])
    def test_a_printed_document_can_be_checked(
        self, make_app: MakeApp, db: dynaflask.Dynamo, tmp_path: pathlib.Path, arguments: list[str]
    ) -> None:
        """``--check`` exits with 0 for the file of the same app, and with 1 and a diff for that of another app."""
        boards.declare_board(db)
        app, other = (make_app(name, region="eu-west-1", table_prefix=f"{name}-") for name in ("one", "two"))
        printed, file = run(app, *arguments), tmp_path / "document.json"
        assert printed.exit_code == 0
        file.write_text(printed.output, encoding="utf-8")
        checked = run(app, *arguments, "--check", str(file))
        assert (checked.exit_code, checked.output) == (0, f"{file} is up to date.\n")
        checked = run(other, *arguments, "--check", str(file))
        assert checked.exit_code == 1
        assert "+++ models" in checked.output

    def test_a_document_of_one_tenant(self, tenants: flask.Flask) -> None:
        """``--tenant`` selects the tenant. Without it, the message names the options; with two, it asks for one."""
        exported = json.loads(run(tenants, "export", "--format", "cdk-json", "--tenant", "acme").output)
        assert exported["tablePrefix"] == "acme-"
        assert "table/globex-Board" in run(tenants, "policy", "--tenant", "globex").output
        for arguments in (["export", "--format", "sam"], ["policy"]):
            missing = run(tenants, *arguments)
            assert (missing.exit_code, "--tenant NAME" in missing.output) == (2, True)
            several = run(tenants, *arguments, "--all-tenants")
            assert several.exit_code == 1
            assert "Each tenant needs a document of its own: name one with --tenant NAME." in several.output

    def test_a_document_that_cannot_be_made_is_an_error(self, make_app: MakeApp) -> None:
        """The message has no traceback, and the exit code is 1."""
        failed = run(make_app(region="eu-west-1"), "export", "--format", "cloudformation")
        assert (failed.exit_code, failed.output.splitlines()[-1].split(":")[0]) == (1, "Error")

    def test_a_policy_for_observed_calls(self, make_app: MakeApp, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """``--observe`` limits the policy to the calls of a file."""
        board, file = boards.declare_board(db), tmp_path / "calls"
        file.write_text(format_call(ObservedCall(f"{board.__module__}.Board", None, "GetItem")), encoding="utf-8")
        printed = run(make_app(region="eu-west-1"), "policy", "--account", "1", "--observe", str(file))
        assert json.loads(printed.output)["Statement"] == [
            {
                "Effect": "Allow",
                "Action": ["dynamodb:GetItem"],
                "Resource": ["arn:aws:dynamodb:eu-west-1:1:table/Board"],
            }
        ]
