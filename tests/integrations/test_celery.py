"""Celery tasks run in the app, and for the tenant, that they were sent from. The worker is a real one."""

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
from tests.support.settings import MakeApp

KEYS = {"DYNAMODB_AWS_ACCESS_KEY_ID": "AKIA", "DYNAMODB_AWS_SECRET_ACCESS_KEY": "hush"}
TENANTS = {"acme": {"table_prefix": "acme-"}, "globex": {"table_prefix": "globex-"}}
WAIT_SECONDS = 60


def make_apps(db: dynaflask.Dynamo, url: str) -> dict[str, flask.Flask]:
    """Two apps of one name, with tenants of the same names."""
    apps = {}
    for name, region in (("eu", "eu-west-1"), ("us", "us-east-1")):
        apps[name] = app = flask.Flask("shop")
        app.config.update(DYNAMODB_HOST=url, DYNAMODB_REGION=region, DYNAMODB_TENANTS=TENANTS, **KEYS)
        db.init_app(app)
    return apps


def make_jobs(apps: t.Any, **config: t.Any) -> celery.Celery:
    """Celery on the in-memory broker."""
    jobs = celery.Celery("jobs", broker="memory://", backend="cache+memory://", task_cls=tenant_task(apps))
    jobs.conf.update(worker_hijack_root_logger=False, **config)
    return jobs


class Jobs(t.NamedTuple):
    """Celery, with a task that tells where it is, and one that sends another."""

    celery: celery.Celery
    tell: t.Any
    pass_on: t.Any
    retry: t.Any


class Site(t.NamedTuple):
    """A program of two apps."""

    db: dynaflask.Dynamo
    apps: dict[str, flask.Flask]
    jobs: Jobs
    recorder: recorders.Recorder


def declare(jobs: celery.Celery, db: dynaflask.Dynamo, model: t.Any) -> Jobs:
    """The tasks."""

    @jobs.task(name="tell", shared=False)
    def tell(*_: t.Any) -> list[str | None]:
        meta = model.Meta
        model.count("forum")
        return [db.current_tenant, meta.region, meta.table_name]

    @jobs.task(name="pass_on", shared=False)
    def pass_on() -> str:
        return str(tell.delay().id)

    @jobs.task(name="retry", shared=False, bind=True, max_retries=1)
    def retry(self: t.Any) -> list[str | None]:
        if not self.request.retries:
            raise self.retry(countdown=0)
        return t.cast("list[str | None]", tell())

    return Jobs(jobs, tell, pass_on, retry)


@celery.signals.setup_logging.connect
def leave_logging(**_: t.Any) -> None:
    """A worker would silence the loggers of the tests that follow."""


@pytest.fixture(scope="module")
def site() -> t.Iterator[Site]:
    """The program of all tests with a worker, which takes seconds to stop."""
    db = dynaflask.Dynamo()
    with recorders.Recorder() as recorder:
        apps = make_apps(db, recorder.url)
        jobs = declare(make_jobs(apps), db, models.declare_thread(db))
        with start_worker(jobs.celery, perform_ping_check=False, loglevel="CRITICAL"):
            yield Site(db, apps, jobs, recorder)


@pytest.fixture
def jobs(site: Site) -> t.Iterator[Jobs]:
    """Both apps' tasks, and a worker for them."""
    site.recorder.requests.clear()
    yield site.jobs
    site.db._tenant_callbacks.loader = None
    dynaflask.Registry.pool.close()  # the recorder's threads end with their connections


def where(app: str, tenant: str) -> list[str]:
    """Where a task of an app's tenant is to be."""
    return [tenant, {"eu": "eu-west-1", "us": "us-east-1"}[app], f"{tenant}-Thread"]


