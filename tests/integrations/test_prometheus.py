"""``instrument`` counts an app's operations in metrics of Prometheus."""

from __future__ import annotations

import collections.abc as cabc
import gc
import json
import pathlib
import subprocess
import sys
import textwrap
import typing as t
import weakref
from unittest import mock

import flask
import freezegun
import prometheus_client
import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families
from pynamodb.exceptions import PutError
from pynamodb.exceptions import QueryError
from pynamodb.exceptions import TableDoesNotExist

import dynaflask
from dynaflask.exceptions import TenantLimitExceeded
from dynaflask.integrations.prometheus import instrument
from dynaflask.integrations.prometheus import uninstrument
from dynaflask.integrations.prometheus.app_metrics import outcome_of
from dynaflask.integrations.prometheus.metrics import Metrics
from dynaflask.operations.operation import Source
from dynaflask.operations.operation import ThrottlingReason
from dynaflask.registry.context import EXTENSION
from dynaflask.testing import fail_next
from tests.support import engines
from tests.support import servers
from tests.support.operations import make_operation
from tests.support.paths import PROJECT
from tests.support.paths import environment
from tests.support.paths import measured_environment
from tests.support.recorder import Recorder
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

SECRET = "wJalrXUtnFEMI"
GET = {"bind": "default", "model": "Thread", "operation": "GetItem"}
HOST_SETTINGS = {"DYNAMODB_REGION": "us-east-1", **{f"DYNAMODB_{name.upper()}": value for name, value in KEYS.items()}}
THROTTLED = "ProvisionedThroughputExceededException"


class Scraped:
    """The metrics in the text that Prometheus reads."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def sum(self, name: str, **labels: str) -> float:
        """The sum of the series with these labels."""
        return sum(
            sample.value
            for sample in self.samples
            if sample.name == f"dynaflask_{name}" and labels.items() <= sample.labels.items()
        )

    def values(self, name: str, label: str) -> set[str]:
        """The values of a label."""
        return {sample.labels[label] for sample in self.samples if sample.name == f"dynaflask_{name}"}


@pytest.fixture
def registry() -> prometheus_client.CollectorRegistry:
    """A registry of the test's own."""
    return prometheus_client.CollectorRegistry()


@pytest.fixture
def make(
    make_app: MakeApp, ministack: engines.Engine, thread_model: t.Any, registry: prometheus_client.CollectorRegistry
) -> t.Callable[..., flask.Flask]:
    """Makes an app with a table in ministack, which is then counted."""

    def make(name: str = "app", *, max_tenants: int = 0, **settings: t.Any) -> flask.Flask:
        account = engines.Account(secret_access_key=SECRET)
        own = {key.removeprefix("DYNAMODB_").lower(): value for key, value in ministack.settings(account).items()}
        app = make_app(name, **own, **{"max_retry_attempts": 0, **settings})
        with app.app_context():
            thread_model.create_table(wait=True)
        instrument(app, registry=registry, max_tenants=max_tenants)
        return app

    return make


@pytest.fixture
def scrape(registry: prometheus_client.CollectorRegistry) -> t.Callable[[], Scraped]:
    """Reads the metrics of the registry."""
    return lambda: Scraped(prometheus_client.generate_latest(registry).decode())


