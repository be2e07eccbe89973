"""Celery tasks run in the app and for the tenant that sent them. The tests start a real worker."""

from __future__ import annotations

import typing as t

import celery
import celery.signals
import flask
import pytest
from celery.contrib.testing.worker import start_worker

import dynaflask
from dynaflask.integrations.celery import tenant_task
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

REGIONS = {"eu": "eu-west-1", "us": "us-east-1"}
TENANTS = {"acme": {"table_prefix": "acme-"}, "globex": {"table_prefix": "globex-"}}
WAIT_SECONDS = 60


def make_apps(db: dynaflask.Dynamo, url: str) -> dict[str, flask.Flask]:
    """Two apps with the same name and the same tenants."""
    apps = {name: flask.Flask("shop") for name in REGIONS}
    for name, app in apps.items():
        initialise(app, db, url, region=REGIONS[name])
    return apps


def initialise(app: flask.Flask, db: dynaflask.Dynamo, url: str, *, region: str) -> None:
    settings = {"host": url, "region": region, "tenants": TENANTS, **KEYS}
    app.config.from_mapping({f"DYNAMODB_{name.upper()}": value for name, value in settings.items()})
    db.init_app(app)


def make_jobs(apps: t.Any, **config: t.Any) -> celery.Celery:
    """A Celery app on the in-memory broker."""
    jobs = celery.Celery("jobs", broker="memory://", backend="cache+memory://", task_cls=tenant_task(apps))
    jobs.conf.update(worker_hijack_root_logger=False, **config)
    return jobs


class Jobs(t.NamedTuple):
    """A Celery app and its tasks."""

    celery: celery.Celery
    report: t.Any
    delegate: t.Any
    retry: t.Any
    keep: t.Any
    use: t.Any


class Site(t.NamedTuple):
    """A program with two apps."""

    db: dynaflask.Dynamo
    apps: dict[str, flask.Flask]
    jobs: Jobs
    recorder: recorders.Recorder


def declare(jobs: celery.Celery, db: dynaflask.Dynamo, model: t.Any) -> Jobs:
    """The tasks: one reports its tenant, region and table, one sends that task, one retries it."""

    @jobs.task(name="report", shared=False)
    def report(*_: t.Any) -> list[str | None]:
        meta = model.Meta
        model.count("forum")
        return [db.current_tenant, meta.region, meta.table_name]

    @jobs.task(name="delegate", shared=False)
    def delegate() -> str:
        return str(report.delay().id)

    @jobs.task(name="retry", shared=False, bind=True, max_retries=1)
    def retry(self: t.Any) -> list[str | None]:
        if not self.request.retries:
            raise self.retry(countdown=0)
        return t.cast("list[str | None]", report())

    return Jobs(jobs, report, delegate, retry, *declare_keeping(jobs, db, model))


def declare_keeping(jobs: celery.Celery, db: dynaflask.Dynamo, model: t.Any) -> tuple[t.Any, t.Any]:
    """Two tasks: one keeps an object, a generator in a block and results, the other uses one of them."""
    kept: dict[str, t.Any] = {}

    def saves() -> t.Iterator[None]:
        with db.using():
            while True:
                model("forum", "subject").save()
                yield

    @jobs.task(name="keep", shared=False)
    def keep() -> None:
        item, generator, results = model("forum", "subject"), saves(), model.query("forum")
        item.save()
        next(generator)
        kept.update(item=item.save, generator=lambda: next(generator), results=lambda: next(results))

    @jobs.task(name="use", shared=False)
    def use(name: str) -> str:
        try:
            kept[name]()
        except RuntimeError as error:
            return type(error).__name__
        return "sent"

    return keep, use


@celery.signals.setup_logging.connect
def leave_logging(**_: t.Any) -> None:
    """Keep the worker from configuring logging, which would silence the loggers of later tests."""


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """The program of all worker tests. They share one worker, because a worker takes seconds to stop."""
    db = dynaflask.Dynamo()
    with recorders.Recorder() as recorder:
        apps = make_apps(db, recorder.url)
        jobs = declare(make_jobs(apps), db, models.declare_thread(db))
        with start_worker(jobs.celery, perform_ping_check=False, loglevel="CRITICAL"):
            yield Site(db, apps, jobs, recorder)


