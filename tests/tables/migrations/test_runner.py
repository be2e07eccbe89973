"""Apply the migrations of a directory, each once per table and tenant."""

from __future__ import annotations

import pathlib
import typing as t

import flask
import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask import MigrationError
from dynaflask import TenantMismatch
from dynaflask import TenantRequired
from dynaflask.tables.migrations import MigrationResult
from dynaflask.tables.migrations import migrate
from dynaflask.tables.migrations import migration_status
from dynaflask.tables.migrations import read_migrations
from tests.support import engines
from tests.support import migrations
from tests.support.settings import MakeApp

TENANTS = {"acme": {}, "globex": {}}


def slugs(note: t.Any) -> dict[str, str | None]:
    return {each.id: each.slug for each in note.scan()}


def test_a_migration_changes_every_item_once(db: dynaflask.Dynamo, note: t.Any, directory: pathlib.Path) -> None:
    """Each item of each segment and page is changed; a second call does nothing, also for a new item."""
    with note.batch_write() as batch:
        for number in range(250):
            batch.save(note(str(number), title=f"T{number}"))
    counts: list[int] = []
    [result] = migrate(db.registry, directory, segments=2, progress=counts.append)
    assert result == MigrationResult("0001_add_slug", note.Meta.table_name, None, 250, 250)
    assert (sum(counts), max(counts)) == (250, 100)
    assert slugs(note) == {str(number): f"t{number}" for number in range(250)}
    note("new", title="New").save()
    assert migrate(db.registry, directory) == []
    assert slugs(note)["new"] is None


def test_migrations_are_applied_in_the_order_of_their_numbers(
    db: dynaflask.Dynamo, note: t.Any, directory: pathlib.Path
) -> None:
    """A later migration sees what an earlier one has changed, and a new file is applied alone."""
    note("1", title="One").save()
    second = "model = 'Note'\ndef forwards(item): item.title = item.slug"
    migrations.write_file(directory, second, name="0002_title_from_slug")
    assert [each.migration for each in migrate(db.registry, directory)] == ["0001_add_slug", "0002_title_from_slug"]
    assert note.get("1").title == "one"
    migrations.write_file(directory, "model = 'Note'\ndef forwards(item): item.views = 1", name="0003_add_views")
    assert [each.migration for each in migrate(db.registry, directory)] == ["0003_add_views"]


def test_a_dry_run_writes_nothing(
    db: dynaflask.Dynamo, account: engines.Account, note: t.Any, directory: pathlib.Path
) -> None:
    """It counts the items that would change, and creates no history; a migration without a model does not run."""
    note("1", title="One").save()
    note("2", title="Two", slug="two").save()
    migrations.write_file(directory, "def forwards(): raise AssertionError", name="0002_function")
    first, second = migrate(db.registry, directory, dry_run=True)
    assert (first.items_read, first.items_changed, second.items_read) == (2, 1, 0)
    assert slugs(note) == {"1": None, "2": "two"}
    assert migrations.table_names(db, account) == [note.Meta.table_name]


def test_a_function_runs_once(db: dynaflask.Dynamo, note: t.Any, tmp_path: pathlib.Path) -> None:
    """A file without ``model`` runs once for each app, and its failure leaves it for the next call."""
    code = "import flask\ndef forwards(): flask.current_app.config['calls'].append(1)"
    directory, calls = migrations.write_file(tmp_path / "functions", code, name="0001_function"), []
    with pytest.raises(KeyError):
        migrate(db.registry, directory)
    flask.current_app.config["calls"] = calls
    assert migrate(db.registry, directory) == [MigrationResult("0001_function", "app:app", None)]
    assert migrate(db.registry, directory) == []
    assert calls == [1]


def test_the_status_of_a_migration(db: dynaflask.Dynamo, note: t.Any, directory: pathlib.Path) -> None:
    """It is pending before the first run, running after a run that failed, and applied with a time at the end."""
    note("1", title="One").save()
    files = read_migrations(db.registry, directory)
    [status] = migration_status(db.registry, files)
    assert (status.status, status.is_applied, status.applied_at) == ("pending", False, None)
    with pytest.raises(MigrationError, match="0001_add_slug failed for the item id='1': TypeError"):
        migrate(db.registry, migrations.write_file(directory, "model = 'Note'\ndef forwards(item): 1 + ''"))
    [status] = migration_status(db.registry, files)
    assert (status.status, status.is_applied) == ("running", False)
    migrate(db.registry, migrations.write_file(directory))
    [status] = migration_status(db.registry, files)
    assert (status.is_applied, status.applied_at[-1], status.result.items_changed) == (True, "Z", 1)  # type: ignore[index]


