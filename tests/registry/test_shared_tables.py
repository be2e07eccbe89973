"""A table that all tenants share by a ``TenantKey``, and a second model of it that has none."""

from __future__ import annotations

import typing as t

import botocore.session
import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask import TenantKey
from dynaflask import TenantMismatch
from dynaflask.tables.table import find_one
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

SECOND_USES: dict[str, t.Any] = {
    "scan": lambda db, model: list(model.scan()),
    "query": lambda db, model: list(model.query("globex#in")),
    "get": lambda db, model: model.get("globex#in", "1"),
    "save": lambda db, model: model("globex#in", "1").save(),
    "batch_write": lambda db, model: model.batch_write(),
    "batch_get": lambda db, model: list(model.batch_get([("globex#in", "1")])),
    "transaction": lambda db, model: db.transact_write().save(model("globex#in", "1")),
    "count": lambda db, model: model.count(),
    "delete_table": lambda db, model: model.delete_table(),
}


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model whose table all tenants share."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"

        folder = TenantKey(hash_key=True)
        id = UnicodeAttribute(range_key=True)

    return Note


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app whose calls the recorder answers."""
    recorder.answer = lambda request: {"Attributes": {"folder": {"S": "acme#in"}, "id": {"S": "1"}}}
    return make_app(host=recorder.url, region="us-east-1", **KEYS)


def make_client(bind: dynaflask.Bind) -> t.Any:
    """A client of the bind's endpoint."""
    return botocore.session.Session().create_client(
        "dynamodb", region_name=bind.region, endpoint_url=bind.host, aws_access_key_id="a", aws_secret_access_key="a"
    )


def declare_second(
    db: dynaflask.Dynamo, table: str, *, key: t.Any = None, meta_type: type = type, **meta: t.Any
) -> t.Any:
    """A model of a table by plain keys."""

    class Second(db.Model):  # type: ignore[name-defined]
        Meta = meta_type("Meta", (), {"table_name": table, **meta} if meta_type is type else meta)
        folder = key or UnicodeAttribute(hash_key=True)
        id = UnicodeAttribute(range_key=True)

    return Second