@pytest.fixture
def jobs(site: Site) -> t.Iterator[Jobs]:
    """The tasks of both apps, with a worker."""
    site.recorder.requests.clear()
    yield site.jobs
    site.db._tenant_callbacks.loader = None
    dynaflask.Registry.pool.close()  # ends the recorder's threads with their connections


def destination(app: str, tenant: str) -> list[str]:
    """The tenant, region and table that a task of this app and tenant reports."""
    return [tenant, REGIONS[app], f"{tenant}-Thread"]


class TestWorker:
    """Tasks on a worker with the in-memory broker."""

    def test_a_task_runs_for_its_senders_app_and_tenant(self, site: Site, jobs: Jobs) -> None:
        """A task runs in the app and for the tenant that sent it, even if two apps have the same name."""
        sent = []
        for app in ("eu", "us"):
            for tenant in TENANTS:
                with site.apps[app].app_context(), site.db.tenant(tenant):
                    sent.append((destination(app, tenant), jobs.report.delay()))
        assert [result.get(WAIT_SECONDS) for _, result in sent] == [place for place, _ in sent]
        requests = sorted((request.region, request.body["TableName"]) for request in site.recorder.requests)
        assert requests == sorted((place[1], place[2]) for place, _ in sent)

    def test_the_tenant_loader_runs_at_the_sender(self, site: Site, jobs: Jobs) -> None:
        """The tenant loader runs where the task is sent, because the worker has no request."""
        site.db.tenant_loader(lambda: flask.request.headers["X-Tenant"])
        with site.apps["eu"].test_request_context(headers={"X-Tenant": "acme"}):
            sent = jobs.report.delay()
        assert sent.get(WAIT_SECONDS) == destination("eu", "acme")

    def test_a_task_sends_tasks_for_its_own_tenant(self, site: Site, jobs: Jobs) -> None:
        """A task that another task sends has the same app and tenant."""
        with site.apps["us"].app_context(), site.db.tenant("globex"):
            sent = jobs.delegate.delay()
        second = jobs.celery.AsyncResult(sent.get(WAIT_SECONDS))
        assert second.get(WAIT_SECONDS) == destination("us", "globex")

    def test_a_chain_runs_for_one_tenant(self, site: Site, jobs: Jobs) -> None:
        """All tasks of a chain have the sender's tenant, although the worker sends them outside of a context."""
        with site.apps["eu"].app_context(), site.db.tenant("acme"):
            sent = celery.chain(jobs.report.s(), jobs.report.s(), jobs.report.s()).delay()
        assert sent.get(WAIT_SECONDS) == destination("eu", "acme")

    @pytest.mark.parametrize(
        ("name", "app", "tenant", "outcome"),
        [
            ("item", "eu", "acme", "sent"),
            ("item", "eu", "globex", "TenantMismatch"),
            ("item", "us", "acme", "TenantMismatch"),
            ("generator", "eu", "acme", "RuntimeError"),
            ("generator", "us", "acme", "RuntimeError"),
            ("results", "eu", "acme", "RuntimeError"),
            ("results", "us", "acme", "RuntimeError"),
        ],
    )
    def test_what_a_task_keeps_does_not_reach_another(  # noqa: PLR0917 - fixtures and parameters
        self, site: Site, jobs: Jobs, name: str, app: str, tenant: str, outcome: str
    ) -> None:
        """An object stays with its tenant. A generator in a block, and results, belong to the context of their task."""
        with site.apps["eu"].app_context(), site.db.tenant("acme"):
            jobs.keep.delay().get(WAIT_SECONDS)
        site.recorder.requests.clear()
        with site.apps[app].app_context(), site.db.tenant(tenant):
            assert jobs.use.delay(name).get(WAIT_SECONDS) == outcome
            assert jobs.report.delay().get(WAIT_SECONDS) == destination(app, tenant)
        places = [(request.region, request.body["TableName"]) for request in site.recorder.requests]
        assert set(places) == {(REGIONS[app], f"{tenant}-Thread")}
        assert len(places) == (2 if outcome == "sent" else 1)

    def test_a_retry_runs_for_the_same_tenant(self, site: Site, jobs: Jobs) -> None:
        """A retry has the app and tenant of the first attempt."""
        with site.apps["eu"].app_context(), site.db.tenant("acme"):
            sent = jobs.retry.delay()
        assert sent.get(WAIT_SECONDS) == destination("eu", "acme")

    def test_an_unknown_tenant_fails_the_task(self, site: Site, jobs: Jobs) -> None:
        """A task of an unknown tenant fails and makes no call."""
        sent = jobs.report.apply_async(headers={"dynaflask": {"app": "eu", "tenant": "gone"}})
        with pytest.raises(dynaflask.UnknownTenant):
            sent.get(WAIT_SECONDS)
        assert site.recorder.requests == []

    def test_an_unknown_app_fails_the_task(self, site: Site, jobs: Jobs) -> None:
        """A task of an app that the worker does not have fails and makes no call."""
        sent = jobs.report.apply_async(headers={"dynaflask": {"app": "moon", "tenant": "acme"}})
        with pytest.raises(RuntimeError, match="sent from the app 'moon'. It can be sent from 'eu', 'us'"):
            sent.get(WAIT_SECONDS)
        assert site.recorder.requests == []


