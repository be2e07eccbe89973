"""The dashboard checks tables and binds, and waits for no dead one."""

from __future__ import annotations

import collections.abc as cabc
import socket
import threading
import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.integrations.dashboard import checks
from dynaflask.integrations.dashboard.checks import BUSY
from dynaflask.integrations.dashboard.checks import Checks
from tests.support import engines
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.settings import bind

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def silent_url() -> cabc.Iterator[str]:
    """The URL of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def make(make_app: MakeApp, ministack: engines.Engine, account: engines.Account) -> MakeApp:
    """Makes an app on ministack."""
    settings = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    return lambda name="app", **more: make_app(name, **{**settings, **more})


def declare(db: dynaflask.Dynamo, name: str, **meta: t.Any) -> t.Any:
    """A model with a table of its name."""
    namespace = {"Meta": type("Meta", (), {"table_name": name, "billing_mode": "PAY_PER_REQUEST", **meta})}
    model = type(db.Model)(
        name, (db.Model,), {**namespace, "__module__": __name__, "id": UnicodeAttribute(hash_key=True)}
    )
    # The extension object holds models by weak references.
    vars(db).setdefault("declared", []).append(model)
    return model


def run(app: flask.Flask, *, tenant: str | None = None, seconds: float = 30) -> checks.Result:
    return Checks(seconds=seconds).run(app, tenant=tenant)


def test_the_state_of_each_table(make: MakeApp, db: dynaflask.Dynamo) -> None:
    """A table has its state, its items and its protection, and a missing one what to do about it."""
    app = make()
    declare(db, "Kept", deletion_protection=True)
    declare(db, "Missing")
    with app.app_context():
        db.create_all(models=[db.models["Kept"]], wait=True)
    result = run(app)
    kept, missing = [t.cast("t.Any", check.status) for check in result.checks]
    assert (result.error, kept.state, kept.differences, kept.is_protected) == (None, "ACTIVE", [], True)
    assert (missing.state, missing.is_protected) == (None, False)
    assert "Create it" in missing.differences[0].blocked_reason
    with app.app_context():
        db.client.update_table(TableName=kept.table.name, DeletionProtectionEnabled=False)
        db.drop_all(models=[db.models["Kept"]])


def test_a_bind_without_a_table_is_checked_by_itself(make: MakeApp) -> None:
    """A bind without a model has a check of its own, also if it is dead."""
    first, second = run(make(binds={"dead": {"host": DEAD, **KEYS}})).checks
    assert (first.bind.key, first.table, first.error) == ("default", None, None)
    assert second.bind.key == "dead"
    assert "Could not connect" in t.cast("str", second.error)


def test_a_dead_bind_does_not_hide_the_others(make: MakeApp, db: dynaflask.Dynamo, silent_url: str) -> None:
    """A bind that does not answer is an error after the deadline, and the others have their results."""
    declare(db, "Lost", bind_key="silent")
    app = make(binds={"silent": {"host": silent_url, "read_timeout_seconds": 1, "max_retry_attempts": 0, **KEYS}})
    with app.app_context():
        db.registry.ping()  # the default bind has its client, and answers at once
    lost, default = run(app, seconds=0.5).checks
    assert (lost.error, default.error) == ("There was no answer within 0.5 s.", None)


def test_a_function_of_the_program_that_hangs(
    make: MakeApp, db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program's function that does not return, such as one with a call to a dead database, is an error."""
    monkeypatch.setattr(checks, "GRACE_SECONDS", 0)
    release = threading.Event()
    db.tenant_settings(lambda _: {} if release.wait(30) else None)
    result = run(make(), tenant="acme", seconds=0.1)
    release.set()
    assert result == ([], "There was no answer within 0.1 s.")


def test_an_unknown_tenant(make: MakeApp) -> None:
    """A tenant that the app does not have is an error that names it."""
    result = run(make(tenants={"acme": {}}), tenant="acmee")
    assert result.checks == []
    assert "has no tenant 'acmee'. Did you mean 'acme'?" in t.cast("str", result.error)


@pytest.mark.usefixtures("thread_model")
def test_two_apps_and_two_tenants(make: MakeApp) -> None:
    """The checks of a tenant are those of its tables in this app, and without a tenant those of the app."""
    tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
    us, eu = make("us", table_prefix="us-", tenants=tenants), make("eu", table_prefix="eu-", region="eu-west-1")
    assert [check.table and check.table.name for check in run(us).checks] == ["us-Thread"]
    assert [check.table and check.table.name for check in run(eu).checks] == ["eu-Thread"]
    assert [check.table and check.table.name for check in run(us, tenant="acme").checks] == ["acme-Thread"]
    assert [check.table and check.table.name for check in run(us, tenant="globex").checks] == ["globex-Thread"]


def test_a_tenant_without_a_table_has_its_bind_checked(make: MakeApp) -> None:
    """Without a model, the bind of the tenant is checked, and no other."""
    [check] = run(make(tenants={"acme": {"region": "eu-west-1"}}, binds={"dead": {"host": DEAD}}), tenant="acme").checks
    assert (check.bind.region, check.error) == ("eu-west-1", None)


@pytest.mark.usefixtures("thread_model")
def test_no_loader_is_called_and_a_required_tenant_is_no_obstacle(make: MakeApp, db: dynaflask.Dynamo) -> None:
    """Descriptions of tables belong to no tenant: the page works where each use of an item needs one."""
    db.tenant_loader(lambda: pytest.fail("The loader was called."))
    result = run(make(require_tenant=True))
    assert (len(result.checks), result.error) == (1, None)


def test_secrets_are_left_out() -> None:
    """An error shows no secret of its bind, also if a server sends it back."""
    check = checks.Check(
        bind(**KEYS), None, lambda: flask.abort(418, f"{KEYS['aws_secret_access_key']} http://me:sesame@x")
    )
    check.run()
    assert check.error == "ImATeapot: 418 I'm a teapot: … http://x"


def test_the_number_of_destinations_is_bounded(make: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page checks a number of destinations, and says that there are more."""
    monkeypatch.setattr(checks, "MAX_DESTINATIONS", 1)
    result = run(make(binds={"eu": {"region": "eu-west-1"}}))
    assert result.error == "This page checks 1 of 2 destinations."
    assert [check.error is None for check in result.checks] == [True, False]


@pytest.mark.parametrize("limit", [1, 2])
def test_the_number_of_threads_is_bounded(make: MakeApp, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """While threads still wait for dead destinations, a page starts no more of them."""
    monkeypatch.setattr(checks, "MAX_THREADS", limit)
    app, all_checks = make(), Checks(seconds=30)
    release = threading.Event()
    waiting = all_checks._start(lambda: t.cast("None", release.wait(30)))
    assert waiting
    assert all_checks.run(app, tenant=None).error == BUSY
    release.set()
    waiting.join()
    assert (all_checks.run(app, tenant=None).error is None) is (limit == 2)