class TestWorker:
    """On a worker, with the in-memory broker."""

    def test_a_task_is_for_the_tenant_it_was_sent_for(self, site: Site, jobs: Jobs) -> None:
        """In the app that sent it, though both have one name."""
        sent = []
        for app in ("eu", "us"):
            for tenant in TENANTS:
                with site.apps[app].app_context(), site.db.tenant(tenant):
                    sent.append((where(app, tenant), jobs.tell.delay()))
        assert [result.get(WAIT_SECONDS) for _, result in sent] == [place for place, _ in sent]
        went = sorted((request.region, request.body["TableName"]) for request in site.recorder.requests)
        assert went == sorted((place[1], place[2]) for place, _ in sent)

    def test_the_loader_is_asked_where_a_task_is_sent(self, site: Site, jobs: Jobs) -> None:
        """The worker has no request."""
        site.db.tenant_loader(lambda: flask.request.headers["X-Tenant"])
        with site.apps["eu"].test_request_context(headers={"X-Tenant": "acme"}):
            sent = jobs.tell.delay()
        assert sent.get(WAIT_SECONDS) == where("eu", "acme")

    def test_what_a_task_sends_is_for_its_tenant(self, site: Site, jobs: Jobs) -> None:
        """It sends it from its own context."""
        with site.apps["us"].app_context(), site.db.tenant("globex"):
            sent = jobs.pass_on.delay()
        second = jobs.celery.AsyncResult(sent.get(WAIT_SECONDS))
        assert second.get(WAIT_SECONDS) == where("us", "globex")

    def test_a_chain_is_for_one_tenant(self, site: Site, jobs: Jobs) -> None:
        """The worker sends its links, when no context is left."""
        with site.apps["eu"].app_context(), site.db.tenant("acme"):
            sent = celery.chain(jobs.tell.s(), jobs.tell.s(), jobs.tell.s()).delay()
        assert sent.get(WAIT_SECONDS) == where("eu", "acme")

    def test_another_try_is_for_the_same_tenant(self, site: Site, jobs: Jobs) -> None:
        """A retry carries on what the first try was sent with."""
        with site.apps["eu"].app_context(), site.db.tenant("acme"):
            sent = jobs.retry.delay()
        assert sent.get(WAIT_SECONDS) == where("eu", "acme")

    def test_a_tenant_that_is_gone_fails_the_task(self, site: Site, jobs: Jobs) -> None:
        """Nothing is done for nobody instead."""
        sent = jobs.tell.apply_async(headers={"dynaflask": {"app": "eu", "tenant": "gone"}})
        with pytest.raises(dynaflask.UnknownTenant):
            sent.get(WAIT_SECONDS)
        assert site.recorder.requests == []

    def test_an_app_that_is_not_there_fails_the_task(self, site: Site, jobs: Jobs) -> None:
        """The worker has other apps than the sender."""
        sent = jobs.tell.apply_async(headers={"dynaflask": {"app": "moon", "tenant": "acme"}})
        with pytest.raises(RuntimeError, match="sent from the app 'moon'. It can be sent from 'eu', 'us'"):
            sent.get(WAIT_SECONDS)
        assert site.recorder.requests == []


class TestSending:
    """What a task is sent with, without a worker."""

    def test_outside_of_contexts_one_app_is_meant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """And nobody, whom an app that requires a tenant refuses."""
        app = make_app(
            host=recorder.url,
            region="us-east-1",
            tenants=TENANTS,
            require_tenant=True,
            aws_access_key_id="AKIA",
            aws_secret_access_key="hush",
        )
        jobs = declare(make_jobs(app, task_always_eager=True), db, thread_model)
        with pytest.raises(dynaflask.TenantRequired):
            jobs.tell.delay().get()
        with app.app_context(), db.tenant("acme"):
            assert jobs.tell.delay().get() == ["acme", "us-east-1", "acme-Thread"]

    def test_of_several_apps_none_is_meant(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The sender has to be in one."""
        jobs = declare(make_jobs(make_apps(db, recorder.url)), db, thread_model)
        with pytest.raises(RuntimeError, match="tell is sent from no app context. It can be sent from 'eu', 'us'"):
            jobs.tell.delay()

    def test_another_app_is_refused(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """The worker does not have it."""
        jobs = declare(make_jobs(make_apps(db, recorder.url)), db, thread_model)
        with make_app("other").app_context(), pytest.raises(RuntimeError, match="is sent from the app 'other'"):
            jobs.tell.delay()

    def test_a_call_is_a_call(self, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any) -> None:
        """It runs where it is called."""
        apps = make_apps(db, recorder.url)
        jobs = declare(make_jobs(apps), db, thread_model)
        with apps["eu"].app_context(), db.tenant("acme"):
            assert jobs.tell() == where("eu", "acme")

    def test_a_task_that_is_applied_is_for_the_tenant(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """It runs here and now, as if it had been sent."""
        apps = make_apps(db, recorder.url)
        jobs = declare(make_jobs(apps), db, thread_model)
        with apps["eu"].app_context(), db.tenant("acme"):
            assert jobs.tell.apply().get() == where("eu", "acme")


class TestWrongUse:
    """What is no use to ``tenant_task`` is told so."""

    @pytest.mark.parametrize("apps", ["shop", None, {"eu": "shop"}, ["shop"]], ids=["name", "nothing", "names", "list"])
    def test_what_is_no_app_is_refused(self, apps: t.Any) -> None:
        """The message says what it takes."""
        with pytest.raises(TypeError, match="takes a Flask app, or a dict of Flask apps by their names, and no "):
            tenant_task(apps)

    def test_an_app_that_was_not_initialised_is_named(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Where a task is sent, and where it runs."""
        app = flask.Flask("shop")
        jobs = declare(make_jobs(app, task_always_eager=True), db, thread_model)
        told = r"The app 'shop' of tenant_task was not initialised. Call db.init_app\(app\) first."
        with app.app_context(), pytest.raises(RuntimeError, match=told):
            jobs.tell.delay()
        with pytest.raises(RuntimeError, match=told):
            jobs.tell.delay().get()

    def test_it_may_be_initialised_later(self, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> None:
        """Before a task is sent."""
        app = flask.Flask("shop")
        jobs = declare(make_jobs(app, task_always_eager=True), db, models.declare_thread(db))
        app.config.update(DYNAMODB_HOST=recorder.url, DYNAMODB_REGION="us-east-1", DYNAMODB_TENANTS=TENANTS, **KEYS)
        db.init_app(app)
        with app.app_context(), db.tenant("acme"):
            assert jobs.tell.delay().get() == ["acme", "us-east-1", "acme-Thread"]
