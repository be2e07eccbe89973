"""``ContextFilter`` adds app, tenant and bind to log records."""

from __future__ import annotations

import collections.abc as cabc
import json
import logging
import typing as t

import flask
import pytest
from pynamodb.exceptions import QueryError

import dynaflask
from dynaflask import operation_finished
from dynaflask.integrations.logging import ContextFilter
from dynaflask.integrations.logging import log_fields
from dynaflask.operations.caller import find_caller
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import ThrottlingReason
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

FORMAT = logging.Formatter("%(app)s %(tenant)s %(bind)s %(message)s")


class Lines(logging.Handler):
    """Collects formatted records."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(FORMAT)
        self.addFilter(ContextFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


LOGGER = logging.getLogger("tests.logs")


@pytest.fixture
def lines() -> cabc.Iterator[list[str]]:
    """The lines that the logger writes."""
    handler = Lines()
    LOGGER.disabled = False  # logging.config disables existing loggers
    LOGGER.setLevel(logging.INFO)
    LOGGER.addHandler(handler)
    yield handler.lines
    LOGGER.removeHandler(handler)


def log(message: str, **extra: t.Any) -> None:
    """Write a log line."""
    LOGGER.warning(message, extra=extra)


def test_outside_of_a_context_all_values_are_absent(lines: list[str]) -> None:
    """Outside of an app context each value is ``-``."""
    log("hello")
    assert lines == ["- - - hello"]


def test_in_a_context_the_app_and_bind_are_added(make_app: MakeApp, db: dynaflask.Dynamo, lines: list[str]) -> None:
    """A record has the app; once the database is in use, also the bind of the enclosing block."""
    with make_app("forum", binds={"archive": {}}).app_context():
        log("before")
        db.get_connection()
        log("after")
        with db.using("archive"), db.using(region="eu-west-1"):
            log("inside")
    assert lines == ["forum - - before", "forum - default after", "forum - archive inside"]


def test_nested_apps_have_each_their_own(make_app: MakeApp, db: dynaflask.Dynamo, lines: list[str]) -> None:
    """A block of the one is not the other's."""
    us, eu = make_app("us", binds={"archive": {}}), make_app("eu")
    with us.app_context(), db.using("archive"):
        log("outer")
        with eu.app_context():
            db.get_connection()
            log("inner")
    assert lines == ["us - archive outer", "eu - default inner"]


def test_another_app_has_a_name_too(lines: list[str]) -> None:
    """A line of an app without dynaflask has the name of that app, and no tenant and no bind."""
    with flask.Flask("plain").app_context():
        log("hello")
    assert lines == ["plain - - hello"]


def test_extra_takes_precedence(make_app: MakeApp, lines: list[str]) -> None:
    """A value that the program passes in ``extra`` stays."""
    with make_app("forum").app_context():
        log("hello", tenant="acme")
    assert lines == ["forum acme - hello"]


def test_a_log_line_has_no_side_effects(make_app: MakeApp, recorder: recorders.Recorder, lines: list[str]) -> None:
    """A log line makes no call and leaves ``flask.g`` unchanged."""
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        before = list(flask.g)
        log("hello")
        assert list(flask.g) == before
    assert recorder.requests == []


def test_the_tenant_is_added_once_it_is_loaded(make_app: MakeApp, db: dynaflask.Dynamo, lines: list[str]) -> None:
    """A log line never calls the tenant loader, not even a line that the loader writes."""
    loads = []

    @db.tenant_loader
    def load() -> str:
        loads.append(1)
        log("loading")
        return "acme"

    with make_app("forum").app_context():
        log("before")
        assert loads == []
        db.get_connection()
        log("after")
    assert lines == ["forum - - before", "forum - default loading", "forum acme default after"]


def test_a_nested_request_has_its_own_tenant(make_app: MakeApp, db: dynaflask.Dynamo, lines: list[str]) -> None:
    """A request in an app context has its own tenant once loaded; after it, the context has its tenant again."""
    db.tenant_loader(lambda: flask.request.headers["X-Tenant"] if flask.has_request_context() else "acme")
    app = make_app("forum")
    with app.app_context():
        db.get_connection()
        with app.test_request_context(headers={"X-Tenant": "globex"}):
            log("not yet")
            db.get_connection()
            log("theirs")
        log("hers")
    assert lines == ["forum - - not yet", "forum globex default theirs", "forum acme default hers"]