def test_calls_are_timed_by_app_bind_model_operation_and_outcome(
    make: t.Callable[..., flask.Flask], thread_model: t.Any, scrape: t.Callable[[], Scraped]
) -> None:
    """Each call is one observation; a missing item is a success, a failed condition a conflict, and no error."""
    with make("forum").app_context():
        thread_model("flask", "hello").save()
        with pytest.raises(PutError):
            thread_model("flask", "hello").save(thread_model.subject.does_not_exist())
        with pytest.raises(thread_model.DoesNotExist):
            thread_model.get("flask", "other")
        with pytest.raises(QueryError):
            list(thread_model.query("flask", thread_model.views == 1))
    scraped = scrape()
    labels = [
        (sample.labels["operation"], sample.labels["outcome"], sample.value)
        for sample in scraped.samples
        if sample.name == "dynaflask_operation_seconds_count"
    ]
    assert sorted(labels) == [
        ("GetItem", "success", 1),
        ("PutItem", "conflict", 1),
        ("PutItem", "success", 1),
        ("Query", "error", 1),
    ]
    assert scraped.sum("operation_seconds_count", app="forum", bind="default", model="Thread") == 4
    assert scraped.sum("operation_seconds_sum", app="forum") > 0
    assert scraped.sum("operation_seconds_bucket", **GET, le="+Inf") == 1


def test_a_call_without_a_model_has_an_empty_label(
    make: t.Callable[..., flask.Flask], db: dynaflask.Dynamo, scrape: t.Callable[[], Scraped]
) -> None:
    """The label ``model`` is the empty string, and the label ``bind`` the key of the bind."""
    app = make(binds={"archive": {}})
    with app.app_context(), pytest.raises(TableDoesNotExist):
        db.get_connection("archive").describe_table("missing")
    assert scrape().sum("operation_seconds_count", bind="archive", model="", outcome="error") == 1


def test_consumed_units(
    make: t.Callable[..., flask.Flask], thread_model: t.Any, scrape: t.Callable[[], Scraped]
) -> None:
    """The units are those that DynamoDB reports, by read and write, as the meter of the app counts them."""
    app = make(meter=True)
    with app.app_context():
        app.extensions["dynamo"].usage(reset=True)
        thread_model("flask", "hello").save()
        thread_model.get("flask", "hello", consistent_read=True)
        usage = app.extensions["dynamo"].usage(by="model")["Thread"]
    scraped = scrape()
    assert min(usage.read_units, usage.write_units) > 0
    assert scraped.sum("consumed_units_total", unit="read", operation="GetItem") == usage.read_units
    assert scraped.sum("consumed_units_total", unit="write", operation="PutItem") == usage.write_units
    assert scraped.sum("consumed_units_total") == usage.read_units + usage.write_units


def test_retries(make: t.Callable[..., flask.Flask], thread_model: t.Any, scrape: t.Callable[[], Scraped]) -> None:
    """An attempt after the first one is a retry. The call has one outcome, that of its last attempt."""
    with make(max_retry_attempts=2).app_context(), fail_next("PutItem", THROTTLED, times=2):
        thread_model("flask", "hello").save()
    scraped = scrape()
    assert scraped.sum("retries_total", operation="PutItem") == 2
    assert scraped.sum("operation_seconds_count", operation="PutItem", outcome="success") == 1
    assert scraped.sum("throttles_total") == 0


def test_throttles_without_a_reason(
    make: t.Callable[..., flask.Flask], thread_model: t.Any, scrape: t.Callable[[], Scraped]
) -> None:
    """A throttled call for which DynamoDB gives no reason counts as unknown."""
    app = make()
    with app.app_context(), fail_next("PutItem", THROTTLED, times=None), pytest.raises(PutError):
        thread_model("flask", "hello").save()
    scraped = scrape()
    assert scraped.sum("throttles_total", model="Thread", operation="PutItem", reason="unknown") == 1
    assert scraped.sum("operation_seconds_count", operation="PutItem", outcome="throttled") == 1


def test_throttles_by_reason(make: t.Callable[..., flask.Flask], scrape: t.Callable[[], Scraped]) -> None:
    """Each of DynamoDB's reasons counts the call once, also if it names several resources."""
    reasons = [("TableWriteKeyRangeThroughputExceeded", "arn:table"), ("IndexWriteAccountLimitExceeded", "arn:index/a")]
    reasons.append(("IndexWriteAccountLimitExceeded", "arn:index/b"))
    finish(
        make(),
        error=THROTTLED,
        is_throttled=True,
        throttling_reasons=tuple(ThrottlingReason(*reason) for reason in reasons),
    )
    scraped = scrape()
    assert scraped.sum("throttles_total", reason="TableWriteKeyRangeThroughputExceeded") == 1
    assert scraped.sum("throttles_total", reason="IndexWriteAccountLimitExceeded") == 1
    assert "arn:" not in scraped.text


