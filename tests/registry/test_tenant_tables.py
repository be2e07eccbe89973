"""Tenants that have one table by their settings: it is not one tenant's to delete, and the log says so."""

from __future__ import annotations

import collections
import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask import TenantMismatch
from dynaflask import TenantRequired
from dynaflask.registry import tenant_tables
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ROLE = "arn:aws:iam::123456789012:role/app"
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/Board"
OWN = {"acme": {"table_prefix": "acme-"}, "globex": {"table_prefix": "globex-"}}
SAME = {"acme": {"table_prefix": "same-"}, "globex": {"table_prefix": "same-"}}
# What does not separate the tenant acme from the others, or from a context without a tenant.
SHARED: dict[str, dict[str, t.Any]] = {
    "no settings": {"tenants": {"acme": {}, "globex": {}}},
    "no list of tenants": {},
    "a setting that is no place": {"tenants": {"acme": {"read_timeout_seconds": 3}}},
    "the app's own region": {"tenants": {"acme": {"region": "us-east-1"}}},
    "one prefix": {"tenants": SAME},
    "a prefix like that of a bind": {
        "tenants": {"acme": {"table_prefix": "old-"}, "globex": {"bind_key": "old"}},
        "binds": {"old": {"table_prefix": "old-"}},
    },
    "tags of one role": {
        "tenants": {name: {"role_arn": ROLE, "session_tags": {"tenant": name}} for name in ("acme", "globex")}
    },
    "a computed name for all": {"table_prefix": lambda name: f"v2-{name}"},
}


def use(app: flask.Flask, db: dynaflask.Dynamo, *names: str) -> None:
    """Make a context for each of the tenants."""
    for name in names:
        with app.app_context(), db.tenant(name):
            assert db.current_tenant == name


def make(make_app: MakeApp, recorder: recorders.Recorder, name: str = "app", **settings: t.Any) -> flask.Flask:
    """An app whose calls the recorder answers."""
    return make_app(name, host=recorder.url, region="us-east-1", **{**KEYS, **settings})


def deleted(recorder: recorders.Recorder) -> list[str]:
    """Names of the tables that were deleted."""
    return [request.body["TableName"] for request in recorder.requests if request.operation == "DeleteTable"]


