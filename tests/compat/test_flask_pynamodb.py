"""Flask-PynamoDB's names: an app that was written for it runs with one import changed."""

from __future__ import annotations

import functools
import pathlib
import subprocess
import sys
import threading
import typing as t

import flask
import pytest
import werkzeug.exceptions
from pynamodb.attributes import BooleanAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.connection import Connection

from dynaflask import ConfigurationError
from dynaflask.compat.flask_pynamodb import PynamoDB
from tests.support import engines
from tests.support.settings import MakeApp

PROGRAM = """
from flask import Flask
from pynamodb.attributes import UnicodeAttribute
from dynaflask.compat.flask_pynamodb import PynamoDB

class Config:
    DYNAMODB_REGION = "us-east-1"
    DYNAMODB_HOST = {url!r}
    DYNAMODB_AWS_ACCESS_KEY_ID = {key!r}
    DYNAMODB_AWS_SECRET_ACCESS_KEY = "any"
    DYNAMODB_READ_CAPACITY_UNITS = 10
    DYNAMODB_WRITE_CAPACITY_UNITS = 10

app = Flask(__name__)
app.config.from_object(Config)
db = PynamoDB(app)

class Todo(db.Model):
    class Meta:
        table_name = "todo"
    id = UnicodeAttribute(hash_key=True)

@app.get("/")
def index():
    return [todo.id for todo in Todo.scan()]

if __name__ == "__main__":
    Todo.create_table(wait=True)
    with Todo.batch_write() as batch:
        batch.save(Todo("one"))
    print([todo.id for todo in Todo.batch_get(["one"])], app.test_client().get("/").json)
"""


@pytest.fixture
def make_peer_app(ministack: engines.Engine, account: engines.Account) -> MakeApp:
    """Make an app that is configured for Flask-PynamoDB, with an account of its own."""

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        app = flask.Flask(name)
        app.config.update(ministack.settings(account), **settings)
        return app

    return make


