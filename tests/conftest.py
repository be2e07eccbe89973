"""Fixtures of all tests: the engines, a clean environment, and a detector of what a test leaves behind."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import gc
import os
import signal
import sys
import threading
import time
import typing as t
import weakref

import flask
import hypothesis
import pynamodb.models
import pytest

import dynaflask
from dynaflask.registry.models import STATIC_MODELS
from tests.support import caches
from tests.support import default_transport
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support import two_apps
from tests.support.accelerators import remove_msgspec
from tests.support.paths import SLOW_FILES
from tests.support.paths import TESTS
from tests.support.paths import measure_no_programs

# A shell starts background jobs without Ctrl-C, which the programs that tests start would inherit: `pytest &`.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The options of this run, such as its coverage, are not those of the runs that tests start.
os.environ.pop("PYTEST_ADDOPTS", None)
measure_no_programs()
# They import the package some hundred times. A container often has this variable: each time would compile it again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The fixtures that users get by the entry point, the browser, and what coverage follows.
pytest_plugins = ["dynaflask.integrations.pytest", "tests.support.browser", "tests.support.measuring"]
default_transport.apply()
caches.share()
# Each app and each client is garbage of thousands of objects that refer to each other. To look for it after every 700
# objects, as is the default, takes a third of the time of a test that makes one.
gc.set_threshold(10_000)

# Each run tries the same examples, so that no run fails by chance, and none fails because the machine is busy. Look for
# new ones with `pytest --hypothesis-profile=default -n0 FILE`.
hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")

ENGINES = ["ministack", "moto", *(["own"] if engines.own() else [])]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Measure no more in a process that only gives the tests to others: it has imported what this file imports.

    It installs the engine, if there is none, while the others collect the tests.
    """
    plugins = session.config.pluginmanager
    if not plugins.has_plugin("dsession"):
        return
    if (coverage := plugins.get_plugin("_cov")) and coverage.cov_controller:
        coverage.cov_controller.pause()
    threading.Thread(target=install_engine, daemon=True).start()


def install_engine() -> None:
    """Install ministack. If this fails, the first test says why."""
    with contextlib.suppress(RuntimeError):
        engines.find_ministack()


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> cabc.Generator[None, object, object]:
    """Do not collect all that has been collected again and again: what is made by now stays to the end."""
    measure_no_programs()  # pytest-cov starts to measure a process of xdist after it has imported this file
    worker = getattr(session.config, "workerinput", None)
    if worker and session.config.args == ["tests"]:
        session.config.args = rooms_from(int(worker["workerid"].removeprefix("gw")) / worker["workercount"])
    result = yield
    gc.freeze()
    return result


def rooms_from(part: float) -> list[str]:
    """All tests in an order that starts at this part of them, so that no two processes compile the same file."""
    rooms = sorted(str(path) for path in TESTS.iterdir() if path.is_dir() or path.name.startswith("test_"))
    start = round(part * len(rooms))
    return rooms[start:] + rooms[:start]


# First, because pytest deselects by marker in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests, and start with the slowest file, so that the processes end at the same time."""
    if default_transport.VARIABLE in os.environ:
        dropped = [item for item in items if not default_transport.depends_on_default(item)]
        items[:] = [item for item in items if default_transport.depends_on_default(item)]
        config.hook.pytest_deselected(items=dropped)
    ranks = {path: rank for rank, path in enumerate(SLOW_FILES)}
    for item in items:
        if item.path in ranks:
            item.add_marker(pytest.mark.slow)
    # Of the other files, that of the most tests first.
    counts = collections.Counter(item.path for item in items)
    items.sort(key=lambda item: (ranks.get(item.path, len(ranks)), -counts[item.path], item.path))


@pytest.fixture(scope="session", autouse=True)
def ministack_on_path() -> cabc.Iterator[None]:
    """Put ministack on the PATH, so that ``DYNAMODB_HOST = "local"`` works as for users."""
    try:
        executable = engines.find_ministack()
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(executable.parent), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def ministack(ministack_on_path: None) -> cabc.Iterator[engines.Engine]:
    """A running ministack. Tests share it, each with an ``account`` of its own."""
    with engines.ministack() as engine:
        yield engine


@pytest.fixture(scope="session")
def dynamo_server(ministack: engines.Engine) -> str:
    """The server of ``dynamo_config``. Not the local server of this process, which the tests of ``local`` stop."""
    return ministack.url


@pytest.fixture(scope="session")
def moto() -> cabc.Iterator[engines.Engine]:
    """A running moto behind a lock."""
    with engines.locked_moto() as engine:
        yield engine


