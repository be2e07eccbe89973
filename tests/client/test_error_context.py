"""Errors of a call name the bind and the setting to check."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import types
import typing as t

import botocore.exceptions
import botocore.session
import flask
import pytest
from botocore.config import Config
from pynamodb import exceptions
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import GetError
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask import local
from tests.support import hostile
from tests.support import models
from tests.support import recorder as recorders
from tests.support import servers
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ROLE = "arn:aws:iam::123456789012:role/forum"
DEAD = "http://127.0.0.1:1"


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder, tmp_path: pathlib.Path) -> t.Iterator[flask.Flask]:
    """An app, in a context, with a bind for each error."""
    (tmp_path / "empty.pem").touch()
    binds = {
        "dead": {"host": DEAD},
        "profile": {"profile": "missing"},
        "no credentials": {"aws_access_key_id": None, "aws_secret_access_key": None},
        "role": {"role_arn": ROLE},
        "proxy": {"host": "http://example.com", "client_config": Config(proxies={"http": DEAD})},
    }
    app = make_app(host=recorder.url, region="us-east-1", max_retry_attempts=0, binds=binds, **KEYS)
    with app.app_context():
        yield app


CASES = [
    ("dead", botocore.exceptions.EndpointConnectionError, "DYNAMODB_HOST"),
    ("profile", botocore.exceptions.ProfileNotFound, "DYNAMODB_PROFILE"),
    ("no credentials", botocore.exceptions.NoCredentialsError, "DYNAMODB_AWS_ACCESS_KEY_ID"),
    ("proxy", botocore.exceptions.ProxyConnectionError, "DYNAMODB_CLIENT_CONFIG"),
    ("role", botocore.exceptions.ClientError, "DYNAMODB_ROLE_ARN"),
]


@pytest.mark.usefixtures("app")
@pytest.mark.parametrize(("bind_key", "error", "setting"), CASES, ids=[case[0] for case in CASES])
class TestErrors:
    """Each error keeps its type."""

    @pytest.fixture(autouse=True)
    def refusing_sts(self, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        """The recorder is STS as well, and denies every role."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", recorder.url)
        refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        recorder.answer = lambda request: None if request.operation else (403, refusal)

    def test_a_ping_names_the_bind_and_the_setting(
        self, app: flask.Flask, bind_key: str, error: type[Exception], setting: str
    ) -> None:
        """``ping`` and ``warm`` raise botocore's error with the advice."""
        registry: dynaflask.Registry = app.extensions["dynamo"]
        for use in (registry.ping, lambda key: registry.warm(key, "default")):
            with pytest.raises(error, match=rf"\(The bind is '{bind_key}'[.,].*{setting}"):
                use(bind_key)

    def test_a_models_call_raises_pynamodbs_error_of_it(
        self, db: dynaflask.Dynamo, thread_model: t.Any, bind_key: str, error: type[Exception], setting: str
    ) -> None:
        """PynamoDB's error has the advice and its cause. Calls to other binds go on."""
        with (
            db.using(bind_key),
            pytest.raises(GetError, match=rf"The bind is '{bind_key}'[.,].*{setting}") as caught,
        ):
            thread_model.get("forum", "subject")
        assert isinstance(caught.value.cause, error)
        assert thread_model.get("forum", "subject").subject == "subject"


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_a_profile_of_the_environment_names_its_variable(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The advice names where the missing profile was set."""
    monkeypatch.setenv(variable, "missing")
    app = make_app(region="us-east-1")
    expected = rf"Check the environment variable {variable}\."
    with pytest.raises(botocore.exceptions.ProfileNotFound, match=expected):
        app.extensions["dynamo"].ping()


def test_a_profile_of_a_session_names_the_session(make_app: MakeApp) -> None:
    """If the program's own session has the missing profile, the advice names DYNAMODB_SESSION."""
    app = make_app(region="us-east-1", session=botocore.session.Session(profile="missing"))
    with pytest.raises(botocore.exceptions.ProfileNotFound, match=r"Check DYNAMODB_SESSION\."):
        app.extensions["dynamo"].ping()


def _transact(transaction: t.Any, method: str, *arguments: t.Any) -> None:
    with transaction:
        getattr(transaction, method)(*arguments)


def _write_batch(model: t.Any) -> None:
    with model.batch_write() as batch:
        batch.save(model("forum", "subject"))


# Calls of a model, and the exception class of PynamoDB that each raises.
CALLS: dict[str, tuple[t.Callable[[t.Any, t.Any], object], type[exceptions.PynamoDBException]]] = {
    "get": (lambda model, db: model.get("forum", "subject"), exceptions.GetError),
    "save": (lambda model, db: model("forum", "subject").save(), exceptions.PutError),
    "update": (
        lambda model, db: model("forum", "subject").update(actions=[model.views.set(1)]),
        exceptions.UpdateError,
    ),
    "delete": (lambda model, db: model("forum", "subject").delete(), exceptions.DeleteError),
    "query": (lambda model, db: list(model.query("forum")), exceptions.QueryError),
    "scan": (lambda model, db: list(model.scan()), exceptions.ScanError),
    "count": (lambda model, db: model.count("forum"), exceptions.QueryError),
    "paginate": (lambda model, db: db.paginate(model.query, "forum"), exceptions.QueryError),
    "read a batch": (lambda model, db: list(model.batch_get([("forum", "subject")])), exceptions.GetError),
    "write a batch": (lambda model, db: _write_batch(model), exceptions.PutError),
    "transact get": (
        lambda model, db: _transact(db.transact_get(), "get", model, "forum", "subject"),
        exceptions.TransactGetError,
    ),
    "transact write": (
        lambda model, db: _transact(db.transact_write(), "save", model("forum", "subject")),
        exceptions.TransactWriteError,
    ),
    "describe": (lambda model, db: model.describe_table(), exceptions.TableDoesNotExist),
    "drop": (lambda model, db: model.delete_table(), exceptions.TableError),
}
REJECTED = (
    "AWS rejected these credentials. Check the usual sources of AWS (AWS_PROFILE, AWS_ACCESS_KEY_ID, `aws configure`,"
    " the role of the machine), or DYNAMODB_PROFILE, DYNAMODB_AWS_ACCESS_KEY_ID, DYNAMODB_SESSION, DYNAMODB_ROLE_ARN."
)
REFUSED = ["ExpiredTokenException", "InvalidSignatureException", "UnrecognizedClientException"]


def refuse(recorder: recorders.Recorder, code: str) -> None:
    """Answer every call with an error."""
    recorder.answer = lambda request: recorders.refusal(code)


@pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
@pytest.mark.parametrize(("call", "error"), CALLS.values(), ids=CALLS)
def test_a_missing_table_names_the_destination_and_the_command(  # noqa: PLR0917 - fixtures
    make_app: MakeApp,
    recorder: recorders.Recorder,
    thread_model: t.Any,
    db: dynaflask.Dynamo,
    call: t.Callable[[t.Any, t.Any], object],
    error: t.Any,
    transport: str,
) -> None:
    """PynamoDB's error has the advice once, and keeps its code and message."""
    refuse(recorder, "ResourceNotFoundException")
    app = make_app(host=recorder.url, region="us-east-1", transport=transport, **KEYS)
    app.secret_key = "secret"
    with app.app_context(), pytest.raises(error) as caught:
        call(thread_model, db)
    assert str(caught.value).endswith(
        f" (The bind is 'default', the region 'us-east-1', the endpoint {recorder.url!r}. The table does not"
        " exist there. To create it, run `flask dynamo create` or call db.create_all, if a model declares it. If it"
        " exists elsewhere, check DYNAMODB_REGION, DYNAMODB_HOST, DYNAMODB_TABLE_PREFIX.)"
    )
    assert str(caught.value).count("The bind is") == 1
    if error is not exceptions.TableDoesNotExist:
        assert caught.value.cause_response_code == "ResourceNotFoundException"
        assert caught.value.cause_response_message == "no"


def test_a_missing_table_of_the_local_server_advises_what_helps(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`flask dynamo create` would create the table in a server of its own: the error names ``db.create_all``."""
    monkeypatch.setattr("dynaflask.local.endpoint", lambda path: recorder.url)
    refuse(recorder, "ResourceNotFoundException")
    with make_app(host="local").app_context(), pytest.raises(GetError) as caught:
        thread_model.get("forum", "subject")
    assert "call db.create_all here" in str(caught.value)
    assert "`flask dynamo local` in one process" in str(caught.value)
    assert "flask dynamo create" not in str(caught.value)


@pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
def test_a_local_server_that_was_killed_is_named(
    make_app: MakeApp, thread_model: t.Any, caplog: pytest.LogCaptureFixture, transport: str
) -> None:
    """An app whose local server has ended gets the error that says so, and not only that it could not connect."""
    local.stop()
    caplog.set_level("DEBUG", "dynaflask.local")
    app = make_app(host="local", transport=transport, max_retry_attempts=0)
    app.extensions["dynamo"].ping()
    os.kill(int(re.findall(r"Started .* as process (\d+)", caplog.text)[0]), signal.SIGKILL)

    def message() -> str:
        with app.app_context(), pytest.raises(GetError) as caught:
            thread_model.get("forum", "subject")
        return str(caught.value)

    try:
        assert servers.eventually(lambda: "The bind is 'default'. The local server on port" in message())
        assert "has ended with exit code -9. Start the program again" in message()
    finally:
        local.stop()


def test_a_transactions_error_keeps_its_msg(app: flask.Flask, recorder: recorders.Recorder, db: t.Any) -> None:
    """``msg`` is PynamoDB's own text: PynamoDB does not repeat the cause there."""
    refuse(recorder, "ResourceNotFoundException")
    with pytest.raises(exceptions.TransactGetError) as caught:
        _transact(db.transact_get(), "get", models.declare_thread(db), "forum", "subject")
    assert caught.value.msg == "Failed to get transaction items"
    assert isinstance(caught.value.cause, exceptions.VerboseClientError)
    assert app is not None


@pytest.mark.parametrize(
    ("error", "call"),
    [
        (exceptions.TransactWriteError, lambda db, model: _transact(db.transact_write(), "save", model("a", "b"))),
        (exceptions.TransactGetError, lambda db, model: _transact(db.transact_get(), "get", model, "a", "b")),
        (
            exceptions.TransactWriteError,
            lambda db, model: _transact(TransactWrite(connection=db.connection), "save", model("a", "b")),
        ),
    ],
    ids=["write", "get", "PynamoDB's own"],
)
@pytest.mark.parametrize("code", ["ValidationException", "TransactionCanceledException"])
@pytest.mark.usefixtures("app")
def test_a_failed_transaction_says_why(
    recorder: recorders.Recorder, db: t.Any, error: type[Exception], call: t.Callable[[t.Any, t.Any], None], code: str
) -> None:
    """The error of a transaction has DynamoDB's code and message, and ``msg`` is PynamoDB's text."""
    reason = "Member must have length less than or equal to 100"
    recorder.answer = lambda request: (400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": reason})
    with pytest.raises(error, match=rf"Failed to .* transaction items: .*\({code}\).*: {reason}$") as caught:
        call(db, models.declare_thread(db))
    assert t.cast("t.Any", caught.value).msg.endswith("transaction items")


def test_a_missing_table_of_a_tenant_names_the_tenant(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
) -> None:
    """The command is quoted as it must be typed."""
    refuse(recorder, "ResourceNotFoundException")
    app = make_app(host=recorder.url, region="us-east-1", tenants={"a c": {"table_prefix": "ac-"}}, **KEYS)
    with (
        app.app_context(),
        db.tenant("a c"),
        pytest.raises(GetError, match="`flask dynamo create --tenant 'a c'` or call"),
    ):
        thread_model.get("forum", "subject")


@pytest.mark.parametrize(
    ("use", "command"),
    [
        (lambda db, plan: plan.get("forum", "subject"), "flask dynamo create Thread --without-tenant"),
        (lambda db, plan: db.connection.get_item("Plan", "x"), "flask dynamo create --without-tenant"),
    ],
    ids=["model", "connection"],
)
def test_a_missing_table_of_no_tenant_names_the_option(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, use: t.Any, command: str
) -> None:
    """Where a tenant is required, the command and ``create_all`` need to be told that there is none."""
    plan = models.declare_thread(db, table_name="Plan", tenant=False)
    refuse(recorder, "ResourceNotFoundException")
    strict = make_app("strict", host=recorder.url, region="us-east-1", require_tenant=True, tenants={"a": {}}, **KEYS)
    other = make_app("other", host=recorder.url, region="us-east-1", tenants={"a": {}}, **KEYS)
    with strict.app_context(), db.without_tenant(reason="test"), pytest.raises(Exception) as caught:  # noqa: PT011
        use(db, plan)
    assert f"run `{command}` or call db.create_all in a `with db.without_tenant(reason=...):` block," in str(
        caught.value
    )
    with other.app_context(), pytest.raises(Exception, match=r"run `flask dynamo create` or call db\.create_all, if"):
        use(db, plan)


def test_two_apps_have_their_own_destination_in_the_error(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """The error names the region of the app that made the call."""
    refuse(recorder, "ResourceNotFoundException")
    for region in ("eu-west-1", "us-east-1"):
        with make_app(region, host=recorder.url, region=region, **KEYS).app_context():
            with pytest.raises(GetError, match=f"the region '{region}'"):
                thread_model.get("forum", "subject")


@pytest.mark.unmeasured
@pytest.mark.parametrize("code", REFUSED)
@pytest.mark.parametrize(("call", "error"), CALLS.values(), ids=CALLS)
def test_rejected_credentials_name_the_settings(  # noqa: PLR0917 - fixtures
    app: flask.Flask,
    recorder: recorders.Recorder,
    thread_model: t.Any,
    db: dynaflask.Dynamo,
    call: t.Callable[[t.Any, t.Any], object],
    error: type[Exception],
    code: str,
) -> None:
    """The error names the destination and the settings, and no key."""
    refuse(recorder, code)
    app.secret_key = "secret"
    # PynamoDB leaves this one as botocore raises it.
    kind = botocore.exceptions.ClientError if error is exceptions.TableDoesNotExist else error
    with pytest.raises(
        kind,
        match=rf"The bind is 'default', .*{recorder.url}.* {re.escape(REJECTED)}",
    ) as caught:
        call(thread_model, db)
    assert "hush" not in repr(caught.value)
    assert "AKIA" not in repr(caught.value)


# The operation that each of the calls makes first.
ACTIONS = {
    "get": "dynamodb:GetItem",
    "save": "dynamodb:PutItem",
    "update": "dynamodb:UpdateItem",
    "delete": "dynamodb:DeleteItem",
    "query": "dynamodb:Query",
    "scan": "dynamodb:Scan",
    "count": "dynamodb:Query",
    "paginate": "dynamodb:Query",
    "read a batch": "dynamodb:BatchGetItem",
    "write a batch": "dynamodb:BatchWriteItem",
    "transact get": "dynamodb:GetItem",
    "transact write": "dynamodb:PutItem, UpdateItem, DeleteItem or ConditionCheckItem",
    "describe": "dynamodb:DescribeTable",
    "drop": "dynamodb:DeleteTable",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_is_not_allowed_names_the_iam_action(
    app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo, name: str
) -> None:
    """The credentials are right: no setting of them is named."""
    refuse(recorder, "AccessDeniedException")
    app.secret_key = "secret"
    call, error = CALLS[name]
    expected = botocore.exceptions.ClientError if error is exceptions.TableDoesNotExist else error
    with pytest.raises(expected) as caught:
        call(thread_model, db)
    assert str(caught.value).endswith(
        f" (The bind is 'default', the region 'us-east-1', the endpoint {recorder.url!r}. The IAM policy of the"
        f" credentials must allow {ACTIONS[name]} on the table, and on its indexes.)"
    )
    assert "DYNAMODB_" not in str(caught.value)


def test_a_ping_with_rejected_credentials_names_the_settings(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """``ping`` raises botocore's error with the advice."""
    refuse(recorder, "UnrecognizedClientException")
    with pytest.raises(
        botocore.exceptions.ClientError,
        match=f"The bind is 'default', .* {re.escape(REJECTED)}",
    ):
        app.extensions["dynamo"].ping()


def test_the_destination_of_a_factorys_client_has_no_password(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """Region and endpoint are the client's, without a password in the URL."""
    refuse(recorder, "ResourceNotFoundException")
    session = botocore.session.Session()
    url = recorder.url.replace("//", "//user:hush@")
    client = session.create_client(
        "dynamodb",
        region_name="eu-west-3",
        endpoint_url=url,
        aws_access_key_id="AKIA",
        aws_secret_access_key="hush",
    )
    with make_app(client_factory=lambda _: client).app_context(), pytest.raises(GetError) as caught:
        thread_model.get("forum", "subject")
    client.close()
    assert f"the region 'eu-west-3', the endpoint {recorder.url!r}." in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_client_without_meta_is_named_by_its_bind(make_app: MakeApp, thread_model: t.Any) -> None:
    """A stub of the program has neither a region nor an endpoint."""

    def fail(*_: t.Any) -> t.NoReturn:
        raise botocore.exceptions.ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "GetItem")

    fake = types.SimpleNamespace(_make_api_call=fail)
    with make_app(client_factory=lambda _: fake).app_context():
        with pytest.raises(GetError, match=r"\(The bind is 'default'. The table does not exist there"):
            thread_model.get("forum", "subject")


def test_another_error_has_no_advice(app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """A validation error is not caused by a setting."""
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "no"})
    with pytest.raises(GetError) as caught:
        thread_model.get("forum", "subject")
    assert "The bind is" not in str(caught.value)
    assert app is not None


WIRE_FAULTS: dict[str, tuple[hostile.Act, type[Exception], str]] = {
    "silent": (
        hostile.stall(),
        botocore.exceptions.ReadTimeoutError,
        "Check DYNAMODB_READ_TIMEOUT_SECONDS, DYNAMODB_MAX_RETRY_ATTEMPTS.",
    ),
    "closed": (
        hostile.cut(b""),
        botocore.exceptions.ConnectionClosedError,
        "Check DYNAMODB_HOST, DYNAMODB_MAX_RETRY_ATTEMPTS, or the host in the model's Meta.",
    ),
    "no object": (
        hostile.say(hostile.answer([])),
        dynaflask.DamagedResponse,
        "Check DYNAMODB_HOST, DYNAMODB_MAX_RETRY_ATTEMPTS, or the host in the model's Meta.",
    ),
    "throttled": (
        hostile.say(hostile.error("ProvisionedThroughputExceededException")),
        botocore.exceptions.ClientError,
        "Check the capacity of the table, DYNAMODB_MAX_RETRY_ATTEMPTS and DYNAMODB_RETRY_CONFIGURATION.",
    ),
}


@pytest.mark.parametrize("transport", ["direct", "botocore"])
@pytest.mark.parametrize("fault", WIRE_FAULTS)
def test_a_fault_on_the_wire_names_the_bind_and_the_setting(
    make_app: MakeApp, thread_model: t.Any, transport: str, fault: str
) -> None:
    """A timeout, a closed connection, a damaged response and throttling name the bind and the settings to check."""
    act, error, advice = WIRE_FAULTS[fault]
    with hostile.Hostile() as server:
        server.acts = [act]
        seconds = 0.2 if fault == "silent" else 60
        options = {"host": server.url, "region": "us-east-1", "read_timeout_seconds": seconds, "max_retry_attempts": 0}
        app = make_app(transport=transport, **options, **KEYS)
        with app.app_context(), pytest.raises(GetError) as caught:
            thread_model.get("forum", "subject")
    assert isinstance(caught.value.cause, error)
    assert "The bind is 'default'" in str(caught.value)
    assert str(caught.value).endswith(f"{advice})")


def test_missing_credentials_name_the_endpoint_of_a_meta(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """A host that was left in a model's Meta is named, with where to look for it. The app's other models go on."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    app = make_app(region="eu-west-1")

    class Thread(dynaflask.Model):
        class Meta:
            table_name = "Thread"
            host = "http://localhost:9"

        name = UnicodeAttribute(hash_key=True)

    expected = "the endpoint 'http://localhost:9'. A local server accepts any key pair.* the host in the model's Meta"
    with app.app_context(), pytest.raises(GetError, match=expected):
        Thread.get("one")
