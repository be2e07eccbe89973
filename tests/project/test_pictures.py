"""The drawings of the documentation: up to date, true, and readable in light and dark colours."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import types
import typing as t
from xml.etree import ElementTree as ET

import flask
import pytest
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask import TenantKey
from dynaflask.registry import precedence
from dynaflask.registry.context import existing_scope
from tests.support import drawing
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.drawings import DRAWINGS
from tests.support.drawings import LANES
from tests.support.drawings import LAYERS
from tests.support.drawings import LIFE
from tests.support.drawings import PLACES
from tests.support.drawings import TENANCY
from tests.support.drawings import Step
from tests.support.drawings import steps_of_a_call
from tests.support.paths import PROJECT
from tests.support.screenshots import VARIABLE
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

PICTURES = PROJECT / "docs/pictures"


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_up_to_date(name: str) -> None:
    """The file is what the program draws. DYNAFLASK_PICTURES=1 writes it."""
    path, drawn = PICTURES / f"{name}.svg", DRAWINGS[name]().render()
    if os.environ.get(VARIABLE):
        path.write_text(drawn, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == drawn, f"{path} is old. Draw it again: {VARIABLE}=1 pytest --no-cov -n0"


def test_each_picture_is_on_a_page_with_a_text_for_those_who_do_not_see_it() -> None:
    """Each picture is shown, and what it shows is said in words. No page shows a missing one."""
    pages = [PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")]
    shown = [image for page in pages for image in re.findall(r"!\[(.*?)\]\((.+?)\)", page.read_text(encoding="utf-8"))]
    assert {path.rpartition("/")[2] for _, path in shown} == {path.name for path in PICTURES.iterdir()}
    assert [path for text, path in shown if len(text) < 20] == []


def test_a_drawing_has_no_script_and_nothing_from_elsewhere() -> None:
    """A drawing is text, shapes and a style."""
    for path in PICTURES.glob("*.svg"):
        tree = ET.parse(path)  # noqa: S314 - our own file
        names = {element.tag.rpartition("}")[2] for element in tree.iter()}
        assert names <= {"svg", "title", "style", "rect", "text", "path"}
        assert "url(" not in path.read_text(encoding="utf-8")


def contrast(colour: str, other: str) -> float:
    """The contrast of two colours, as WCAG 2 defines it."""

    def luminance(code: str) -> float:
        parts = [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(colour), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [drawing.LIGHT, drawing.DARK], ids=["light", "dark"])
def test_texts_have_contrast(palette: dict[str, str]) -> None:
    """Each text has the contrast that WCAG 2 asks for, on each ground."""
    pairs = [(text, ground) for text in drawing.TEXTS for ground in drawing.GROUNDS]
    assert [pair for pair in pairs if contrast(palette[pair[0]], palette[pair[1]]) < 4.5] == []


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_text_covers_another(browser: t.Any, name: str) -> None:
    """Each text is inside of the drawing, and covers no other text."""
    browser.get((PICTURES / f"{name}.svg").as_uri())
    boxes = browser.execute_script("""
        return [...document.querySelectorAll('text')].map(text => {
            const box = text.getBBox()
            return [text.textContent, box.x, box.y, box.x + box.width, box.y + box.height]
        })
    """)
    canvas = DRAWINGS[name]()
    outside = [box for box in boxes if min(box[1:]) < 0 or box[3] > canvas.width or box[4] > canvas.height]
    covered = [
        (one[0], other[0])
        for number, one in enumerate(boxes)
        for other in boxes[:number]
        if one[1] < other[3] and other[1] < one[3] and one[2] + 2 < other[4] and other[2] + 2 < one[4]
    ]
    assert (outside, covered) == ([], [])


@pytest.fixture
def recorder(recorder: recorders.Recorder) -> recorders.Recorder:
    """A server that records each call, and has an item."""
    item = {"forum_name": {"S": "flask"}, "subject": {"S": "hello"}}
    recorder.answer = lambda request: {"Item": item} if request.operation == "GetItem" else None
    return recorder


def clients_of(*apps: flask.Flask) -> list[t.Any]:
    """The clients of these apps, each once. Other tests may have left clients in the process."""
    leases = [lease for app in apps for lease in app.extensions["dynamo"].leases.all() if lease.host is not None]
    clients = []
    for lease in leases:
        pooled = lease.pooled_client()
        clients.append(pooled)
    return list({id(pooled): pooled for pooled in clients}.values())


def test_the_overview(make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """Each bind calls its region and account, and the apps with the same ones share a client."""
    thread = models.declare_thread(db)
    apps = []
    for name, own in PLACES.items():
        binds = {
            bind: {"region": region, "aws_access_key_id": account, "aws_secret_access_key": "any"}
            for bind, (region, account) in own.items()
        }
        app = make_app(name, host=recorder.url, **binds.pop("default"), binds=binds)
        apps.append(app)
        for bind, place in own.items():
            with app.app_context(), db.using(bind) if bind in binds else contextlib.nullcontext():
                thread.get("flask", "hello")
            assert (recorder.requests[-1].region, recorder.requests[-1].access_key_id) == place
    assert len(clients_of(*apps)) == len({place for own in PLACES.values() for place in own.values()})


def region_of_a_call(lines: list[str], recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch) -> str:
    """The region of a call if each of these lines sets one: the name of the line, without spaces."""
    region = {line: line.replace(" ", "").replace(",", "") for line in lines}
    if "outside the app" in lines:
        monkeypatch.setenv("AWS_DEFAULT_REGION", region["outside the app"])
    db = dynaflask.Dynamo()
    thread = models.declare_thread(db, bind_key="archive", **({"region": region["model"]} if "model" in lines else {}))
    app = flask.Flask("forum")
    app.config.from_mapping(
        DYNAMODB_HOST=recorder.url,
        DYNAMODB_AWS_ACCESS_KEY_ID="AKIA",
        DYNAMODB_AWS_SECRET_ACCESS_KEY="any",
        DYNAMODB_REGION="plain" if "bind" in lines else None,
        DYNAMODB_BINDS={"archive": {"region": region["bind"]} if "bind" in lines else {}},
        DYNAMODB_MODELS={"Thread": {"region": region["app, by model"]}} if "app, by model" in lines else None,
        DYNAMODB_TENANTS={"acme": {"region": region["tenant"]} if "tenant" in lines else {}},
    )
    db.init_app(app)
    with app.app_context(), db.tenant("acme"):
        if "context" in lines:
            thread.Meta.region = region["context"]
        thread.get("flask", "hello")
    return recorder.requests[-1].region


def test_which_value_wins(make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line wins over all lines below it. A context that contradicts the tenant is refused."""
    lines = list(LAYERS)
    for number, line in enumerate(lines[1:], start=1):
        won = region_of_a_call(lines[number:], recorder, monkeypatch)
        assert won == line.replace(" ", "").replace(",", "")
    assert lines[:2] == ["tenant", "context"]
    assert region_of_a_call(["tenant", *lines[2:]], recorder, monkeypatch) == "tenant"
    with pytest.raises(dynaflask.TenantMismatch):
        region_of_a_call(lines, recorder, monkeypatch)