class TestSecondModel:
    """A model without a ``TenantKey`` on a table that all tenants share is refused for a tenant."""

    @pytest.fixture
    def second(self, db: dynaflask.Dynamo, note: t.Any) -> t.Any:
        """A second model of the same table."""
        return declare_second(db, "Note")

    @pytest.mark.parametrize("use", SECOND_USES.values(), ids=SECOND_USES.keys())
    def test_it_is_refused(
        self, app: flask.Flask, db: dynaflask.Dynamo, second: t.Any, recorder: recorders.Recorder, use: t.Any
    ) -> None:
        """The error names both models, and nothing is sent: no item is read, and no table is deleted."""
        with app.app_context(), db.tenant("acme"):
            with pytest.raises(TenantMismatch, match="Second and Note have one table, 'Note'"):
                use(db, second)
        assert recorder.requests == []

    def test_it_is_allowed_without_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, second: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A ``db.without_tenant`` block may use it, and so may an app that has no tenant."""
        recorder.answer = recorders.plain_answer
        with app.app_context():
            second.get("acme#in", "1")
            with db.without_tenant(reason="test"):
                second.get("acme#in", "1")
        assert len(recorder.requests) == 2

    def test_another_place_is_another_table(
        self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A table of another name, or of the same name in another region, is not shared."""
        models = [declare_second(db, "Other"), declare_second(db, "Note", bind_key="eu")]
        declare_second(db, "Note", bind_key="unknown", key=TenantKey(hash_key=True))
        app = make_app(host=recorder.url, region="us-east-1", binds={"eu": {"region": "eu-west-1"}}, **KEYS)
        with app.app_context(), db.tenant("acme"):
            for model in models:
                model.get("in", "1")
        assert [request.region for request in recorder.requests] == ["us-east-1", "eu-west-1"]

    def test_binds_of_one_factory_may_be_one_place(self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
        """A client factory may return clients of one table for two binds."""
        second = declare_second(db, "Note", bind_key="slow")
        app = make_app(client_factory=lambda bind: None, region="us-east-1", binds={"slow": {}})
        with app.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="Second and Note have one"):
            second.get("in", "1")

    @pytest.mark.parametrize(
        "settings",
        [{"role_arn": "arn:aws:iam::123456789012:role/other"}, {"extra_headers": {"X-Bind": "other"}}],
        ids=["role", "headers"],
    )
    def test_two_identities_of_one_account_are_one_place(
        self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, settings: dict[str, t.Any]
    ) -> None:
        """Another role of the account, or another option of the client, reaches the same table."""
        second = declare_second(db, "Note", bind_key="other")
        role = "arn:aws:iam::123456789012:role/app"
        app = make_app(region="us-east-1", role_arn=role, binds={"other": settings})
        with app.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="Second and Note have one"):
            second.get("in", "1")

    def test_a_later_change_is_seen(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A model that is declared later, or a change of its table in a context, makes the table a shared one."""
        second = declare_second(db, "Late")
        other = declare_second(db, "Other")
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        for _ in range(2):
            with app.app_context(), db.tenant("acme"):
                second.get("in", "1")
                other.get("in", "1")
        third = declare_second(db, "Late", key=TenantKey(hash_key=True))
        with app.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="have one table, 'Late'"):
            second.get("in", "1")
        with app.app_context(), db.tenant("acme"):
            other.get("in", "1")
        for change in (True, False):
            with app.app_context(), db.tenant("acme"):
                if change:
                    third.Meta.table_name = "Other"
                    with db.using(extra_headers={"X-Block": "1"}), pytest.raises(TenantMismatch, match="'Other'"):
                        other.get("in", "1")
                else:
                    other.get("in", "1")

    @pytest.mark.parametrize("change", [{"table_name": "Archive"}, {"region": "eu-west-1"}], ids=["table", "region"])
    def test_a_table_that_the_context_takes_a_model_from_stays_shared(
        self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, second: t.Any, change: dict[str, str]
    ) -> None:
        """The items of the tenants are still there, also if the change contradicts the tenant."""
        tenants: t.Any = {"acme": {}, "globex": {"region": "us-east-1"}}
        apps = [make_app(name, region="us-east-1", tenants=tenants) for name in ("one", "other")]
        for app in apps:
            for tenant in tenants:
                with app.app_context(), db.tenant(tenant):
                    for name, value in change.items():
                        setattr(note.Meta, name, value)
                    with pytest.raises(TenantMismatch, match="Second and Note have one"):
                        second.get("in", "1")

    def test_a_table_that_the_context_gives_to_a_model_is_not_without_tenants(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any
    ) -> None:
        """A model that belongs to no tenant must not have the table that a ``TenantKey`` divides in this context."""
        shared = declare_second(db, "Archive", tenant=False)
        with app.app_context(), db.tenant("acme"):
            note.Meta.table_name = "Archive"
            with pytest.raises(TenantMismatch, match="Second belongs to no tenant, and Note"):
                shared.get("in", "1")

    def test_a_model_without_tenants_is_read_to_look_one_up(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Also inside of another tenant's block."""
        plan = declare_second(db, "Plan", tenant=False)
        recorder.answer = recorders.plain_answer
        db.tenant_settings(lambda name: {"table_prefix": plan.get("plans", name).id})
        with app.app_context(), db.tenant("acme"), db.tenant("globex"):
            note.get("in", "1")
        tables = [request.body["TableName"] for request in recorder.requests]
        assert tables == ["Plan", "Plan", "globexNote"]

    @pytest.mark.parametrize("error", [RuntimeError, AttributeError, KeyError])
    def test_a_name_that_cannot_be_computed_is_an_error(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, error: type[Exception]
    ) -> None:
        """Any table may be that of the model, so that no other model reaches one for a tenant."""

        class Computed(type):
            @property
            def table_name(cls) -> str:
                raise error("no request")

        declared = declare_second(db, "Note", key=TenantKey(hash_key=True), meta_type=Computed)
        second = declare_second(db, "Other")
        for name in ("one", "other"):
            app = make_app(name, host=recorder.url, region="us-east-1", **KEYS)
            with app.app_context(), db.tenant("acme"), pytest.raises(error, match="no request"):
                second.get("in", "1")
        assert (recorder.requests, declared.__has_tenant_key__) == ([], True)

    def test_computed_names_are_compared_as_they_are(
        self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Where a prefix is computed, the tables of one moment are compared."""
        second = declare_second(db, "Note")
        app = make_app(host=recorder.url, region="us-east-1", table_prefix=lambda name: f"x-{name}", **KEYS)
        with app.app_context(), db.tenant("acme"):
            declare_second(db, "Other").get("in", "1")
            with pytest.raises(TenantMismatch, match="'x-Note'"):
                second.get("in", "1")

    def test_a_base_class_is_a_second_model(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """A base class without keys shares the table of a subclass that has a ``TenantKey``."""

        class Base(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"

        class Note(Base):
            folder = TenantKey(hash_key=True)

        recorder.answer = recorders.plain_answer
        with app.app_context(), db.tenant("acme"):
            Note.get("in")
            with pytest.raises(TenantMismatch, match="Base and Note have one table"):
                list(Base.scan())
        assert len(recorder.requests) == 1

    def test_the_tables_commands_work(
        self, app: flask.Flask, db: dynaflask.Dynamo, second: t.Any, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """The table commands open the table by the model with the ``TenantKey``, and still do not delete it."""
        recorder.answer = recorders.plain_answer
        with app.app_context(), db.tenant("acme"):
            assert find_one(db.registry, second).name == "Note"
            with pytest.raises(TenantMismatch, match="would delete the items of all tenants"):
                db.drop_all()


class TestMissingSeparation:
    """Tenants without a place of their own share the table of a model without a ``TenantKey``, and the log says so."""

    @staticmethod
    def use(app: flask.Flask, db: dynaflask.Dynamo, model: t.Any, *names: str) -> None:
        """Write an item for each tenant, in two contexts."""
        for name in (*names, *names):
            with app.app_context(), db.tenant(name):
                model("in", name).save()

    def test_it_is_logged_once_for_each_app_and_model(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Two tenants with no settings, or with one that is no place, share the table in their app alone."""
        second = declare_second(db, "Second")
        for name, settings in (("apart", {"table_prefix": "acme."}), ("shared", {"read_timeout_seconds": 3})):
            tenants = {"acme": settings} if name == "apart" else {"acme": {}, "globex": {}, "initech": settings}
            self.use(
                make_app(name, host=recorder.url, region="us-east-1", tenants=tenants, **KEYS), db, second, *tenants
            )
        messages = [record.getMessage() for record in caplog.records if record.name == "dynaflask.tenants"]
        assert len(messages) == 2
        assert all(
            "app 'shared' that have no settings" in message and "'Second' of Second" in message for message in messages
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"table_prefix": "a."},
            {"region": "eu-west-1"},
            {"bind_key": "other"},
            {"aws_access_key_id": "a", "aws_secret_access_key": "a"},
            {"client_factory": make_client},
        ],
        ids=["table", "region", "bind", "keys", "factory"],
    )
    def test_a_tenant_with_a_place_of_its_own_is_not_logged(
        self,
        make_app: MakeApp,
        db: dynaflask.Dynamo,
        recorder: recorders.Recorder,
        caplog: pytest.LogCaptureFixture,
        changes: dict[str, t.Any],
    ) -> None:
        """A table, a destination or credentials separate a tenant."""
        binds = {"other": {"region": "eu-west-1"}}
        app = make_app(host=recorder.url, region="us-east-1", binds=binds, tenants={"acme": changes}, **KEYS)
        self.use(app, db, declare_second(db, "Second"), "acme")
        assert [record for record in caplog.records if record.name == "dynaflask.tenants"] == []

    def test_other_models_are_not_logged(
        self,
        make_app: MakeApp,
        db: dynaflask.Dynamo,
        note: t.Any,
        recorder: recorders.Recorder,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A ``TenantKey``, a table of no tenant, and a name that is computed need no setting of the tenant."""
        settings = {"host": recorder.url, "region": "us-east-1", **KEYS}
        app = make_app("plain", **settings)
        self.use(app, db, note, "acme", "globex")
        self.use(app, db, declare_second(db, "Shared", tenant=False), "acme", "globex")
        computed = make_app("computed", table_prefix=lambda name: f"{db.current_tenant}.{name}", **settings)
        self.use(computed, db, declare_second(db, "Second"), "acme", "globex")
        assert [record for record in caplog.records if record.name == "dynaflask.tenants"] == []

    def test_a_context_without_a_tenant_is_not_logged(
        self, app: flask.Flask, db: dynaflask.Dynamo, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An app that has no tenants shares its tables with no other."""
        with app.app_context():
            declare_second(db, "Second")("in", "1").save()
        assert [record for record in caplog.records if record.name == "dynaflask.tenants"] == []