def test_refused_calls_are_not_timed(
    make: t.Callable[..., flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any, scrape: t.Callable[[], Scraped]
) -> None:
    """A call that a tenant's limit refuses counts as a refusal and in nothing else: nothing was sent."""
    app = make(tenants={"acme": {"tenant_capacity": 1e-6}, "globex": {}})
    for tenant in ("acme", "acme", "globex", "globex"):
        with app.app_context(), db.tenant(tenant):
            try:
                thread_model.count("flask")
            except TenantLimitExceeded:
                assert tenant == "acme"
    scraped = scrape()
    assert scraped.sum("refusals_total", model="Thread", operation="Query") == 1
    assert scraped.sum("operation_seconds_count", operation="Query") == 3


def test_two_apps_share_a_registry(
    make: t.Callable[..., flask.Flask], thread_model: t.Any, scrape: t.Callable[[], Scraped]
) -> None:
    """Each app has series of its own, by its name."""
    for app, calls in ((make("us"), 3), (make("eu"), 2)):
        with app.app_context():
            for _ in range(calls):
                thread_model.count("flask")
    scraped = scrape()
    assert scraped.sum("operation_seconds_count", app="us") == 3
    assert scraped.sum("operation_seconds_count", app="eu") == 2


def test_two_apps_with_registries_of_their_own(
    make: t.Callable[..., flask.Flask], thread_model: t.Any, scrape: t.Callable[[], Scraped]
) -> None:
    """A registry has nothing of an app that counts in another one, and nothing of an app that counts nowhere."""
    us, eu, asia = make("us"), make("eu"), make("asia")
    other = prometheus_client.CollectorRegistry()
    instrument(eu, registry=other)
    uninstrument(asia)
    for app in (us, eu, asia):
        with app.app_context():
            thread_model.count("flask")
    assert scrape().values("operation_seconds_count", "app") == {"us"}
    assert Scraped(prometheus_client.generate_latest(other).decode()).values("operation_seconds_count", "app") == {"eu"}


def test_the_default_registry(make: t.Callable[..., flask.Flask], thread_model: t.Any) -> None:
    """Without a registry the metrics are in that of prometheus_client, which its exporters show."""
    app = make("in the default registry")
    instrument(app)
    with app.app_context():
        thread_model.count("flask")
    scraped = Scraped(prometheus_client.generate_latest().decode())
    assert scraped.sum("operation_seconds_count", app="in the default registry") == 1


def test_instrumented_twice_counts_once(
    make: t.Callable[..., flask.Flask],
    thread_model: t.Any,
    registry: prometheus_client.CollectorRegistry,
    scrape: t.Callable[[], Scraped],
) -> None:
    """A second call of ``instrument`` replaces the first; ``uninstrument`` ends both, and may be repeated."""
    app = make()
    instrument(app, registry=registry)
    with app.app_context():
        thread_model.count("flask")
        uninstrument(app)
        uninstrument(app)
        thread_model.count("flask")
    assert scrape().sum("operation_seconds_count") == 1


def test_an_app_is_freed(make_app: MakeApp, registry: prometheus_client.CollectorRegistry) -> None:
    """The metrics do not keep an app alive."""
    app = make_app()
    instrument(app, registry=registry)
    reference = weakref.ref(app)
    del app
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("max_tenants", [0, 3])
def test_calls_with_and_without_an_operation_are_counted_alike(
    make_app: MakeApp, scrape: t.Callable[[], Scraped], registry: prometheus_client.CollectorRegistry, max_tenants: int
) -> None:
    """A successful call gives the same series whether the recorder has made its ``Operation`` or only its numbers."""
    calls = [
        ("Thread", "GetItem", "acme", 0.5, 0.0, 0),
        ("Thread", "PutItem", "acme", 0.0, 2.0, 0),
        (None, "UpdateItem", None, 1.0, 1.0, 2),
        ("Thread", "GetItem", "globex", 0.0, 0.0, 0),
        ("Thread", "GetItem", "acme", 1.5, 0.0, 0),
    ]
    apps = [make_app(name) for name in ("full", "light")]
    for app in apps:
        instrument(app, registry=registry, max_tenants=max_tenants)
    full, light = (app.extensions["dynaflask_prometheus"] for app in apps)
    for model, operation, tenant, read_units, write_units, retries in calls:
        fields = {"tenant": tenant, "read_units": read_units, "write_units": write_units, "retries": retries}
        full.add(make_operation(model=model, operation=operation, **fields))
        source = Source("light", "default", model, tenant)
        if not light.add_success(source, operation, 0.01, read_units, write_units, retries):
            light.add(make_operation(model=model, operation=operation, **fields))
    series: dict[str, dict[t.Any, float]] = {"full": {}, "light": {}}
    for sample in scrape().samples:
        if not sample.name.endswith("_created") and (app := sample.labels.get("app")):
            labels = frozenset(sample.labels.items() - {("app", app)})
            series[app][sample.name, labels] = sample.value
    assert series["full"]
    assert series["light"] == series["full"]


class TestTenants:
    """``max_tenants``."""

    def test_by_default_no_metric_names_a_tenant(
        self,
        make: t.Callable[..., flask.Flask],
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        scrape: t.Callable[[], Scraped],
    ) -> None:
        """A tenant's name is data of the tenant, and each name would be a series."""
        with make().app_context(), db.tenant("acme"):
            thread_model.count("flask")
        assert "acme" not in scrape().text

    def test_tenants_are_counted_separately_up_to_a_number(
        self, make: t.Callable[..., flask.Flask], scrape: t.Callable[[], Scraped]
    ) -> None:
        """Further tenants are counted together, as ``*``; calls without a tenant have the empty label, and no place."""
        us, eu = make("us", max_tenants=2), make("eu", max_tenants=1)
        for app in (us, eu):
            for tenant in (None, "acme", "globex", "initech", "umbrella", "globex"):
                finish(app, tenant=tenant, read_units=1.0)
        scraped = scrape()
        calls = {
            (sample.labels["app"], sample.labels["tenant"]): sample.value
            for sample in scraped.samples
            if sample.name == "dynaflask_tenant_calls_total"
        }
        assert calls == {
            ("us", ""): 1,
            ("us", "acme"): 1,
            ("us", "globex"): 2,
            ("us", "*"): 2,
            ("eu", ""): 1,
            ("eu", "acme"): 1,
            ("eu", "*"): 4,
        }
        assert scraped.sum("tenant_consumed_units_total", app="us", tenant="globex", unit="read") == 2

    def test_the_outcomes_of_a_tenant(
        self,
        make: t.Callable[..., flask.Flask],
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        scrape: t.Callable[[], Scraped],
    ) -> None:
        """The calls of a tenant have those that its limit refused, as an outcome."""
        app = make(max_tenants=5, tenants={"acme": {"tenant_capacity": 1e-6}, "globex": {}})
        for tenant in ("acme", "globex", "acme", "globex"):
            with app.app_context(), db.tenant(tenant):
                try:
                    thread_model("flask", "hello").save()
                except TenantLimitExceeded:
                    assert tenant == "acme"
        scraped = scrape()
        assert scraped.sum("tenant_calls_total", tenant="acme", outcome="success") == 1
        assert scraped.sum("tenant_calls_total", tenant="acme", outcome="refused") == 1
        assert scraped.sum("tenant_calls_total", tenant="globex", outcome="success") == 2
        assert scraped.sum("tenant_consumed_units_total", tenant="globex", unit="write") > 0


def test_the_pool(make: t.Callable[..., flask.Flask], thread_model: t.Any, scrape: t.Callable[[], Scraped]) -> None:
    """The gauges have the clients and open sockets of the process, within a second of calls."""
    app = make()

    def is_sampled() -> bool:
        with app.app_context():
            thread_model.count("flask")
        stats = dynaflask.Registry.pool.stats()
        scraped = scrape()
        sampled = scraped.sum("pool_clients"), scraped.sum("pool_open_sockets")
        return sampled == (stats.clients, stats.open_sockets) != (0, 0)

    assert servers.eventually(is_sampled)


def test_the_pool_after_a_test_with_a_frozen_clock() -> None:
    """A clock that was frozen in the future does not end the samples, and while it stands there is one."""
    metrics = Metrics(prometheus_client.CollectorRegistry())
    with mock.patch.object(dynaflask.ClientPool, "stats", side_effect=dynaflask.Registry.pool.stats) as stats:
        with freezegun.freeze_time("2100-01-01"):
            metrics.sample_pool()
            metrics.sample_pool()
        assert stats.call_count == 1
        metrics.sample_pool()
        assert stats.call_count == 2


def test_no_secret_and_no_key_value_is_shown(
    make: t.Callable[..., flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any, scrape: t.Callable[[], Scraped]
) -> None:
    """The text has names and numbers: no credential, no value of an attribute and no name of a table."""
    app = make(max_tenants=5)
    with app.app_context(), db.tenant("acme"):
        thread_model("confidential", "hello").save()
        with pytest.raises(thread_model.DoesNotExist):
            thread_model.get("confidential", "other")
    text = scrape().text
    hidden = (SECRET, app.config["DYNAMODB_AWS_ACCESS_KEY_ID"], app.config["DYNAMODB_TABLE_PREFIX"], "confidential")
    assert [value for value in hidden if value in text] == []


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({}, "success"),
        ({"error": "TenantLimitExceeded", "is_refused": True}, "refused"),
        ({"error": THROTTLED, "is_throttled": True}, "throttled"),
        ({"error": "TransactionCanceledException", "is_throttled": True}, "throttled"),
        ({"error": "TransactionCanceledException"}, "conflict"),
        ({"error": "TransactionConflictException"}, "conflict"),
        ({"error": "ValidationException"}, "error"),
        ({"error": "EndpointConnectionError"}, "error"),
    ],
)
def test_outcomes(values: dict[str, t.Any], outcome: str) -> None:
    """There are five outcomes, whatever error codes there are."""
    assert outcome_of(make_operation(**values)) == outcome