def declare_todo(db: PynamoDB) -> t.Any:
    """The model of Flask-PynamoDB's example."""

    class Todo(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "todo"

        id = UnicodeAttribute(hash_key=True)
        done = BooleanAttribute(default=False)

    return Todo


def test_a_program_without_a_context_runs(
    tmp_path: pathlib.Path, ministack: engines.Engine, account: engines.Account
) -> None:
    """A program with one app uses tables, batches and items without a context."""
    program = tmp_path / "todo.py"
    program.write_text(PROGRAM.format(url=ministack.url, key=account.access_key_id))
    process = subprocess.run([sys.executable, "-W", "error", program], capture_output=True, text=True, check=False)
    assert process.stdout == "['one'] ['one']\n", process.stderr


def test_get_or_404(make_peer_app: MakeApp) -> None:
    """``get_or_404`` takes the arguments of ``get``, and the message of the 404."""
    todo = declare_todo(PynamoDB(make_peer_app()))
    todo.create_table(wait=True)
    todo("one").save()
    assert todo.get_or_404("one").id == todo.get_or_404(hash_key="one", consistent_read=True).id == "one"
    with pytest.raises(werkzeug.exceptions.NotFound, match="Todo two was not found"):
        todo.get_or_404("two", message="Todo two was not found")
    with pytest.raises(werkzeug.exceptions.NotFound, match="URL"):
        todo.get_or_404("two")


def test_the_404_of_the_extension_object(make_peer_app: MakeApp) -> None:
    """``db.get_or_404`` takes a model, and the description by the name that Flask-SQLAlchemy has."""
    app = make_peer_app()
    db = PynamoDB(app)
    todo = declare_todo(db)
    todo.create_table(wait=True)
    with app.app_context():
        for find in (functools.partial(db.get_or_404, todo), todo.get_or_404):
            with pytest.raises(werkzeug.exceptions.NotFound, match="nothing here"):
                find("two", description="nothing here")
            with pytest.raises(werkzeug.exceptions.NotFound, match="URL"):
                find("two")


def test_first_or_404(make_peer_app: MakeApp) -> None:
    """``first_or_404`` returns one item of a scan; its argument is the message of the 404."""
    todo = declare_todo(PynamoDB(make_peer_app()))
    todo.create_table(wait=True)
    with pytest.raises(werkzeug.exceptions.NotFound, match="nothing to do"):
        todo.first_or_404("nothing to do")
    with pytest.raises(werkzeug.exceptions.NotFound, match="URL"):
        todo.first_or_404()
    todo("one").save()
    assert todo.first_or_404().id == "one"


def test_the_connection_is_pynamodbs(make_peer_app: MakeApp) -> None:
    """The object and the app have PynamoDB's connection, in a context and outside."""
    app = make_peer_app()
    db = PynamoDB(app)
    with app.app_context():
        assert isinstance(db.connection, Connection)
        assert app.extensions["pynamodb"]["connection"] is db.connection
        assert app.extensions["pynamodb"]["db"] is db
    assert db.connection.list_tables()["TableNames"] == []
    assert app.extensions["pynamodb"].get("pool") is None


def test_two_apps_are_separate(make_peer_app: MakeApp) -> None:
    """Two apps have their own region and tables; in Flask-PynamoDB both get the second app's settings."""
    db = PynamoDB()
    apps = [make_peer_app(region, DYNAMODB_REGION=region) for region in ("us-west-2", "eu-west-1")]
    for app in apps:
        db.init_app(app)
    todo = declare_todo(db)
    for app in apps:
        with app.app_context():
            todo.create_table(wait=True)
    with apps[0].app_context():
        todo("one").save()
        assert (todo.Meta.region, todo.count(), db.connection.region) == ("us-west-2", 1, "us-west-2")
    with apps[1].app_context():
        assert (todo.Meta.region, todo.count(), db.connection.region) == ("eu-west-1", 0, "eu-west-1")
    assert [app.extensions["pynamodb"]["connection"].region for app in apps] == ["us-west-2", "eu-west-1"]


def test_with_two_apps_a_context_is_needed(make_peer_app: MakeApp) -> None:
    """Outside of contexts, an object with two apps raises an error that names both."""
    us, eu = make_peer_app("us"), make_peer_app("eu")
    db = PynamoDB(us)
    db.init_app(eu)
    todo = declare_todo(db)
    with pytest.raises(RuntimeError, match="Todo could mean any of the apps 'eu', 'us'"):
        todo.exists()
    with pytest.raises(RuntimeError, match="any of the apps 'eu', 'us'"):
        db.connection  # noqa: B018
    assert todo.Meta.table_name == "todo"
    with eu.app_context():
        assert not todo.exists()


def test_a_collected_app_does_not_count(make_peer_app: MakeApp) -> None:
    """An app that the program has dropped does not count, as in a test suite with one object and many apps."""
    db = PynamoDB()
    todo = declare_todo(db)
    for name in ("first", "second"):
        app = make_peer_app(name)
        db.init_app(app)
        assert not todo.exists()
        del app


def test_without_an_app_a_context_is_needed() -> None:
    """An object without an app raises the usual error outside of a context."""
    with pytest.raises(RuntimeError, match="Working outside of application context"):
        declare_todo(PynamoDB()).exists()


def test_a_model_of_the_class_is_served_by_the_current_app(make_peer_app: MakeApp) -> None:
    """A model declared on ``PynamoDB.Model`` is one of ``dynaflask.Model``: it needs an app's context."""
    app = make_peer_app()
    PynamoDB(app)

    class Stray(PynamoDB.Model):
        class Meta:
            table_name = "stray"

        id = UnicodeAttribute(hash_key=True)

    with pytest.raises(RuntimeError, match="Working outside of application context"):
        Stray.exists()
    with app.app_context():
        assert not Stray.exists()


def test_there_is_no_fallback_in_a_context(make_peer_app: MakeApp) -> None:
    """In the context of an app that was not initialised, no other app's table is used."""
    todo = declare_todo(PynamoDB(make_peer_app("initialised")))
    with flask.Flask("stranger").app_context():
        with pytest.raises(RuntimeError, match="'stranger', which was not initialised"):
            todo.exists()


def test_meta_cannot_be_changed_outside_of_contexts(make_peer_app: MakeApp) -> None:
    """Outside of contexts a change of Meta is refused, and a mutable value is a copy."""
    db = PynamoDB(make_peer_app())
    todo = declare_todo(db)
    with pytest.raises(RuntimeError, match="set outside of an application context"):
        todo.Meta.table_name = "other"

    class Tagged(todo):  # type: ignore[misc]
        class Meta:
            table_name = "tagged"
            tags: t.ClassVar[dict[str, str]] = {"team": "todo"}

    Tagged.Meta.tags["team"] = "other"
    assert Tagged.Meta.tags == {"team": "todo"}


def test_a_block_works_outside_of_contexts(make_peer_app: MakeApp) -> None:
    """``db.using`` has effect outside of contexts, too, on ``Meta`` and on the connection."""
    db = PynamoDB(make_peer_app())
    todo = declare_todo(db)
    with db.using(region="eu-west-1"):
        assert (todo.Meta.region, db.connection.region) == ("eu-west-1", "eu-west-1")
        todo.create_table(wait=True)
    assert (todo.Meta.region, todo.exists()) == ("us-east-1", False)


def test_threads_use_the_only_app(make_peer_app: MakeApp) -> None:
    """A thread, which has no context, uses the only app."""
    todo = declare_todo(PynamoDB(make_peer_app()))
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(todo.exists()))
    thread.start()
    thread.join()
    assert results == [False]


