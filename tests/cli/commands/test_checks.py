"""``flask dynamo ping`` and ``check``. The doctor has tests of its own."""

from __future__ import annotations

import json

import dynaflask
from dynaflask.client import key
from tests.support import boards
from tests.support import recorder as recorders
from tests.support.commands import run
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def test_ping_calls_each_bind(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """``ping`` calls all binds, or the one of ``--bind``; one that does not answer is an error that names it."""
    binds = {"eu": {"region": "eu-west-1"}, "far": {"host": "http://127.0.0.1:1", "max_retry_attempts": 0}}
    app = make_app(host=recorder.url, region="us-east-1", binds=binds, **KEYS)
    assert json.loads(run(app, "ping", "--bind", "eu", "--json").output)[0]["bind"] == "eu"
    assert [request.region for request in recorder.requests] == ["eu-west-1"]
    failed = run(app, "ping")
    assert failed.exit_code == 1
    assert "The bind is 'far'" in failed.output


def test_check_exits_with_1_if_a_table_cannot_be_used(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """``check`` shows each table, with the seconds to four decimals, and the reason why it cannot be used."""
    boards.declare_board(db)
    app = make_app(host=recorder.url, region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
    recorder.answer = lambda request: {"TableNames": [], "Table": {"TableStatus": "ACTIVE"}}
    checked = run(app, "check", "--json")
    assert checked.exit_code == 0
    first, second = json.loads(checked.output)
    assert {**first, "seconds": 0} == {
        "bind": "default",
        "table": "Board",
        "models": ["Board"],
        "seconds": 0,
        "error": None,
        "transport": key.DEFAULT_TRANSPORT,
    }
    assert (second["bind"], second["table"]) == ("eu", None)
    assert first["seconds"] == round(first["seconds"], 4)
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException", "message": "no"})
    failed = run(app, "check", "--bind", "default")
    assert (failed.exit_code, "flask dynamo create" in failed.output) == (1, True)