def test_the_lines_are_those_of_the_code() -> None:
    """The module that decides lists as many lines, and the same settings."""
    lines = re.findall(r"^\d\. ((?:.+\n)+?)(?=\d\.|\n)", precedence.__doc__ or "", re.MULTILINE)
    assert len(lines) == len(LAYERS)
    for line, (code, note) in zip(lines, LAYERS.values(), strict=True):
        names = re.findall(r"DYNAMODB_MODELS|DYNAMODB_BINDS|db\.using|Meta|botocore", f"{code} {note}")
        assert [name for name in names if name not in line] == []


@pytest.mark.parametrize("kind", TENANCY)
def test_silo_pool_and_bridge(kind: str, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """The item of each tenant is in its table, under its hash key."""
    tables = TENANCY[kind]

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"

        folder = UnicodeAttribute(hash_key=True) if kind == "silo" else TenantKey(hash_key=True)

    prefixes = {tenant: table.name.removesuffix("Note") for table in tables for tenant in table.keys}
    tenants = {tenant: {"table_prefix": prefix} if prefix else {} for tenant, prefix in prefixes.items()}
    app = make_app(host=recorder.url, region="eu-west-1", tenants=tenants, **KEYS)
    for table in tables:
        for tenant, key in table.keys.items():
            with app.app_context(), db.tenant(tenant):
                Note("in").save()
            body = recorder.requests[-1].body
            assert (body["TableName"], body["Item"]["folder"]["S"]) == (table.name, key)


def functions_of(work: t.Callable[[], object]) -> list[tuple[str, str]]:
    """The functions that a piece of work passes, each with its file. A constructor has the name of its class."""
    passed: list[tuple[str, str]] = []

    def record(frame: types.FrameType, event: str, _: t.Any) -> None:
        if event == "call":
            name = frame.f_code.co_name
            name = type(frame.f_locals.get("self")).__name__ if name == "__init__" else name
            passed.append((frame.f_code.co_filename.replace(os.sep, "/"), name))

    sys.setprofile(record)
    try:
        work()
    finally:
        sys.setprofile(None)
    return passed


def is_step(step: Step, passed: tuple[str, str]) -> bool:
    """True if a function that a call has passed is that of a step."""
    file, name = passed
    return file.endswith(f"/{step.module}") and name == step.function.rpartition(".")[2]


def test_the_way_of_a_call(make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """The first call passes each function of the drawing, in its order. The second skips those that are marked."""
    thread = models.declare_thread(db)
    app = make_app(host=recorder.url, region="eu-west-1", transport="direct", **KEYS)
    # The block changes something, so that the values are looked up in each line.
    with app.app_context(), db.using(read_timeout_seconds=5):
        first, second = (functions_of(lambda: thread.get("flask", "hello")) for _ in range(2))
    steps = steps_of_a_call()
    assert sorted({step.number for step in steps}) == list(range(1, steps[-1].number + 1))
    rest = iter(first)
    missing = [step for step in steps if not any(is_step(step, passed) for passed in rest)]
    assert missing == []
    repeated = {step for step in steps for passed in second if is_step(step, passed)}
    assert repeated == {step for step in steps if not step.is_first_use}


def test_the_life_of_a_scope(make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """After each line of the program, what the drawing shows exists, and nothing else."""
    thread = models.declare_thread(db)
    app = make_app(host=recorder.url, region="eu-west-1", binds={"archive": {}}, **KEYS)
    seen = [what_exists(app)]
    with app.app_context():
        seen.append(what_exists(app))
        thread.get("flask", "hello")
        seen.append(what_exists(app))
        first = existing_scope()
        with db.using("archive"):
            seen.append(what_exists(app))
        seen.append(what_exists(app))
    seen.append(what_exists(app))
    with app.app_context():
        seen.append(what_exists(app))
        thread.get("flask", "hello")
        seen.append(what_exists(app))
        assert existing_scope() is not first
    assert seen == [set(), *(state for _, state in LIFE)]
    assert len(clients_of(app)) == 1


def what_exists(app: flask.Flask) -> set[str]:
    """The lanes of the drawing that something is in now."""
    scope = existing_scope() if flask.has_app_context() else None
    is_there = {
        "context": flask.has_app_context(),
        "scope": scope is not None,
        "block": scope is not None and scope.outer is not None,
        "client": bool(clients_of(app)),
    }
    return {lane for lane in LANES if is_there[lane]}


def forum_on(engine: engines.Engine, account: engines.Account, *models: str, expires: bool) -> flask.Flask:
    """An app with these models on an engine. The sessions may have a time to live."""
    db = dynaflask.Dynamo()
    classes = []
    for name in models:
        attributes: dict[str, t.Any] = {"name": UnicodeAttribute(hash_key=True)}
        if expires and name == "Session":
            attributes["expires"] = TTLAttribute(null=True)
        classes.append(type(name, (db.Model,), {"Meta": type("Meta", (), {"table_name": name}), **attributes}))
    app = flask.Flask("forum")
    app.extensions["models"] = classes  # an app refers to its models weakly
    app.config.from_mapping(engine.settings(account))
    app.config["DYNAMODB_TABLE_PREFIX"] = "forum-"
    db.init_app(app)
    return app


def test_the_output_of_status(ministack: engines.Engine, account: engines.Account) -> None:
    """The page about tables shows what the command prints: a table as declared, one that differs, and a missing one."""
    page = (PROJECT / "docs/howto/tables.md").read_text(encoding="utf-8")
    shown = page.partition("```text\nmodels")[2].partition("```")[0]
    before = forum_on(ministack, account, "Thread", "Session", expires=False)
    assert before.test_cli_runner().invoke(args=["dynamo", "create", "--wait"]).exit_code == 0
    now = forum_on(ministack, account, "Thread", "Session", "User", expires=True)
    printed = now.test_cli_runner().invoke(args=["dynamo", "status"])
    assert printed.exit_code == 1
    # The account and the port differ from run to run, and with the port the width of its column.
    output = re.sub(r"127.0.0.1:\d+", "127.0.0.1:8000", re.sub(r"\b\d{12}\b", "111122223333", printed.output))
    lines = [line.split() for line in output.splitlines()]
    assert [line.split() for line in f"models{shown}".splitlines()] == lines