def test_settings_may_be_strings(make_peer_app: MakeApp) -> None:
    """Numbers may be strings, as from the environment, and an empty string counts as unset."""
    app = make_peer_app(
        DYNAMODB_READ_CAPACITY_UNITS="10", DYNAMODB_READ_TIMEOUT_SECONDS="2.5", DYNAMODB_AWS_SESSION_TOKEN=""
    )
    todo = declare_todo(PynamoDB(app))
    assert (todo.Meta.read_capacity_units, todo.Meta.read_timeout_seconds) == (10, 2.5)
    assert app.config["DYNAMODB_READ_CAPACITY_UNITS"] == "10"


def test_a_wrong_number_is_named(make_peer_app: MakeApp) -> None:
    """A string that is not a number is refused by the name of the setting."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_MAX_RETRY_ATTEMPTS must be a whole number"):
        PynamoDB(make_peer_app(DYNAMODB_MAX_RETRY_ATTEMPTS="many"))


def test_one_key_of_a_pair_is_refused(make_peer_app: MakeApp) -> None:
    """An access key without a secret is refused by the name of the missing setting."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_AWS_SECRET_ACCESS_KEY"):
        PynamoDB(make_peer_app(DYNAMODB_AWS_SECRET_ACCESS_KEY=""))


def test_a_setting_without_effect_is_a_warning(make_peer_app: MakeApp) -> None:
    """DYNAMODB_BASE_BACKOFF_MS is a warning that names its replacement, at the line of init_app."""
    with pytest.warns(UserWarning, match="DYNAMODB_BASE_BACKOFF_MS has no effect") as warned:
        PynamoDB().init_app(make_peer_app(DYNAMODB_BASE_BACKOFF_MS=25))
    assert warned[0].filename == __file__


@pytest.mark.parametrize("app", ["text", 1])
def test_init_app_refuses_what_is_not_an_app(app: t.Any) -> None:
    """Anything but a Flask app is refused with Flask-PynamoDB's message."""
    for make in (PynamoDB, PynamoDB().init_app):
        with pytest.raises(TypeError, match="Invalid Flask app instance."):
            make(app)


def test_the_object_names_its_app_and_base_class(make_peer_app: MakeApp) -> None:
    """``db.app`` is the app of the constructor, and ``PynamoDB.Model`` a base class of all models."""
    app = make_peer_app()
    db = PynamoDB(app)
    assert db.app is app
    assert PynamoDB().app is None
    assert issubclass(declare_todo(db), PynamoDB.Model)


def test_an_app_may_be_initialised_again(make_peer_app: MakeApp) -> None:
    """A second init_app reads the settings again, as in Flask-PynamoDB."""
    app = make_peer_app()
    db = PynamoDB(app)
    todo = declare_todo(db)
    app.config["DYNAMODB_REGION"] = "eu-west-1"
    db.init_app(app)
    with app.app_context():
        assert todo.Meta.region == "eu-west-1"
    assert not todo.exists()


def test_an_app_of_another_object_is_refused(make_peer_app: MakeApp) -> None:
    """A second object for one app is refused."""
    app = make_peer_app()
    db = PynamoDB(app)
    with pytest.raises(RuntimeError, match="initialised already"):
        PynamoDB(app)
    assert db.app is app


def test_the_tenant_is_known_only_in_a_context() -> None:
    """With a tenant loader, use outside of contexts is refused, because no tenant is known there."""
    app = flask.Flask("app")
    app.config["DYNAMODB_REGION"] = "us-east-1"
    db = PynamoDB(app)
    db.tenant_loader(lambda: "acme")
    with app.app_context():
        assert db.current_tenant == "acme"
    with pytest.raises(RuntimeError, match="known only in an application context"):
        _ = db.current_tenant
