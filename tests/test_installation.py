"""The modules that are loaded before and by ``init_app``. Its other tests are in ``test_extension.py``."""

from __future__ import annotations

import json
import typing as t

import flask

import dynaflask
from tests.support import engines
from tests.support import servers
from tests.support.models import declare_thread
from tests.support.paths import environment

DECLARE = """
import json, os, sys
import flask
import dynaflask
from tests.support.models import declare_thread

def loaded():
    return {name for name in sys.modules if name.partition(".")[0] in ("dynaflask", "pynamodb", "botocore", "msgspec")}

db = dynaflask.Dynamo()
Thread = declare_thread(db)
declared = loaded()
app, other = flask.Flask("app"), flask.Flask("other")
for each in (app, other):
    each.config.update(json.loads(os.environ["TEST_SETTINGS"]))
"""

CALLS = """
for each in (app, other):
    db.init_app(each)
ready = loaded()
with app.app_context():
    thread = Thread("flask", "hello")
    thread.save()
    thread.update([Thread.views.set(1)])
    Thread.get("flask", "hello")
    list(Thread.query("flask"))
    list(Thread.scan())
    list(Thread.batch_get([("flask", "hello")]))
    with Thread.batch_write() as batch:
        batch.save(thread)
    thread.delete()
print(json.dumps([sorted(declared), sorted(loaded() - ready)]))
"""

CALLS_IN_LAMBDA = """
late = {}

def note(feature):
    # By feature, so that the order of the features does not matter: each has modules of its own.
    new = sorted(loaded() - seen)
    late[feature] = [name.partition(".")[2] for name in new if name.startswith("dynaflask.")]
    seen.update(loaded())

for each in (app, other):
    db.init_app(each)
seen = loaded()
assert "msgspec" not in seen
for each in (app, other):
    with each.app_context():
        try:
            Thread.get("flask", "hello")
        except Thread.DoesNotExist:
            pass
        note(f"get of {each.name}")
with app.app_context():
    thread = Thread("flask", "hello")
    thread.save()
    note("save")
    thread.update([Thread.views.set(1)])
    note("update")
    thread.delete()
    note("delete")
    list(Thread.query("flask"))
    note("pages")
    with Thread.batch_write() as batch:
        batch.save(thread)
    note("batch write")
    app.extensions["dynamo"].client
    note("client")
print(json.dumps([sorted(declared), late]))
"""

PATCHED_BEFORE_THE_FIRST_UPDATE = """
from unittest import mock
from dynaflask.client.connection import Connection
seen = []
for each in (app, other):
    db.init_app(each)
    with each.app_context():
        Thread("flask", "hello").save() if each is other else None
        with mock.patch.object(Connection, "update_item", side_effect=ZeroDivisionError):
            try:
                Thread("flask", "hello").update([Thread.views.set(1)])
            except ZeroDivisionError:
                seen.append(each.name)
print(json.dumps(seen))
"""

PATCHED = """
from unittest import mock
import pynamodb.connection
seen = []
for owner, name in ((dynaflask.Model, "_get_connection"), (pynamodb.connection.Connection, "dispatch")):
    with mock.patch.object(owner, name, side_effect=ZeroDivisionError):
        for each in (app, other):
            if "dynamo" not in each.extensions:
                db.init_app(each)
            with each.app_context():
                try:
                    Thread("flask", "hello").save()
                except ZeroDivisionError:
                    seen.append(name)
print(json.dumps(seen))
"""

# A model is declared without them.
FOR_CALLS = (
    "dynaflask.cli",
    "dynaflask.client.codec",
    "dynaflask.client.connection",
    "dynaflask.client.direct",
    "dynaflask.client.pool",
    "dynaflask.config.bind",
    "dynaflask.installation",
    "dynaflask.model.batch",
    "dynaflask.model.bodies",
    "dynaflask.model.codec",
    "dynaflask.model.item_fast_path",
    "dynaflask.model.pages",
    "dynaflask.model.transactions",
    "dynaflask.operations.operation",
    "dynaflask.operations.recorder",
    "dynaflask.registry.precedence",
    "dynaflask.registry.registry",
    "dynaflask.tenants.lookup",
    "dynaflask.registry.scope",
    "dynaflask.tables",
    "dynaflask.views.pagination",
    "msgspec",
    "pynamodb.transactions",
)


# What the first use of a feature loads in a function of Lambda.
LATE = {
    "get of app": [],
    "get of other": [],
    "save": ["model.codec.fast_path", "model.codec.serializer"],
    "update": [],
    "delete": [],
    "pages": ["model.batch_keys", "model.pages", "model.results"],
    "batch write": ["model.batch", "model.batch_items"],
    "client": [],
}


def run(program: str, settings: dict[str, t.Any], **variables: str) -> t.Any:
    """What a program prints in a process of its own."""
    return servers.printed(DECLARE + program, environment(TEST_SETTINGS=json.dumps(settings), **variables))


def make_table(settings: dict[str, t.Any], db: dynaflask.Dynamo) -> None:
    """Create the table of the programs."""
    thread_model = declare_thread(db)
    app = flask.Flask("app")
    app.config.update(settings)
    db.init_app(app)
    with app.app_context():
        db.create_all(models=[thread_model], wait=True)


def test_a_declaration_loads_no_module_of_calls_and_calls_load_none(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """The import and the models load some modules. init_app loads the rest, so that no request waits for an import."""
    settings = ministack.settings(account)
    make_table(settings, db)
    declared, late = run(CALLS, settings)
    assert [name for name in declared if f"{name}.".startswith(tuple(f"{late}." for late in FOR_CALLS))] == []
    assert late == []


def test_a_function_of_lambda_loads_a_feature_at_its_first_use(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """In AWS Lambda, init_app loads what a get needs, and other features load their own modules, once."""
    settings = ministack.settings(account)
    make_table(settings, db)
    _, late = run(CALLS_IN_LAMBDA, settings, AWS_LAMBDA_FUNCTION_NAME="notes")
    assert late == LATE


def test_a_function_that_starts_before_its_requests_loads_all(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """With provisioned concurrency and SnapStart, AWS Lambda starts a function before a request comes."""
    settings = ministack.settings(account)
    make_table(settings, db)
    for initialization in ("provisioned-concurrency", "snap-start"):
        variables = {"AWS_LAMBDA_FUNCTION_NAME": "notes", "AWS_LAMBDA_INITIALIZATION_TYPE": initialization}
        _, late = run(CALLS, settings, **variables)
        assert late == []


def test_a_patch_that_is_older_than_the_modules_of_calls() -> None:
    """A test may patch PynamoDB or a model before the first app is initialised: calls do not skip what it patched."""
    settings = {"DYNAMODB_HOST": "http://127.0.0.1:9", "DYNAMODB_REGION": "eu-west-1", "DYNAMODB_MAX_RETRY_ATTEMPTS": 0}
    keys = {"DYNAMODB_AWS_ACCESS_KEY_ID": "key", "DYNAMODB_AWS_SECRET_ACCESS_KEY": "secret"}
    assert run(PATCHED, settings | keys) == [*["_get_connection"] * 2, *["dispatch"] * 2]


def test_a_patch_that_is_older_than_the_first_use_of_an_operation(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """A test may patch a method after the modules of calls are imported, and before the first call that skips it."""
    settings = ministack.settings(account)
    make_table(settings, db)
    assert run(PATCHED_BEFORE_THE_FIRST_UPDATE, settings) == ["app", "other"]