@pytest.mark.usefixtures("app")
def test_a_missing_table_is_an_error(db: dynaflask.Dynamo, directory: pathlib.Path) -> None:
    """A migration of a table that does not exist is not recorded."""
    migrations.declare_note(db)
    with pytest.raises(TableError, match="does not exist"):
        migrate(db.registry, directory)
    [status] = migration_status(db.registry, read_migrations(db.registry, directory))
    assert status.status == "pending"


def test_two_apps_migrate_their_own_tables(
    make_app: MakeApp,
    ministack: engines.Engine,
    account: engines.Account,
    db: dynaflask.Dynamo,
    directory: pathlib.Path,
) -> None:
    """A migration that one app has applied is pending for the other app, in its own region and history."""
    note = migrations.declare_note(db)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    apps = [make_app(region, **{**shared, "region": region}) for region in ("us-east-1", "eu-west-1")]
    for app in apps:
        with app.app_context():
            db.create_all(wait=True)
            note(app.name, title="T").save()
    with apps[0].app_context():
        assert len(migrate(db.registry, directory)) == 1
    with apps[1].app_context():
        assert slugs(note) == {"eu-west-1": None}
        assert len(migrate(db.registry, directory)) == 1
        assert slugs(note) == {"eu-west-1": "t"}
    with apps[0].app_context():
        assert slugs(note) == {"us-east-1": "t"}


def test_two_tenants_migrate_their_own_tables(
    make_app: MakeApp,
    ministack: engines.Engine,
    account: engines.Account,
    db: dynaflask.Dynamo,
    directory: pathlib.Path,
) -> None:
    """With a table for each tenant, a migration and its history are those of one tenant."""
    note = migrations.declare_note(db)
    tenants = {name: {"table_prefix": f"{account.table_prefix}{name}-"} for name in ("acme", "globex")}
    app = make_app(**_settings(ministack, account), tenants=tenants)
    with app.app_context():
        for name in tenants:
            with db.tenant(name):
                db.create_all(wait=True)
                note("1", title=name).save()
        with db.tenant("acme"):
            [result] = migrate(db.registry, directory)
            assert (result.tenant, result.target) == ("acme", f"{account.table_prefix}acme-Note")
            assert slugs(note) == {"1": "acme"}
        with db.tenant("globex"):
            assert slugs(note) == {"1": None}
            assert [result.tenant for result in migrate(db.registry, directory)] == ["globex"]


def test_a_table_that_nothing_separates_is_not_migrated_for_a_tenant(
    make_app: MakeApp,
    ministack: engines.Engine,
    account: engines.Account,
    db: dynaflask.Dynamo,
    directory: pathlib.Path,
) -> None:
    """A run for each tenant would change each item twice. A second app, whose tenants have tables, is not refused."""
    note = migrations.declare_note(db)
    app = make_app("shared", **_settings(ministack, account), tenants=TENANTS)
    prefix = f"{account.table_prefix}acme-"
    other = make_app("separate", **_settings(ministack, account), tenants={"acme": {"table_prefix": prefix}})
    for context, block in ((app, db.without_tenant(reason="test")), (other, db.tenant("acme"))):
        with context.app_context(), block:
            db.create_all(wait=True)
            note("1", title="T").save()
    with app.app_context():
        for tenant in TENANTS:
            with db.tenant(tenant), pytest.raises(TenantMismatch, match="once for each tenant"):
                migrate(db.registry, directory)
        with db.without_tenant(reason="test"):
            assert slugs(note) == {"1": None}
            assert [result.tenant for result in migrate(db.registry, directory)] == [None]
            assert slugs(note) == {"1": "t"}
    with other.app_context(), db.tenant("acme"):
        assert slugs(note) == {"1": None}
        assert [result.tenant for result in migrate(db.registry, directory)] == ["acme"]


def test_a_table_of_no_tenant_is_migrated_once(
    make_app: MakeApp,
    ministack: engines.Engine,
    account: engines.Account,
    db: dynaflask.Dynamo,
    directory: pathlib.Path,
) -> None:
    """A model with ``Meta.tenant = False`` has one history for all tenants."""
    note = migrations.declare_note(db, Meta=type("Meta", (), {"table_name": "Note", "tenant": False}))
    app = make_app(**_settings(ministack, account), tenants=TENANTS)
    with app.app_context():
        with db.without_tenant(reason="test"):
            db.create_all(wait=True)
            note("1", title="T").save()
        with db.tenant("acme"):
            assert [result.tenant for result in migrate(db.registry, directory)] == [None]
        with db.tenant("globex"):
            assert migrate(db.registry, directory) == []