class Workers:
    """Two workers of gunicorn, on a port.

    Attributes:
        processes: The process that served each request to an app.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.processes: list[int] = []

    def read(self, path: str) -> None:
        """Let a worker make a call."""
        self.processes.append(json.loads(fetch(f"{self.url}{path}"))["process"])

    def scrape(self) -> Scraped:
        """The metrics, as one of the workers shows them."""
        return Scraped(fetch(self.url))


@pytest.fixture
def workers(ministack: engines.Engine, account: engines.Account, tmp_path: pathlib.Path) -> cabc.Iterator[Workers]:
    """Two workers, which the master has forked after it has called DynamoDB for both apps."""
    port = engines.free_port()
    command = [sys.executable, "-m", "gunicorn", "tests.support.metrics_program:application", "--preload"]
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--log-level", "error"]
    variables = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "SETTINGS": json.dumps(ministack.settings(account))}
    server = subprocess.Popen([*command, *options], env=environment(**variables), cwd=PROJECT)
    try:
        workers = Workers(port)
        assert servers.eventually(lambda: servers.answers(workers.url))
        yield workers
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_gunicorn_with_preload(workers: Workers) -> None:
    """Each worker shows the calls of both, and those of the master before the fork, by app and tenant."""

    def both_have_read() -> bool:
        workers.read("/us/acme")
        return len(set(workers.processes)) == 2

    assert servers.eventually(both_have_read)
    us_calls = len(workers.processes)
    for tenant in ("globex", "globex", "initech"):
        workers.read(f"/eu/{tenant}")
    scraped = workers.scrape()
    query = {"model": "Thread", "operation": "Query", "outcome": "success"}
    assert scraped.sum("operation_seconds_count", app="us", **query) == us_calls
    assert scraped.sum("operation_seconds_count", app="eu", **query) == 3
    assert scraped.sum("operation_seconds_count", operation="CreateTable") == 2
    assert scraped.sum("tenant_calls_total", app="us", tenant="acme") == us_calls
    assert scraped.sum("tenant_calls_total", app="eu", tenant="globex") == 2
    assert scraped.sum("tenant_calls_total", app="us", tenant="globex") == 0


def test_the_pools_of_workers(workers: Workers) -> None:
    """The gauges are the sums over the two workers and the master."""

    def is_sum() -> bool:
        workers.read("/us/acme")
        scraped = workers.scrape()
        return scraped.sum("pool_clients") == 3 and scraped.sum("pool_open_sockets") >= 2

    assert servers.eventually(is_sum)


def test_a_failure_of_the_metrics_is_no_failure_of_the_call(recorder: Recorder, tmp_path: pathlib.Path) -> None:
    """Without the directory of the metrics, calls succeed as before. Each app logs the failure once."""
    directory = tmp_path / "metrics"
    directory.mkdir()
    program = f"""
        import shutil, flask, dynaflask
        from dynaflask.integrations import prometheus
        from tests.support import models

        db = dynaflask.Dynamo()
        Thread = models.declare_thread(db)
        apps = [flask.Flask("us"), flask.Flask("eu")]
        for app in apps:
            app.config.from_mapping({HOST_SETTINGS!r}, DYNAMODB_HOST={recorder.url!r})
            db.init_app(app)
            prometheus.instrument(app)
        shutil.rmtree({str(directory)!r})
        for app in apps * 2:
            with app.app_context():
                print(Thread("flask", "hello").save()["ConsumedCapacity"])
    """
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=measured_environment(PROMETHEUS_MULTIPROC_DIR=str(directory)),
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(finished.stdout.splitlines()) == 4
    for name in ("us", "eu"):
        assert finished.stderr.count(f"Calls of the app '{name}' are not counted. Check PROMETHEUS_MULTIPROC_DIR.") == 1


def test_a_failure_of_prometheus_raises_nothing(
    make: t.Callable[..., flask.Flask],
    thread_model: t.Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The call has ended: its result is not lost, with an operation or without. The log has one line for each app."""
    us, eu = make("us"), make("eu")
    monkeypatch.setattr(prometheus_client.Histogram, "observe", mock.Mock(side_effect=OSError("The disk is full.")))
    for app in (us, eu):
        with app.app_context():
            thread_model("flask", "hello").save()
            assert [thread.subject for thread in thread_model.query("flask")] == ["hello"]
            assert thread_model.get("flask", "hello").subject == "hello"
    assert [record.args for record in caplog.records if record.name == "dynaflask.prometheus"] == [("us",), ("eu",)]
    for counter in (eu.extensions["dynaflask_prometheus"], us.extensions["dynaflask_prometheus"]):
        counter.add(make_operation())
    assert caplog.text.count("The disk is full.") == 2


def fetch(url: str) -> str:
    """The text at a URL."""
    with urllib3.PoolManager() as http:
        return http.request("GET", url, timeout=30, retries=False).data.decode()


def finish(app: flask.Flask, **values: t.Any) -> None:
    """Record a call that has ended."""
    app.extensions[EXTENSION].recorder.record(make_operation(**{"operation": "PutItem", **values}))