@pytest.fixture(scope="session")
def own() -> engines.Engine | None:
    """The server that DYNAFLASK_TEST_ENDPOINT names."""
    return engines.own()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> engines.Engine:
    """Each engine in turn."""
    engine: engines.Engine = request.getfixturevalue(request.param)
    return engine


@pytest.fixture
def account() -> engines.Account:
    """A fresh access key and table prefix, so that a test shares no data with others: ``engine.settings(account)``."""
    return engines.Account()


@pytest.fixture
def recorder() -> cabc.Iterator[recorders.Recorder]:
    """A server that records every DynamoDB call, and answers with a minimal response."""
    with recorders.Recorder() as server:
        yield server


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[None]:
    """Hide the AWS and PynamoDB settings of the developer from the tests."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "PYNAMODB_", "DYNAMODB_"))]:
        monkeypatch.delenv(name)
    if dynaflask.Registry.pool._limits:
        gc.collect()  # an app of an earlier test, not yet collected, still limits the pool
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # Not in a folder of the test's own: most tests have no use for one, and it takes longer than they do.
    folder = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "no-credentials"))
    yield
    dynaflask.Registry.pool.close()  # botocore's sessions cache their credentials


@pytest.fixture(autouse=True)
def static_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the subclasses of ``dynaflask.Model`` that other tests have declared, and those of imported modules."""
    monkeypatch.setattr(STATIC_MODELS, "_classes", weakref.WeakValueDictionary())


@pytest.fixture(autouse=True)
def leak_detector() -> cabc.Iterator[None]:
    """A test that leaves an app context pushed or a thread running fails."""
    threads_before = set(threading.enumerate())
    yield
    contexts = _pop_contexts()
    threads = _running(set(threading.enumerate()) - threads_before)
    assert not contexts, f"The test left app contexts pushed: {contexts}"
    assert not threads, f"The test left threads running: {threads}"


def _pop_contexts() -> list[str]:
    popped = []
    while flask.has_app_context():
        popped.append(flask.current_app.name)
        flask.globals.app_ctx._get_current_object().pop()
    return popped


def _running(threads: cabc.Iterable[threading.Thread]) -> list[threading.Thread]:
    """The threads that still run after a garbage collection and twenty seconds each: none takes so long."""
    if any(thread.is_alive() for thread in threads):
        gc.collect()
    for thread in threads:
        _join(thread)
    return [thread for thread in threads if thread.is_alive()]


def _join(thread: threading.Thread) -> None:
    # `enumerate` also has a thread that another one is starting at this moment. `join` refuses it until it runs.
    for _ in range(2000):
        with contextlib.suppress(RuntimeError):
            thread.join(timeout=20)
            return
        time.sleep(0.01)


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> None:
    """Let a garbage collection look only at what the tests of one file have made. Hundreds of tests ask for some.

    All that still exists when a file starts is kept: it belongs to modules, to fixtures of the session and to pytest.
    """
    while gc.collect():  # the end of one cycle may free another, such as a client's session
        pass
    gc.freeze()


@pytest.fixture
def db() -> dynaflask.Dynamo:
    """An extension object of the test's own."""
    return dynaflask.Dynamo()


@pytest.fixture
def make_app(db: dynaflask.Dynamo) -> cabc.Callable[..., flask.Flask]:
    """Makes an app with these settings: ``make_app("eu", region="eu-west-1")`` sets ``DYNAMODB_REGION``."""

    def make(
        name: str = "app", /, *, allowed_models: cabc.Iterable[t.Any] | None = None, **settings: object
    ) -> flask.Flask:
        app = flask.Flask(name)
        app.config.from_mapping({f"DYNAMODB_{key.upper()}": value for key, value in settings.items()})
        db.init_app(app, models=allowed_models)
        return app

    return make


@pytest.fixture
def app(make_app: cabc.Callable[..., flask.Flask], recorder: recorders.Recorder) -> flask.Flask:
    """An app with two binds that sends to the recorder."""
    return make_app(
        host=recorder.url,
        region="us-west-2",
        aws_access_key_id="AKIA",
        aws_secret_access_key="hush",
        binds={"eu": {"region": "eu-west-1"}},
    )


@pytest.fixture
def thread_model(db: dynaflask.Dynamo) -> type[pynamodb.models.Model]:
    """The model of PynamoDB's tutorial."""
    return models.declare_thread(db)


@pytest.fixture
def world() -> cabc.Iterator[two_apps.World]:
    """Two apps on two servers, with tenants of the same names."""
    with two_apps.two_apps() as apps:
        yield apps


@pytest.fixture(params=["msgspec", "json"])
def json_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The library that reads and writes JSON: the accelerator, or the standard one without it."""
    if request.param == "json":
        remove_msgspec(monkeypatch)
    return str(request.param)