class TestDelete:
    """A tenant deletes only a table that no other tenant has."""

    @pytest.mark.parametrize("settings", SHARED.values(), ids=SHARED.keys())
    def test_a_table_of_others_is_refused(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, settings: dict[str, t.Any]
    ) -> None:
        """``drop_all`` and ``delete_table`` raise an error that says what to do, and nothing is sent."""
        board = boards.declare_board(db)
        app = make(make_app, recorder, **settings)
        for delete in (db.drop_all, board.delete_table):
            with (
                app.app_context(),
                db.tenant("acme"),
                pytest.raises(TenantMismatch, match="alone: deleting it") as error,
            ):
                delete()
            assert "without_tenant" in str(error.value)
            assert "globex" not in str(error.value)
        assert recorder.requests == []

    def test_a_table_of_one_endpoint_in_two_spellings_is_refused(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A slash at the end of a URL, or a capital letter, leads to no other table."""
        boards.declare_board(db)
        host = recorder.url.replace("http:", "HTTP:") + "/"
        app = make(make_app, recorder, tenants={"acme": {"host": host}, "globex": {}})
        with app.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="alone: deleting it"):
            db.drop_all()
        assert deleted(recorder) == []

    def test_one_table_by_its_arn_is_refused(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """An ARN names one table for the keys and the region of each tenant."""
        boards.declare_board(db, table_name=ARN)
        keys = {name: {"aws_access_key_id": name, "aws_secret_access_key": "s"} for name in ("acme", "globex")}
        app = make(make_app, recorder, tenants=keys)
        with app.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="alone"):
            db.drop_all()
        assert recorder.requests == []

    def test_the_command_is_refused_and_the_items_stay(
        self, make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """In the app whose tenants share the table, the items stay; in the other app, the tenant's table goes."""
        board = boards.declare_board(db)
        shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
        apps = {"shared": make_app("shared", **shared, tenants={"acme": {}, "globex": {}})}
        apps["own"] = make_app("own", **{**shared, "region": "eu-west-1"}, tenants=OWN)
        results = {}
        for name, app in apps.items():
            with app.app_context():
                for tenant in ("acme", "globex"):
                    with db.tenant(tenant):
                        db.create_all(wait=True)
                        board("forum", tenant).save()
            results[name] = app.test_cli_runner().invoke(args=["dynamo", "drop", "--tenant", "acme", "--yes", "--wait"])
        assert (results["shared"].exit_code, results["own"].exit_code) == (1, 0)
        assert "--without-tenant" in results["shared"].stderr
        for name, app in apps.items():
            with app.app_context():
                with db.tenant("globex"):
                    assert board.get("forum", "globex").subject == "globex"
                with db.tenant("acme"):
                    assert board.exists() is (name == "shared")

    def test_a_table_of_its_own_is_deleted(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A prefix, a region, keys or a computed name that no other tenant has gives a tenant its own table."""
        board = boards.declare_board(db)
        keys = {name: {"aws_access_key_id": name, "aws_secret_access_key": "s"} for name in ("acme", "globex")}
        for tenants in (OWN, {"acme": {"region": "eu-west-1"}, "globex": {}}, keys):
            app = make(make_app, recorder, tenants=tenants)
            with app.app_context(), db.tenant("acme"):
                db.drop_all()
                with db.using(read_timeout_seconds=3):
                    board.delete_table()

        def prefix(name: str) -> str:
            return f"{db.current_tenant}-".lower() + name

        with make(make_app, recorder, table_prefix=prefix).app_context(), db.tenant("acme"):
            db.drop_all()
        assert deleted(recorder) == [*["acme-Board"] * 2, *["Board"] * 4, "acme-Board"]

    def test_a_name_that_needs_a_tenant_is_no_table_without_one(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A function of a name says with ``TenantRequired`` that no context without a tenant has the table."""
        boards.declare_board(db)
        prefixes = {"acme": "a-", "globex": "a-", "initech": "i-"}

        def prefix(name: str) -> str:
            if db.current_tenant is None:
                raise TenantRequired
            return prefixes[db.current_tenant] + name

        app = make(make_app, recorder, table_prefix=prefix)
        use(app, db, "globex")
        with app.app_context():
            with db.tenant("acme"), pytest.raises(TenantMismatch, match="alone"):
                db.drop_all()
            with db.tenant("initech"):
                db.drop_all()
        assert deleted(recorder) == ["i-Board"]

    @pytest.mark.parametrize("failing", ["None", "globex"])
    def test_a_name_that_cannot_be_computed_may_be_that_of_the_table(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, failing: str
    ) -> None:
        """If a function of a name fails for others, nothing is deleted in any app; the error does not name them."""
        boards.declare_board(db)

        def prefix(name: str) -> str:
            if str(db.current_tenant) == failing:
                raise KeyError(failing)
            return f"{db.current_tenant}-{name}"

        for name in ("one", "other"):
            app = make(make_app, recorder, name, table_prefix=prefix, tenants={"acme": {}, "globex": {}})
            with app.app_context(), db.tenant("acme"):
                with pytest.raises(TenantMismatch, match=r"cannot be computed \(KeyError\)") as error:
                    db.drop_all()
                assert failing not in str(error.value)
        assert deleted(recorder) == []

    def test_changes_of_the_context_move_no_other_tenant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A table that a context names is compared with those that other tenants have by their own settings."""
        board = boards.declare_board(db)
        tenants: dict[str, t.Any] = {"acme": {}, "globex": {"table_prefix": "globex-"}}
        for name in ("one", "other"):
            app = make(make_app, recorder, name, tenants=tenants)
            with app.app_context(), db.tenant("acme"):
                board.Meta.table_name = "globex-Board"
                for delete in (db.drop_all, board.delete_table):
                    with pytest.raises(TenantMismatch, match="alone: deleting it"):
                        delete()
        assert deleted(recorder) == []

    def test_a_command_for_all_tenants_looks_each_of_them_up_once(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """It computes the name of each tenant's table a fixed number of times, also if there are many."""
        boards.declare_board(db)
        names = [f"t{number}" for number in range(30)]
        listed, computed = [], collections.Counter[str | None]()

        def lister() -> list[str]:
            listed.append(1)
            return [*names, "twin"]

        def prefix(name: str) -> str:
            computed[db.current_tenant] += 1
            return f"{'t3' if db.current_tenant == 'twin' else db.current_tenant}-{name}"

        db.tenant_lister(lister)
        for app_name in ("one", "other"):
            app = make(make_app, recorder, app_name, table_prefix=prefix)
            listed.clear()
            computed.clear()
            result = app.test_cli_runner().invoke(args=["dynamo", "drop", "--all-tenants", "--yes"])
            assert (result.exit_code, len(listed)) == (1, 2)
            assert "for 2 of 31 tenants: t3, twin" in result.stderr
            assert max(computed[name] for name in names) < len(names)
        own = [f"{name}-Board" for name in names if name != "t3"]
        assert sorted(deleted(recorder)) == sorted([*own, *own])

    def test_tenants_of_the_program_are_compared(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """All tenants that a ``db.tenant_lister`` names are looked up. One with wrong settings has no table."""
        boards.declare_board(db)
        settings = {**SAME, "initech": {"table_prefix": "own-"}, "wrong": {"region": 1}}
        db.tenant_settings(settings.get)
        db.tenant_lister(lambda: settings)
        app = make(make_app, recorder)
        with app.app_context():
            with db.tenant("initech"):
                db.drop_all()
            with db.tenant("acme"), pytest.raises(TenantMismatch, match="alone"):
                db.drop_all()
        assert deleted(recorder) == ["own-Board"]

    def test_without_a_list_the_tenants_of_this_process_are_compared(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """An app that has no list of its tenants knows those that it has looked up; the other app's are not its own."""
        boards.declare_board(db)
        db.tenant_settings(SAME.get)
        seen, other = (make(make_app, recorder, name) for name in ("seen", "other"))
        use(seen, db, "globex")
        with seen.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="alone"):
            db.drop_all()
        with other.app_context(), db.tenant("acme"):
            db.drop_all()
        assert deleted(recorder) == ["same-Board"]

    def test_without_a_tenant_it_is_deleted(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A context without a tenant, and a ``db.without_tenant`` block, delete the table of all."""
        boards.declare_board(db)
        app = make(make_app, recorder, tenants={"acme": {}, "globex": {}})
        with app.app_context():
            db.drop_all()
            with db.tenant("acme"), db.without_tenant(reason="test"):
                db.drop_all()
        assert deleted(recorder) == ["Board", "Board"]


class TestLog:
    """Two tenants with the same tables by their settings are logged where a model has no ``TenantKey``."""

    @staticmethod
    def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
        """What was logged since the last call."""
        messages = [record.getMessage() for record in caplog.records if record.name == "dynaflask.tenants"]
        caplog.clear()
        return [message for message in messages if "looked up" not in message]

    def test_the_settings_of_the_app_are_compared_by_init_app(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """``init_app`` logs both names and the app, once; the app whose tenants have their own tables is not named."""
        board = boards.declare_board(db)
        make(make_app, recorder, "fine", tenants=OWN)
        app = make(make_app, recorder, "twins", tenants={**SAME, "initech": SAME["acme"]})
        (message,) = self.messages(caplog)
        assert "tenants 'acme' and 'globex' of the app 'twins' have the same tables" in message
        assert "in those of Board:" in message
        use(app, db, "acme", "globex", "initech")
        assert self.messages(caplog) == []
        assert board is not None

    def test_a_model_that_is_declared_later_is_logged_with_the_next_tenant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Models are often declared after ``init_app``."""
        app = make(make_app, recorder, tenants=SAME)
        boards.declare_board(db)
        assert self.messages(caplog) == []
        use(app, db, "acme", "globex", "acme")
        (message,) = self.messages(caplog)
        assert "'acme' and 'globex'" in message

    def test_tenants_of_the_program_are_compared_when_they_are_seen(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The second tenant of one place is logged at its first look-up, in each app that has both."""
        boards.declare_board(db)
        db.tenant_settings({**SAME, "wrong": {"role_session_name": "half"}}.get)
        one, two = (make(make_app, recorder, name) for name in ("one", "two"))
        use(one, db, "acme", "wrong")
        use(two, db, "globex")
        assert self.messages(caplog) == []
        use(one, db, "globex")
        (message,) = self.messages(caplog)
        assert "'acme' and 'globex' of the app 'one'" in message

    def test_a_tenant_that_has_moved_is_not_logged(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A tenant may get the tables that another one had before."""
        boards.declare_board(db)
        settings = dict(OWN)
        db.tenant_settings(settings.get)
        app = make(make_app, recorder)
        use(app, db, "acme")
        settings["acme"] = {"table_prefix": "moved-"}
        app.extensions["dynamo"].tenants.forget("acme")
        use(app, db, "acme")
        settings["globex"] = {"table_prefix": "acme-"}
        use(app, db, "globex")
        assert self.messages(caplog) == []
        settings["initech"] = {"table_prefix": "acme-"}
        use(app, db, "initech")
        (message,) = self.messages(caplog)
        assert "'globex' and 'initech'" in message

    def test_models_that_need_no_setting_are_not_logged(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A ``TenantKey``, a table of no tenant, a computed name and a model without a table have no part in it."""

        class Computed:
            def __get__(self, instance: t.Any, owner: t.Any) -> str:
                return f"{db.current_tenant}-Board"

        class Base(db.Model):  # type: ignore[name-defined,misc]
            class Meta:
                region = "us-east-1"

            forum = UnicodeAttribute(hash_key=True)

        boards.declare_board(
            db, name="Pool", table_name="Pool", attributes={"forum": dynaflask.TenantKey(hash_key=True)}
        )
        boards.declare_board(db, name="Plan", table_name="Plan", tenant=False)
        boards.declare_board(db, name="Computed", table_name=Computed())
        make(make_app, recorder, tenants=SAME)
        boards.declare_board(db)
        computed = {name: {"table_prefix": str.lower} for name in ("acme", "globex")}
        make(make_app, recorder, tenants=computed)
        assert self.messages(caplog) == []

    def test_binds_of_a_factory_are_not_compared(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It may make clients of different places for two binds with the same settings."""
        boards.declare_board(db)
        binds: dict[str, t.Any] = {name: {"client_factory": str} for name in ("first", "second")}
        tenants = {"acme": {"bind_key": "first"}, "globex": {"bind_key": "second"}, "initech": {"bind_key": "second"}}
        make(make_app, recorder, binds=binds, tenants=tenants)
        (message,) = self.messages(caplog)
        assert "'globex' and 'initech'" in message

    def test_few_places_are_kept(
        self,
        make_app: MakeApp,
        db: dynaflask.Dynamo,
        recorder: recorders.Recorder,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A program may have any number of tenants: the places of the first are forgotten."""
        monkeypatch.setattr(tenant_tables, "MAX_CACHED_TENANTS", 1)
        boards.declare_board(db)
        make(make_app, recorder, tenants={"acme": OWN["acme"], "other": OWN["globex"], "globex": OWN["acme"]})
        assert self.messages(caplog) == []
