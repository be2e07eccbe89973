"""``DYNAMODB_ERROR_HANDLERS``: answers for the errors that leave a view."""

from __future__ import annotations

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
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

DEAD = "http://127.0.0.1:1"


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> MakeApp:
    """Makes an app with one view, which gets a thread, and with this setting."""

    def make(name: str = "app", *, error_handlers: bool = True, **settings: t.Any) -> flask.Flask:
        given = {"host": recorder.url, "region": "us-east-1", "max_retry_attempts": 0, **KEYS, **settings}
        app = make_app(name, error_handlers=error_handlers, **given)
        app.add_url_rule("/", "index", lambda: thread_model.get("flask", "a").subject)
        return app

    return make


def refuse(recorder: recorders.Recorder, code: str, *reasons: str) -> None:
    """Answer every call with an error."""
    body = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "no"}
    if reasons:
        body["CancellationReasons"] = [{"Code": reason} for reason in reasons]  # type: ignore[assignment]
    recorder.answer = lambda request: (400, body)


def get(app: flask.Flask, view: t.Callable[[], object] | None = None) -> t.Any:
    """The answer of a view; by default of the one that gets a thread."""
    if view is not None:
        app.add_url_rule("/view", "view", lambda: str(view()))
    return app.test_client().get("/" if view is None else "/view")