class TestSending:
    """The app and tenant that a task is sent with, without a worker."""

    def test_outside_of_a_context_the_only_app_is_used(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Outside of a context a task runs in the only app, without a tenant. An app that requires one refuses it."""
        app = make_app(
            host=recorder.url,
            region="us-east-1",
            tenants=TENANTS,
            require_tenant=True,
            **KEYS,
        )
        jobs = declare(make_jobs(app, task_always_eager=True), db, thread_model)
        with pytest.raises(dynaflask.TenantRequired):
            jobs.report.delay().get()
        with app.app_context(), db.tenant("acme"):
            assert jobs.report.delay().get() == ["acme", "us-east-1", "acme-Thread"]

    def test_outside_of_a_context_several_apps_are_an_error(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """With several apps, sending a task outside of a context raises an error."""
        jobs = declare(make_jobs(make_apps(db, recorder.url)), db, thread_model)
        with pytest.raises(RuntimeError, match="report is sent from no app context. It can be sent from 'eu', 'us'"):
            jobs.report.delay()

    def test_a_task_of_another_app_is_refused(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A context of an app that tenant_task does not know raises an error."""
        jobs = declare(make_jobs(make_apps(db, recorder.url)), db, thread_model)
        with make_app("other").app_context(), pytest.raises(RuntimeError, match="is sent from the app 'other'"):
            jobs.report.delay()

    def test_a_direct_call_runs_in_the_callers_context(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A task that is called as a function runs in the caller's context."""
        apps = make_apps(db, recorder.url)
        jobs = declare(make_jobs(apps), db, thread_model)
        with apps["eu"].app_context(), db.tenant("acme"):
            assert jobs.report() == destination("eu", "acme")

    def test_apply_runs_for_the_tenant(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """``apply`` runs the task in this process for the caller's tenant."""
        apps = make_apps(db, recorder.url)
        jobs = declare(make_jobs(apps), db, thread_model)
        with apps["eu"].app_context(), db.tenant("acme"):
            assert jobs.report.apply().get() == destination("eu", "acme")


class TestWrongUse:
    """Wrong use of ``tenant_task`` raises an error."""

    @pytest.mark.parametrize("apps", ["shop", None, {"eu": "shop"}, ["shop"]], ids=["name", "nothing", "names", "list"])
    def test_a_value_that_is_no_app_is_refused(self, apps: t.Any) -> None:
        """A value other than an app or a dict of apps raises ``TypeError``."""
        with pytest.raises(TypeError, match="takes a Flask app, or a dict of Flask apps by name, not "):
            tenant_task(apps)

    def test_an_uninitialised_app_is_named(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Sending and running a task of an app without ``init_app`` raise an error that names the app."""
        app = flask.Flask("shop")
        jobs = declare(make_jobs(app, task_always_eager=True), db, thread_model)
        message = r"The app 'shop' is not initialised. Call db.init_app\(app\) first."
        with app.app_context(), pytest.raises(RuntimeError, match=message):
            jobs.report.delay()
        with pytest.raises(RuntimeError, match=message):
            jobs.report.delay().get()

    def test_an_app_may_be_initialised_after_tenant_task(
        self, recorder: recorders.Recorder, db: dynaflask.Dynamo
    ) -> None:
        """``init_app`` may follow ``tenant_task``, before the first task is sent."""
        app = flask.Flask("shop")
        jobs = declare(make_jobs(app, task_always_eager=True), db, models.declare_thread(db))
        initialise(app, db, recorder.url, region="us-east-1")
        with app.app_context(), db.tenant("acme"):
            assert jobs.report.delay().get() == ["acme", "us-east-1", "acme-Thread"]