class TestSharedTable:
    """Tenants whose items are in one table, by a ``TenantKey``."""

    @pytest.fixture
    def note(
        self, make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> t.Iterator[t.Any]:
        """The model, with an item of each tenant, in a context without a tenant."""
        note = migrations.declare_shared_note(db)
        app = make_app(**_settings(ministack, account), tenants=TENANTS)
        with app.app_context():
            with db.without_tenant(reason="test"):
                db.create_all(wait=True)
            for name in TENANTS:
                with db.tenant(name):
                    note("1", title=name.upper()).save()
            yield note

    def stored(self, note: t.Any, db: dynaflask.Dynamo) -> dict[str, str | None]:
        """All items of the table."""
        with db.without_tenant(reason="test"):
            return {str(each.id): each.slug for each in note.scan()}

    def test_a_tenant_migrates_its_own_items(self, note: t.Any, db: dynaflask.Dynamo, directory: pathlib.Path) -> None:
        """``forwards`` gets the tenant's items alone, with their keys as the tenant sees them."""
        migrations.write_file(directory, "model = 'Note'\ndef forwards(item): item.slug = f'{item.id} {item.title}'")
        with db.tenant("acme"):
            [result] = migrate(db.registry, directory)
        assert (result.tenant, result.items_read) == ("acme", 1)
        assert self.stored(note, db) == {"acme#1": "1 ACME", "globex#1": None}
        with db.tenant("globex"):
            assert len(migrate(db.registry, directory)) == 1
        assert self.stored(note, db) == {"acme#1": "1 ACME", "globex#1": "1 GLOBEX"}

    def test_a_run_without_a_tenant_is_for_all_tenants(
        self, note: t.Any, db: dynaflask.Dynamo, directory: pathlib.Path
    ) -> None:
        """It changes the items of all tenants, and is then applied for each of them."""
        with db.without_tenant(reason="test"):
            assert [result.tenant for result in migrate(db.registry, directory)] == [None]
        assert self.stored(note, db) == {"acme#1": "acme", "globex#1": "globex"}
        with db.tenant("acme"):
            assert migrate(db.registry, directory) == []
            [status] = migration_status(db.registry, read_migrations(db.registry, directory))
        assert status.is_applied

    def test_a_run_for_all_and_runs_for_single_tenants_do_not_mix(
        self, note: t.Any, db: dynaflask.Dynamo, directory: pathlib.Path
    ) -> None:
        """What was begun in one way is completed in that way."""
        broken = "model = 'Note'\ndef forwards(item): raise ValueError(item.title)"
        migrations.write_file(directory, broken)
        migrations.write_file(directory, broken, name="0002_broken")
        first, second = read_migrations(db.registry, directory)
        with db.tenant("acme"), pytest.raises(MigrationError, match="ValueError: ACME"):
            dynaflask.tables.migrations.apply_migration(db.registry, first)
        with db.without_tenant(reason="test"):
            with pytest.raises(MigrationError, match=r"such as 'acme'\. Complete it with --all-tenants"):
                dynaflask.tables.migrations.apply_migration(db.registry, first)
            with pytest.raises(MigrationError, match="ValueError"):
                dynaflask.tables.migrations.apply_migration(db.registry, second)
        with db.tenant("globex"), pytest.raises(MigrationError, match="Complete it with --without-tenant"):
            dynaflask.tables.migrations.apply_migration(db.registry, second)
        assert set(self.stored(note, db).values()) == {None}

    def test_a_shared_table_needs_a_tenant(self, note: t.Any, db: dynaflask.Dynamo, directory: pathlib.Path) -> None:
        """Without a tenant and without ``db.without_tenant``, nothing is read."""
        with pytest.raises(TenantRequired, match="which tenants share"):
            migrate(db.registry, directory)

    def test_a_model_without_the_tenant_key_is_refused(
        self, note: t.Any, db: dynaflask.Dynamo, directory: pathlib.Path
    ) -> None:
        """Another model of the same table would reach the items of all tenants."""
        plain = migrations.declare_note(db, name="Plain")
        migrations.write_file(directory, migrations.ADD_SLUG.replace("Note", "Plain"))
        with db.tenant("acme"):
            plain.Meta.table_name = note.Meta.table_name
            with pytest.raises(TenantMismatch, match="has a TenantKey and Plain has none"):
                migrate(db.registry, directory)
        assert set(self.stored(note, db).values()) == {None}

    def test_an_item_cannot_be_moved_to_another_tenant(
        self, note: t.Any, db: dynaflask.Dynamo, directory: pathlib.Path
    ) -> None:
        """A key of another tenant's item is refused by the ``TenantKey``."""
        with db.tenant("globex"):
            stolen = note.get("1").id
        flask.current_app.config["stolen"] = stolen
        code = "import flask\nmodel = 'Note'\ndef forwards(item): item.id = flask.current_app.config['stolen']"
        migrations.write_file(directory, code)
        with db.tenant("acme"), pytest.raises(TenantMismatch, match="belongs to another tenant"):
            migrate(db.registry, directory)
        assert set(self.stored(note, db)) == {"acme#1", "globex#1"}


def _settings(engine: engines.Engine, account: engines.Account) -> dict[str, t.Any]:
    return {name.removeprefix("DYNAMODB_").lower(): value for name, value in engine.settings(account).items()}