class TestAnswers:
    """What becomes of which error."""

    def test_a_missing_item_is_a_404(self, make: MakeApp, recorder: recorders.Recorder) -> None:
        """It is what DoesNotExist says."""
        recorder.answer = lambda request: {}
        assert get(make()).status_code == 404

    def test_a_tenants_missing_item_is_a_404(
        self, make: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Though the tenant's block has ended by then, and a tenant is required."""
        recorder.answer = lambda request: {}
        view = db.tenant("acme")(lambda: thread_model.get("flask", "a"))
        assert get(make(require_tenant=True), view).status_code == 404

    @pytest.mark.parametrize("code", ["ConditionalCheckFailedException", "TransactionConflictException"])
    def test_a_failed_condition_is_a_409(
        self, make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, code: str
    ) -> None:
        """So is an item that a transaction is about to change."""
        refuse(recorder, code)
        app = make()
        assert get(app, lambda: thread_model("flask", "a").save(thread_model.views.exists())).status_code == 409

    @pytest.mark.parametrize(
        ("reason", "status"),
        [
            ("ConditionalCheckFailed", 409),
            ("TransactionConflict", 409),
            ("ThrottlingError", 503),
            ("ProvisionedThroughputExceeded", 503),
        ],
    )
    def test_a_cancelled_transaction_is_what_cancelled_it(
        self, make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, reason: str, status: int
    ) -> None:
        """Through a model, and through a client, where botocore's own error leaves the view."""
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
        """The client may come again."""
        refuse(recorder, code)
        answer = get(make())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")

    def test_a_batch_that_gave_up_is_throttled_too(
        self, make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Unless DynamoDB refused it for another reason."""
        monkeypatch.setattr(time, "sleep", lambda seconds: None)

        def write() -> None:
            with thread_model.batch_write() as batch:
                batch.save(thread_model("flask", "a"))

        recorder.answer = lambda request: {"UnprocessedItems": request.body["RequestItems"]}
        answer = get(make(), write)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        refuse(recorder, "AccessDeniedException")
        assert get(make(), write).status_code == 500

    @pytest.mark.parametrize(
        "settings",
        [{"host": DEAD}, {"aws_access_key_id": None, "aws_secret_access_key": None}, {"region": None}],
        ids=str,
    )
    def test_what_cannot_be_reached_is_a_503(self, make: MakeApp, settings: dict[str, t.Any]) -> None:
        """No endpoint, no credentials, no region."""
        assert get(make(**settings)).status_code == 503

    def test_so_is_it_without_pynamodb(self, make: MakeApp, db: dynaflask.Dynamo) -> None:
        """botocore's own error leaves the view."""
        assert get(make(host=DEAD), lambda: db.client.list_tables()).status_code == 503  # noqa: PLW0108 - needs a context

    def test_what_is_the_programs_fault_is_a_500(self, make: MakeApp, recorder: recorders.Recorder) -> None:
        """As it is without the setting, and in a test it is raised."""
        refuse(recorder, "ValidationException")
        app = make()
        assert get(app).status_code == 500
        app.testing = True
        with pytest.raises(GetError, match="ValidationException"):
            get(app)


class TestLog:
    """Each answer is logged with the bind and the operation."""

    def test_what_is_nobodys_fault(
        self, make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In one line, for whoever wants to know."""
        app = make(binds={"eu": {}}, models={"Thread": {"bind_key": "eu"}})
        recorder.answer = lambda request: {}
        with caplog.at_level(logging.INFO):
            get(app)
        (record,) = caplog.records
        assert (record.name, record.levelname, record.exc_info) == (app.name, "INFO", None)
        assert record.message.endswith("Thread.DoesNotExist of GetItem on the bind 'eu': Item does not exist")

    def test_what_somebody_has_to_mend(
        self, make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture, thread_model: t.Any
    ) -> None:
        """With the traceback."""
        app = make(binds={"eu": {}})
        refuse(recorder, "ThrottlingException")

        def save() -> None:
            with thread_model.__dynamo__.using("eu"):
                thread_model("flask", "a").save()

        get(app, save)
        (record,) = caplog.records
        assert (record.levelname, bool(record.exc_info)) == ("ERROR", True)
        assert record.message.startswith("503 for PutError of PutItem on the bind 'eu': Failed to put item: An error")

    def test_a_batch(
        self, make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture, thread_model: t.Any
    ) -> None:
        """No call of it failed, and yet it is known."""

        def write() -> None:
            with thread_model.batch_write() as batch:
                batch.save(thread_model("flask", "a"))

        recorder.answer = lambda request: {"UnprocessedItems": request.body["RequestItems"]}
        get(make(), write)
        assert "503 for BatchWriteError of BatchWriteItem on the bind 'default'" in caplog.text

    def test_an_error_of_unknown_origin(self, make: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
        """A view may raise one itself."""

        def view() -> t.NoReturn:
            raise DoesNotExist

        with caplog.at_level(logging.INFO):
            assert get(make(), view).status_code == 404
        assert "404 for DoesNotExist of a call on the bind 'unknown'" in caplog.text


class TestOthers:
    """The app's own handlers go first."""

    @pytest.fixture
    def bare(self, recorder: recorders.Recorder, thread_model: t.Any) -> flask.Flask:
        """An app with the setting that is not initialised yet. The thread of its view is missing."""
        recorder.answer = lambda request: {}
        app = flask.Flask("app")
        settings = {"host": recorder.url, "region": "us-east-1", "error_handlers": True, **KEYS}
        app.config.from_mapping({f"DYNAMODB_{name.upper()}": value for name, value in settings.items()})
        app.add_url_rule("/", "index", lambda: thread_model.get("flask", "a").subject)
        return app

    @pytest.mark.parametrize("kind", [DoesNotExist, PynamoDBException])
    @pytest.mark.parametrize("is_first", [True, False], ids=["before init_app", "after init_app"])
    def test_one_for_the_class(
        self, bare: flask.Flask, db: dynaflask.Dynamo, kind: type[Exception], is_first: bool
    ) -> None:
        """Narrow or as broad as ours, whenever it was registered."""
        steps = [lambda: bare.register_error_handler(kind, lambda error: ("mine", 410)), lambda: db.init_app(bare)]
        for step in steps if is_first else reversed(steps):
            step()
        assert get(bare).status_code == 410

    def test_one_for_the_status(self, bare: flask.Flask, db: dynaflask.Dynamo) -> None:
        """It makes the page, and may be a coroutine."""
        db.init_app(bare)

        async def page(error: Exception) -> tuple[str, int]:
            return f"mine: {error}", 404

        bare.register_error_handler(404, page)
        assert get(bare).text.startswith("mine: 404 Not Found")

    def test_one_of_a_blueprint(self, bare: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """For the class, or for the status."""
        db.init_app(bare)
        for name, kind in (("class", PynamoDBException), ("status", 404)):
            blueprint = flask.Blueprint(name, "app", url_prefix=f"/{name}")
            blueprint.add_url_rule("/", "index", lambda: thread_model.get("flask", "a").subject)
            blueprint.register_error_handler(kind, lambda error: ("mine", 410))  # type: ignore[arg-type]
            bare.register_blueprint(blueprint)
        client = bare.test_client()
        assert [client.get(path).status_code for path in ("/class/", "/status/", "/")] == [410, 410, 404]

    def test_one_for_every_exception_gets_what_is_left(
        self, bare: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """As it came: what stands for a status is answered with it, and the rest goes on to that handler."""
        db.init_app(bare)
        bare.register_error_handler(Exception, lambda error: (type(error).__name__, 418))
        assert get(bare).status_code == 418  # it handles NotFound as well
        refuse(recorder, "ValidationException")
        assert get(bare).text == "GetError"

    def test_all_three_classes_may_be_the_apps(self, bare: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Then nothing is left to do."""
        for kind in (PynamoDBException, ClientError, BotoCoreError):
            bare.register_error_handler(kind, lambda error: ("mine", 410))
        before = dict(bare.error_handler_spec[None][None])
        db.init_app(bare)
        assert bare.error_handler_spec[None][None] == before


def test_it_is_off_unless_it_is_asked_for(make: MakeApp, recorder: recorders.Recorder) -> None:
    """Of two apps, one may have it."""
    recorder.answer = lambda request: {}
    apps = [make("one", error_handlers=True), make("two", error_handlers=False)]
    assert [get(app).status_code for app in apps] == [404, 500]


def test_two_apps_log_each_their_own(
    make: MakeApp, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """With the app's logger, and the bind that the app has."""
    refuse(recorder, "ThrottlingException")
    for name in ("one", "two"):
        get(make(name, binds={name: {}}, models={"Thread": {"bind_key": name}}))
    logged = [(record.name, f"'{record.name}'" in record.message) for record in caplog.records]
    assert logged == [("one", True), ("two", True)]


def test_an_error_that_is_caught_is_the_views_own(
    make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """Nothing leaves the view, and nothing is answered for it."""
    refuse(recorder, "ThrottlingException")

    def view() -> str:
        with pytest.raises(PutError):
            thread_model("flask", "a").save()
        return "fine"

    assert get(make(), view).text == "fine"
