"""``DYNAMODB_ERROR_HANDLERS``: responses for DynamoDB errors that leave a view."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
import typing as t

import flask
import pytest
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError
from pynamodb.exceptions import DoesNotExist
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import PynamoDBException

import dynaflask
from dynaflask.testing import unprocessed
from dynaflask.views.error_responses import BUSY_MESSAGE
from dynaflask.views.error_responses import NO_ACCESS_MESSAGE
from dynaflask.views.error_responses import UNREACHABLE_MESSAGE
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

CLOSED_PORT = "http://127.0.0.1:1"


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> MakeApp:
    """Makes an app with the setting and one view, which gets a thread."""

    def make(name: str = "app", *, error_handlers: bool = True, **settings: t.Any) -> flask.Flask:
        app_settings = {"host": recorder.url, "region": "us-east-1", "max_retry_attempts": 0, **KEYS, **settings}
        app = make_app(name, error_handlers=error_handlers, **app_settings)
        app.add_url_rule("/", "index", lambda: thread_model.get("flask", "a").subject)
        return app

    return make


def refuse(recorder: recorders.Recorder, code: str, *reasons: str) -> None:
    """Answer every call with this error code."""
    recorder.answer = lambda request: recorders.refusal(code, *reasons)


def get(app: flask.Flask, view: t.Callable[[], object] | None = None) -> t.Any:
    """The response of a view; by default of the one that gets a thread."""
    if view is not None:
        app.add_url_rule("/view", "view", lambda: str(view()))
    return app.test_client().get("/" if view is None else "/view")


class TestResponses:
    """Each error that has an HTTP status becomes a response with that status."""

    def test_a_missing_item_is_a_404(self, make: MakeApp, recorder: recorders.Recorder) -> None:
        """``DoesNotExist`` becomes a 404."""
        recorder.answer = lambda request: {}
        assert get(make()).status_code == 404

    def test_a_tenants_missing_item_is_a_404(
        self, make: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """``DoesNotExist`` becomes a 404 although the tenant's block has ended and a tenant is required."""
        recorder.answer = lambda request: {}
        view = db.tenant("acme")(lambda: thread_model.get("flask", "a"))
        assert get(make(require_tenant=True), view).status_code == 404

    @pytest.mark.parametrize(
        "code",
        [
            "ConditionalCheckFailedException",
            "ReplicatedWriteConflictException",
            "TransactionConflictException",
            "TransactionInProgressException",
        ],
    )
    def test_a_failed_condition_is_a_409(
        self, make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, code: str
    ) -> None:
        """A failed condition and a conflicting transaction become a 409."""
        refuse(recorder, code)
        response = get(make(), lambda: thread_model("flask", "a").save(thread_model.views.exists()))
        assert response.status_code == 409
        assert "The item already exists or has changed. Reload it and try again." in response.text

    @pytest.mark.parametrize(
        ("reason", "status"),
        [
            ("ConditionalCheckFailed", 409),
            ("TransactionConflict", 409),
            ("ThrottlingError", 503),
            ("ProvisionedThroughputExceeded", 503),
        ],
    )
    def test_a_canceled_transaction_has_the_status_of_its_reason(
        self, make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, reason: str, status: int
    ) -> None:
        """The reason decides the status, for PynamoDB's error and for botocore's."""
        refuse(recorder, "TransactionCanceledException", "None", reason)
        db = thread_model.__dynamo__

        def transact() -> None:
            with db.transact_write() as transaction:
                transaction.save(thread_model("flask", "a"))

        put = {"TableName": "Thread", "Item": {"forum_name": {"S": "flask"}}}
        for view in (transact, lambda: db.client.transact_write_items(TransactItems=[{"Put": put}])):
            assert get(make(), view).status_code == status

    @pytest.mark.parametrize(
        "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"]
    )
    def test_throttling_is_a_503_with_retry_after(self, make: MakeApp, recorder: recorders.Recorder, code: str) -> None:
        """A throttled call becomes a 503 with ``Retry-After``."""
        refuse(recorder, code)
        response = get(make())
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")

    def test_a_batch_that_gave_up_is_a_503(
        self, make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A batch write with items left unprocessed is a 503; one that DynamoDB refused is not."""
        monkeypatch.setattr(time, "sleep", lambda seconds: None)

        def write() -> None:
            with thread_model.batch_write() as batch:
                batch.save(thread_model("flask", "a"))

        app = make()
        with unprocessed("BatchWriteItem", times=None, app=app):
            response = get(app, write)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        refuse(recorder, "AccessDeniedException")
        assert get(make(), write).status_code == 500

    @pytest.mark.parametrize(
        "settings",
        [{"host": CLOSED_PORT}, {"aws_access_key_id": None, "aws_secret_access_key": None}, {"region": None}],
        ids=str,
    )
    def test_an_unreachable_database_is_a_503(self, make: MakeApp, settings: dict[str, t.Any]) -> None:
        """A call without an endpoint, credentials or a region becomes a 503."""
        assert get(make(**settings)).status_code == 503

    def test_an_unreachable_database_of_a_client_is_a_503(self, make: MakeApp, db: dynaflask.Dynamo) -> None:
        """botocore's own connection error becomes a 503 too."""
        assert get(make(host=CLOSED_PORT), lambda: db.client.list_tables()).status_code == 503  # noqa: PLW0108 - needs a context

    @pytest.mark.parametrize("transport", ["direct", "stock"])
    @pytest.mark.parametrize(
        ("status", "code"), [(500, "InternalServerError"), (503, "ServiceUnavailable"), (502, None)]
    )
    def test_a_server_error_of_dynamodb_is_a_503(
        self,
        make: MakeApp,
        recorder: recorders.Recorder,
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        *,
        status: int,
        code: str | None,
        transport: str,
    ) -> None:
        """An answer of 500 or more is a 503 with ``Retry-After``: of models, batches, tables and clients."""
        body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"} if code else "<html>Bad Gateway"
        recorder.answer = lambda request: (status, body)

        def write() -> None:
            with thread_model.batch_write() as batch:
                batch.save(thread_model("flask", "a"))

        for view in (
            lambda: thread_model("flask", "a").save(),
            write,
            db.create_all,
            lambda: db.client.describe_limits(),  # noqa: PLW0108 - needs a context
        ):
            response = get(make(transport=transport), view)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")

    @pytest.mark.parametrize(
        "code",
        ["ExpiredTokenException", "ExpiredToken", "InvalidSignatureException", "UnrecognizedClientException"],
    )
    def test_rejected_credentials_are_a_503(
        self, make: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, code: str
    ) -> None:
        """Expired and wrong credentials are a 503 without ``Retry-After``: somebody has to renew them."""
        refuse(recorder, code)
        for view in (None, lambda: db.client.list_tables()):  # noqa: PLW0108 - needs a context
            response = get(make(), view)
            assert (response.status_code, "Retry-After" in response.headers) == (503, False)
            assert NO_ACCESS_MESSAGE in response.text

    def test_a_role_that_is_refused_is_a_503(
        self, make: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without its role, the app has no access at all, whatever the code of STS."""
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", recorder.url)
        refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
        recorder.answer = lambda request: (403, refusal)
        response = get(make(role_arn="arn:aws:iam::123456789012:role/forum"))
        assert (response.status_code, NO_ACCESS_MESSAGE in response.text) == (503, True)

    def test_a_response_of_a_proxy_is_a_503(
        self, make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A proxy that refuses a request stands between the app and DynamoDB, and the log says so."""
        recorder.answer = lambda request: (403, "<html>Denied.</html>")
        response = get(make())
        assert (response.status_code, UNREACHABLE_MESSAGE in response.text) == (503, True)
        assert "This response is not one of AWS. Check DYNAMODB_HOST, and the proxies" in caplog.text

    def test_missing_permissions_are_a_500(self, make: MakeApp, recorder: recorders.Recorder) -> None:
        """A policy that does not allow the call is a fault of the program, which no later request mends."""
        refuse(recorder, "AccessDeniedException")
        assert get(make()).status_code == 500

    def test_what_the_client_is_told(
        self,
        make: MakeApp,
        recorder: recorders.Recorder,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Each kind of 503 has its own message, in HTML and JSON, and none names a setting, a place or a key.

        The reason is in the log, with the setting to check. Two apps in one process have one each.
        """
        no_keys = {"aws_access_key_id": None, "aws_secret_access_key": None}
        kinds: list[tuple[dict[str, t.Any], str, str]] = [
            (no_keys, NO_ACCESS_MESSAGE, "Unable to locate credentials"),
            ({**no_keys, "profile": "nope"}, NO_ACCESS_MESSAGE, "Check DYNAMODB_PROFILE."),
            ({"region": None}, NO_ACCESS_MESSAGE, "Check DYNAMODB_REGION, AWS_DEFAULT_REGION."),
            ({"host": CLOSED_PORT}, UNREACHABLE_MESSAGE, "Check DYNAMODB_HOST"),
            ({}, BUSY_MESSAGE, "DynamoDB throttled the call."),
        ]
        refuse(recorder, "ThrottlingException")
        for number, (settings, message, reason) in enumerate(kinds):
            for json_errors in (False, True):
                caplog.clear()
                app = make(f"app-{number}-{json_errors}", json_errors=json_errors, **settings)
                response = get(app)
                assert response.status_code == 503
                assert (response.is_json, message in response.text) == (json_errors, True)
                assert not any(secret in response.text for secret in ("DYNAMODB", "127.0.0.1", *KEYS.values()))
                assert reason in caplog.text
                assert KEYS["aws_secret_access_key"] not in caplog.text

    def test_any_other_error_is_a_500(self, make: MakeApp, recorder: recorders.Recorder) -> None:
        """An error without a status of its own is a 500, and is raised under ``TESTING``."""
        refuse(recorder, "ValidationException")
        app = make()
        assert get(app).status_code == 500
        app.testing = True
        with pytest.raises(GetError, match="ValidationException"):
            get(app)


def read_for(db: dynaflask.Dynamo, tenant: str | None, thread_model: t.Any) -> t.Any:
    """Read a thread in a tenant's block, or without a tenant."""
    with contextlib.nullcontext() if tenant is None else db.tenant(tenant):
        return thread_model.get("flask", "a")


class TestLog:
    """Each response is logged with the bind and the operation."""

    def test_a_404_is_logged_at_info(
        self, make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A missing item is one line at INFO without a traceback."""
        app = make(binds={"eu": {}}, models={"Thread": {"bind_key": "eu"}})
        recorder.answer = lambda request: {}
        with caplog.at_level(logging.INFO):
            get(app)
        (record,) = caplog.records
        assert (record.name, record.levelname, record.exc_info) == (app.name, "INFO", None)
        assert record.message.endswith("Thread.DoesNotExist of GetItem on the bind 'eu': Item does not exist")

    def test_a_503_is_logged_at_error(
        self, make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture, thread_model: t.Any
    ) -> None:
        """A 503 is logged at ERROR with the traceback."""
        app = make(binds={"eu": {}})
        refuse(recorder, "ThrottlingException")

        def save() -> None:
            with thread_model.__dynamo__.using("eu"):
                thread_model("flask", "a").save()

        get(app, save)
        (record,) = caplog.records
        assert (record.levelname, bool(record.exc_info)) == ("ERROR", True)
        assert record.message.startswith("503 for PutError of PutItem on the bind 'eu': Failed to put item: An error")

    def test_the_tenant_of_the_call_is_logged(
        self, make: MakeApp, caplog: pytest.LogCaptureFixture, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A tenant may have its own role or region: the line names it, also after its block, in its text and fields."""
        refuse(recorder, "ExpiredTokenException")
        db = thread_model.__dynamo__
        for number, tenant in enumerate(("acme", "globex", None)):
            app = make(f"app-{number}")
            get(app, functools.partial(read_for, db, tenant, thread_model))
        texts = [record.message.partition(": ")[0] for record in caplog.records if record.levelname == "ERROR"]
        assert texts == [
            "503 for GetError of GetItem on the bind 'default' for the tenant 'acme'",
            "503 for GetError of GetItem on the bind 'default' for the tenant 'globex'",
            "503 for GetError of GetItem on the bind 'default'",
        ]
        fields = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
        assert [(each["bind"], each["operation"], each.get("tenant")) for each in fields] == [
            ("default", "GetItem", "acme"),
            ("default", "GetItem", "globex"),
            ("default", "GetItem", None),
        ]

    def test_a_batch_write_is_logged_with_its_bind(
        self, make: MakeApp, caplog: pytest.LogCaptureFixture, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The log line of a batch that gave up names bind and operation, although no call failed."""

        def write() -> None:
            with thread_model.batch_write() as batch:
                batch.save(thread_model("flask", "a"))

        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        app = make()
        with unprocessed("BatchWriteItem", times=None, app=app):
            get(app, write)
        assert "503 for BatchWriteError of BatchWriteItem on the bind 'default'" in caplog.text

    def test_an_error_that_the_view_raises(self, make: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
        """An error that comes from no call is logged with the bind 'unknown'."""

        def view() -> t.NoReturn:
            raise DoesNotExist

        with caplog.at_level(logging.INFO):
            assert get(make(), view).status_code == 404
        assert "404 for DoesNotExist of a call on the bind 'unknown'" in caplog.text


class TestOtherHandlers:
    """The app's own handlers take precedence."""

    @pytest.fixture
    def bare(self, recorder: recorders.Recorder, thread_model: t.Any) -> flask.Flask:
        """An app with the setting before ``init_app``. Its view gets a missing thread."""
        recorder.answer = lambda request: {}
        app = flask.Flask("app")
        settings = {"host": recorder.url, "region": "us-east-1", "error_handlers": True, **KEYS}
        app.config.from_mapping({f"DYNAMODB_{name.upper()}": value for name, value in settings.items()})
        app.add_url_rule("/", "index", lambda: thread_model.get("flask", "a").subject)
        return app

    @pytest.mark.parametrize("error_class", [DoesNotExist, PynamoDBException])
    @pytest.mark.parametrize("is_first", [True, False], ids=["before init_app", "after init_app"])
    def test_a_handler_for_the_class(
        self, bare: flask.Flask, db: dynaflask.Dynamo, error_class: type[Exception], is_first: bool
    ) -> None:
        """A handler for the error's class or a base class wins, before and after ``init_app``."""
        steps = [
            lambda: bare.register_error_handler(error_class, lambda error: ("mine", 410)),
            lambda: db.init_app(bare),
        ]
        for step in steps if is_first else reversed(steps):
            step()
        assert get(bare).status_code == 410

    def test_a_handler_for_the_status(self, bare: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The app's handler for the status makes the response, even as a coroutine."""
        db.init_app(bare)

        async def page(error: Exception) -> tuple[str, int]:
            return f"mine: {error}", 404

        bare.register_error_handler(404, page)
        assert get(bare).text.startswith("mine: 404 Not Found")

    def test_a_handler_of_a_blueprint(self, bare: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A blueprint's handler for the class or the status serves the blueprint's views only."""
        db.init_app(bare)
        for name, error_class in (("class", PynamoDBException), ("status", 404)):
            blueprint = flask.Blueprint(name, "app", url_prefix=f"/{name}")
            blueprint.add_url_rule("/", "index", lambda: thread_model.get("flask", "a").subject)
            blueprint.register_error_handler(error_class, lambda error: ("mine", 410))  # type: ignore[arg-type]
            bare.register_blueprint(blueprint)
        client = bare.test_client()
        assert [client.get(path).status_code for path in ("/class/", "/status/", "/")] == [410, 410, 404]

    def test_a_handler_for_every_exception(
        self, bare: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A handler for ``Exception`` gets the HTTP error, or the original error if that has no status."""
        db.init_app(bare)
        bare.register_error_handler(Exception, lambda error: (type(error).__name__, 418))
        assert get(bare).status_code == 418  # it handles NotFound as well
        refuse(recorder, "ValidationException")
        assert get(bare).text == "GetError"

    def test_an_app_may_handle_all_three_classes(self, bare: flask.Flask, db: dynaflask.Dynamo) -> None:
        """If the app handles all three base classes, ``init_app`` registers no handler."""
        for error_class in (PynamoDBException, ClientError, BotoCoreError):
            bare.register_error_handler(error_class, lambda error: ("mine", 410))
        before = dict(bare.error_handler_spec[None][None])
        db.init_app(bare)
        assert bare.error_handler_spec[None][None] == before


def test_the_setting_counts_per_app(make: MakeApp, recorder: recorders.Recorder) -> None:
    """Of two apps, only the one with the setting handles errors."""
    recorder.answer = lambda request: {}
    apps = [make("one", error_handlers=True), make("two", error_handlers=False)]
    assert [get(app).status_code for app in apps] == [404, 500]


def test_each_app_logs_its_own_errors(
    make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Each app logs with its own logger and bind."""
    refuse(recorder, "ThrottlingException")
    for name in ("one", "two"):
        get(make(name, binds={name: {}}, models={"Thread": {"bind_key": name}}))
    logged = [(record.name, f"'{record.name}'" in record.message) for record in caplog.records]
    assert logged == [("one", True), ("two", True)]


def test_an_error_that_the_view_catches(make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """An error that the view catches does not change its response."""
    refuse(recorder, "ThrottlingException")

    def view() -> str:
        with pytest.raises(PutError):
            thread_model("flask", "a").save()
        return "fine"

    assert get(make(), view).text == "fine"


class TestConflictItems:
    """``DYNAMODB_CONFLICT_ITEMS``: the item of a failed condition in the response."""

    ITEM: t.ClassVar = {"forum_name": {"S": "flask"}, "subject": {"S": "a"}, "views": {"N": "3"}}

    @pytest.fixture(autouse=True)
    def conflict(self, recorder: recorders.Recorder) -> None:
        """Each condition is false, for the same item."""
        body = {"__type": "ConditionalCheckFailedException", "message": "no", "Item": self.ITEM}
        recorder.answer = lambda request: (400, body)

    @pytest.fixture
    def save(self, thread_model: t.Any) -> t.Callable[[], t.Any]:
        """Saves a new thread."""
        return lambda: thread_model("flask", "a").save(thread_model.subject.does_not_exist())

    @pytest.mark.parametrize("json_errors", [False, True])
    def test_the_response_is_json_with_the_item(self, make: MakeApp, save: t.Any, json_errors: bool) -> None:
        """It is the item as it is now, also with any JSON provider, and as JSON of ``DYNAMODB_JSON_ERRORS``."""
        response = get(make(conflict_items=True, json_errors=json_errors), save)
        assert (response.status_code, response.mimetype) == (409, "application/json")
        assert response.json == {
            "code": 409,
            "message": "The item already exists or has changed. Reload it and try again.",
            "item": {"forum_name": "flask", "subject": "a", "views": 3},
        }

    def test_it_is_off_by_default(self, make: MakeApp, save: t.Any) -> None:
        """Without the setting, the response shows nothing of the item. Two apps each have their own setting."""
        make("showing", conflict_items=True)
        response = get(make("silent"), save)
        assert (response.status_code, response.mimetype) == (409, "text/html")
        assert "views" not in response.text

    def test_a_conflict_without_an_item_is_as_before(
        self, make: MakeApp, save: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A condition may be false because there is no item."""
        refuse(recorder, "ConditionalCheckFailedException")
        assert get(make(conflict_items=True), save).mimetype == "text/html"

    def test_a_handler_of_the_app_gets_the_item(self, make: MakeApp, save: t.Any) -> None:
        """The handler of the status decides what the response shows."""
        app = make(conflict_items=True)
        app.register_error_handler(409, lambda error: ({"views": error.item.views}, 409))
        assert get(app, save).json == {"views": 3}

    def test_a_transaction_shows_its_first_item(
        self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """The item of the first operation that failed."""
        reasons = [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Item": self.ITEM}]
        body = {"__type": "TransactionCanceledException", "message": "no", "CancellationReasons": reasons}
        recorder.answer = lambda request: (400, body)

        def view() -> None:
            with db.transact_write() as transaction:
                for name in ("a", "b"):
                    transaction.save(thread_model("flask", name), condition=thread_model.subject.does_not_exist())

        assert get(make(conflict_items=True), view).json["item"]["views"] == 3

    def test_the_item_of_another_tenant_is_not_shown(self, make: MakeApp, db: dynaflask.Dynamo, save: t.Any) -> None:
        """An error may leave another tenant's block. Its item is for that tenant."""
        app = make(conflict_items=True, tenants={name: {"table_prefix": name} for name in ("acme", "globex")})
        db.tenant_loader(lambda: "acme")
        app.add_url_rule("/own", "own", save)
        app.add_url_rule("/same", "same", db.tenant("acme")(save))
        app.add_url_rule("/other", "other", db.tenant("globex")(save))
        app.add_url_rule("/all", "all", db.without_tenant(reason="test")(save))
        client = app.test_client()
        responses = {path: client.get(path) for path in ("/own", "/same", "/other", "/all")}
        assert {response.status_code for response in responses.values()} == {409}
        assert [path for path, response in responses.items() if response.is_json] == ["/own", "/same"]

    def test_an_item_that_belongs_to_no_tenant_is_shown(
        self, make: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A model with ``Meta.tenant = False`` is the same for all tenants."""
        shared = models.declare_thread(db, tenant=False)

        def save() -> None:
            shared("flask", "a").save(shared.subject.does_not_exist())

        app = make(conflict_items=True, tenants={name: {"table_prefix": name} for name in ("acme", "globex")})
        db.tenant_loader(lambda: "acme")
        assert get(app, db.tenant("globex")(save)).json["item"]["views"] == 3

    def test_an_unknown_tenant_shows_nothing(self, make: MakeApp, db: dynaflask.Dynamo, save: t.Any) -> None:
        """A loader that fails in the handler makes no other response of the 409."""
        app = make(conflict_items=True, tenants={"acme": {"table_prefix": "acme"}})
        db.tenant_loader(lambda: "unknown")
        response = get(app, db.tenant("acme")(save))
        assert (response.status_code, response.is_json) == (409, False)

    def test_the_item_of_another_app_is_not_shown(self, make: MakeApp, save: t.Any) -> None:
        """An error may leave a context of another app. Its item is of that app's table."""
        app, other = make("app", conflict_items=True), make("other", conflict_items=True)

        def view() -> None:
            with other.app_context():
                save()

        response = get(app, view)
        assert (response.status_code, response.is_json) == (409, False)
        assert get(other, view).status_code == 409