def test_a_tenant_block_has_the_tenants_bind(make_app: MakeApp, db: dynaflask.Dynamo, lines: list[str]) -> None:
    """In a tenant's block the bind is the tenant's, not that of an enclosing ``db.using``."""
    app = make_app("forum", binds={"eu": {}, "archive": {}}, tenants={"acme": {"bind_key": "eu"}, "globex": {}})
    with app.app_context(), db.using("archive"):
        with db.tenant("acme"):
            log("hers")
            with db.using(read_timeout_seconds=1):
                log("still hers")
        with db.tenant("globex"):
            log("theirs")
        log("nobody's")
    assert lines == [
        "forum acme eu hers",
        "forum acme eu still hers",
        "forum globex default theirs",
        "forum - archive nobody's",
    ]


def test_a_nested_request_of_another_tenant(make_app: MakeApp, db: dynaflask.Dynamo, lines: list[str]) -> None:
    """A nested request has no tenant until its own is loaded."""
    db.tenant_loader(lambda: flask.request.headers.get("X-Tenant") if flask.has_request_context() else "job")
    app = make_app("forum")
    with app.app_context():
        assert db.current_tenant == "job"
        with app.test_request_context(headers={"X-Tenant": "acme"}):
            log("before")
            assert db.current_tenant == "acme"
            log("after")
        log("outside")
    assert lines == ["forum - - before", "forum acme default after", "forum job default outside"]


STANDARD = vars(logging.makeLogRecord({})).keys() | {"asctime", "message", "taskName"}


class JSONFormatter(logging.Formatter):
    """Writes the fields of a record."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps({name: value for name, value in vars(record).items() if name not in STANDARD})


class TestJSON:
    """Fields for logs in JSON."""

    @pytest.fixture(autouse=True)
    def json_lines(self, lines: list[str]) -> None:
        """Write the lines in JSON."""
        (handler,) = LOGGER.handlers
        handler.setFormatter(JSONFormatter())
        handler.filters = [ContextFilter(absent=None)]

    def test_a_missing_value_is_null(self, make_app: MakeApp, db: dynaflask.Dynamo, lines: list[str]) -> None:
        """With ``absent=None`` a missing value is ``null``, and another value is as it is."""
        log("outside")
        with make_app("forum").app_context(), db.tenant("acme"):
            log("inside")
        assert [json.loads(line) for line in lines] == [
            {"app": None, "tenant": None, "bind": None},
            {"app": "forum", "tenant": "acme", "bind": "default"},
        ]

    def test_an_operation_is_json(
        self, make_app: MakeApp, db: dynaflask.Dynamo, ministack: engines.Engine, thread_model: t.Any, lines: list[str]
    ) -> None:
        """The fields of an operation belong to its app and tenant, and have no value of a key and no credential."""
        keys = {"aws_access_key_id": engines.Account().access_key_id, "aws_secret_access_key": "hush"}
        us, eu = (make_app(name, host=ministack.url, region="us-east-1", **keys) for name in ("us", "eu"))
        for app in (us, eu):
            operation_finished.connect(log_operation, app)
            with app.app_context(), db.tenant("acme" if app is us else "globex"), pytest.raises(QueryError):
                thread_model.count("confidential")
        fields = [json.loads(line) for line in lines]
        assert [(line["app"], line["tenant"], line["model"]) for line in fields] == [
            ("us", "acme", "Thread"),
            ("eu", "globex", "Thread"),
        ]
        assert {line["error"] for line in fields} == {"ResourceNotFoundException"}
        assert [text for text in ("confidential", *keys.values()) if text in "".join(lines)] == []

    def test_every_field_is_json(self) -> None:
        """Each field of an operation, with all its values, can become JSON and come back the same."""
        operation = Operation(
            "Query",
            "app",
            "default",
            "Thread",
            "Thread",
            "acme",
            0.01,
            error="ThrottlingException",
            is_throttled=True,
            throttling_reasons=(ThrottlingReason("TableReadAccountLimitExceeded", "arn:aws:dynamodb:x"),),
            caller=find_caller(),
        )
        fields = log_fields(operation)
        assert json.loads(json.dumps(fields)) == fields
        assert fields["throttling_reasons"][0]["resource"] == "arn:aws:dynamodb:x"


def log_operation(_: flask.Flask, *, operation: Operation) -> None:
    """Log an operation with its fields."""
    log(operation.label, **log_fields(operation))
