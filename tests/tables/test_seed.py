"""Items of a file by model name."""

from __future__ import annotations

import json
import pathlib
import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.exceptions import PutError

import dynaflask
from dynaflask import TransferError
from dynaflask.tables.seed import SeedResult
from dynaflask.tables.seed import seed
from tests.support import engines
from tests.support import migrations
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

NOTES = {"Note": [{"id": "1", "title": "One", "views": 1}, {"id": "2", "title": "Two"}]}


@pytest.fixture
def note(engine_app: flask.Flask, db: dynaflask.Dynamo) -> t.Any:
    """A model whose table exists."""
    note = migrations.declare_versioned_note(db)
    db.create_all(wait=True)
    return note


def write(path: pathlib.Path, content: t.Any, *, name: str = "seed.json") -> pathlib.Path:
    """Write a seed."""
    path = path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_second_seed_changes_nothing(db: dynaflask.Dynamo, note: t.Any, tmp_path: pathlib.Path) -> None:
    """An item whose key exists stays as it is, also if the app has changed it."""
    path = write(tmp_path, NOTES)
    assert seed(db.registry, path) == SeedResult(written=2, existing=0)
    note("1").update([note.title.set("Edited")], add_version_condition=False)
    assert seed(db.registry, path) == SeedResult(written=0, existing=2)
    assert {each.id: (each.title, each.views, each.status) for each in note.scan()} == {
        "1": ("Edited", 1, "open"),
        "2": ("Two", None, "open"),
    }


def test_a_seed_may_replace_items(db: dynaflask.Dynamo, note: t.Any, tmp_path: pathlib.Path) -> None:
    """With ``replace``, each item is as the file says, whatever version it had."""
    path = write(tmp_path, NOTES)
    seed(db.registry, path)
    note("1").update([note.title.set("Edited")], add_version_condition=False)
    assert seed(db.registry, path, replace=True) == SeedResult(written=2, existing=0)
    assert {each.title for each in note.scan()} == {"One", "Two"}


def test_yaml_has_the_values_of_json(db: dynaflask.Dynamo, note: t.Any, tmp_path: pathlib.Path) -> None:
    """A file that ends in ``.yaml`` or ``.yml`` is YAML, and its items are checked in the same way."""
    path = write(tmp_path, "Note:\n- {id: '1', title: One}\n", name="seed.yaml")
    assert seed(db.registry, path).written == 1
    with pytest.raises(TransferError, match=r"Note\[0\] does not fit its model\. id: The value must be a string"):
        seed(db.registry, write(tmp_path, "Note:\n- {id: 1, title: One}\n", name="seed.yml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "The file cannot be read: Expecting property name"),
        ("[" * 100_000, "The file cannot be read: (maximum recursion|Stack overflow)"),
        ([], "This is not a seed. Write a list of items for each model"),
        ({"Note": {}}, "This is not a seed"),
        ({"Note": [NOTES["Note"][0], {"id": "3"}]}, r"Note\[1\] does not fit its model\. title: The field is missing"),
        ({"Note": [NOTES["Note"][0], {"id": "3", "title": "T", "no": 1}]}, "There is no field 'no'"),
        ({"Note": [NOTES["Note"][0], NOTES["Note"][0]]}, r"Note\[1\] has the key of Note\[0\]"),
    ],
)
def test_nothing_of_a_wrong_file_is_written(  # noqa: PLR0917 - fixtures
    make_app: MakeApp,
    recorder: recorders.Recorder,
    db: dynaflask.Dynamo,
    tmp_path: pathlib.Path,
    content: t.Any,
    message: str,
) -> None:
    """The error names the file, the item and the field."""
    migrations.declare_note(db)
    path = write(tmp_path, content)
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        with pytest.raises(TransferError, match=f"seed.json: .*{message}") as caught:
            seed(db.registry, path)
    assert (caught.value.path, recorder.requests) == (path, [])


def test_an_item_must_name_its_key(make_app: MakeApp, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
    """A default of a key would write a new item in each run."""
    migrations.declare_note(db, id=UnicodeAttribute(hash_key=True, default="random"))
    path = write(tmp_path, {"Note": [{"title": "T"}]})
    with make_app(region="us-east-1").app_context(), pytest.raises(TransferError, match="has no key 'id'. Without it"):
        seed(db.registry, path)


def test_an_unknown_model_or_file_is_an_error(make_app: MakeApp, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
    """A name that the app has no model of is an ``UnknownModel``."""
    with make_app(region="us-east-1").app_context():
        with pytest.raises(dynaflask.UnknownModel, match="no model 'Note'"):
            seed(db.registry, write(tmp_path, NOTES))
        with pytest.raises(TransferError, match="The file cannot be read: No such file or directory"):
            seed(db.registry, tmp_path / "no")


def test_an_error_of_dynamodb_is_raised(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """A write that DynamoDB refuses is no existing item."""
    migrations.declare_note(db)
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "No"})
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context(), pytest.raises(PutError, match="No"):
        seed(db.registry, write(tmp_path, NOTES))


def test_two_apps_seed_their_own_tables(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """An item that exists in one app's region is written in the other's."""
    migrations.declare_note(db)
    path = write(tmp_path, NOTES)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    apps = [make_app(region, **{**shared, "region": region}) for region in ("us-east-1", "eu-west-1")]
    for app in apps:
        with app.app_context():
            db.create_all(wait=True)
            assert seed(db.registry, path).written == 2


def test_an_item_belongs_to_the_current_tenant(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """With a ``TenantKey``, each tenant gets items of its own in the shared table."""
    note, path = migrations.declare_shared_note(db), write(tmp_path, NOTES)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    with make_app(**shared, tenants={"acme": {}, "globex": {}}).app_context():
        with db.without_tenant(reason="test"):
            db.create_all(wait=True)
        for name in ("acme", "globex"):
            with db.tenant(name):
                assert seed(db.registry, path).written == 2
        with db.tenant("acme"):
            assert seed(db.registry, path).written == 0
        with db.without_tenant(reason="test"):
            assert sorted(each.id for each in note.scan()) == ["acme#1", "acme#2", "globex#1", "globex#2"]


def test_a_date_of_yaml_is_a_string(make_app: MakeApp, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
    """A time is read as from JSON; it needs an offset."""
    migrations.declare_note(db, at=UTCDateTimeAttribute(), number=NumberAttribute(null=True))
    path = write(tmp_path, "Note: [{id: '1', title: One, at: 2026-01-02T03:04:05}]", name="seed.yaml")
    with (
        make_app(region="us-east-1").app_context(),
        pytest.raises(TransferError, match="at: The time has no time zone"),
    ):
        seed(db.registry, path)
