"""``assert_isolated`` passes if tenants are isolated, and finds each fault that a test plants."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import contextvars
import re
import ssl
import threading
import typing as t

import flask
import pytest
from botocore.config import Config
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from urllib3.connectionpool import HTTPConnectionPool

import dynaflask
from dynaflask.client.direct.http_pool import ConnectionPool
from dynaflask.client.direct.http_pool import Origin
from dynaflask.client.direct.request_template import RequestTemplate
from dynaflask.client.direct.transport import DirectTransport
from dynaflask.client.key import ClientKey
from dynaflask.registry.registry import Registry
from dynaflask.testing import Recorder
from dynaflask.testing import assert_isolated
from dynaflask.testing import assumed_role
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

SAME_SETTINGS = {"region": "eu-west-1", "host": "https://one.example", **KEYS}
KEYED_OPERATIONS = ("GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem", "BatchWriteItem", "TransactWriteItems")
NAMES = ("acme", "globex", "initech")


class ViewIndex(GlobalSecondaryIndex[t.Any]):
    """The threads of a forum by views."""

    class Meta:
        projection = AllProjection()

    forum_name = UnicodeAttribute(hash_key=True)
    views = NumberAttribute(range_key=True)


@pytest.fixture
def thread_model(db: dynaflask.Dynamo) -> t.Any:
    """A model with an index."""

    class Thread(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Thread"

        forum_name = UnicodeAttribute(hash_key=True)
        subject = UnicodeAttribute(range_key=True)
        views = NumberAttribute(default=0)
        view_index = ViewIndex()

    return Thread


@pytest.fixture
def silo(make_app: MakeApp) -> flask.Flask:
    """An app with a region, an endpoint, an access key and a table prefix for each tenant."""
    regions = dict(zip(NAMES, ("eu-west-1", "us-west-2", "ap-south-1"), strict=True))
    tenants = {
        name: {
            "region": regions[name],
            "host": f"https://{name}.example",
            "aws_access_key_id": f"AKIA{name.upper()}",
            "aws_secret_access_key": "hush",
            "table_prefix": f"{name}-",
        }
        for name in NAMES
    }
    return make_app(tenants=tenants, require_tenant=True)


@pytest.fixture
def pool(make_app: MakeApp) -> flask.Flask:
    """An app whose tenants share one table."""
    return make_app(region="eu-west-1", tenants={name: {} for name in NAMES}, **KEYS)


@pytest.fixture
def calls(thread_model: t.Any, db: dynaflask.Dynamo) -> cabc.Callable[[str], None]:
    """Makes a call of each operation with a leading key."""

    def make(key: str) -> None:
        thread_model.get(key, "hello")
        thread_model(key, "hello").save()
        thread_model(key, "hello").update([thread_model.views.set(1)])
        list(thread_model.query(key, thread_model.subject.startswith("h")))
        list(thread_model.view_index.query(key, thread_model.views > 1, page_size=1))
        list(thread_model.batch_get([(key, "1"), (key, "2")]))
        with thread_model.batch_write() as batch:
            batch.save(thread_model(key, "3"))
            batch.delete(thread_model(key, "4"))
        with db.transact_write() as transaction:
            transaction.save(thread_model(key, "5"))
            transaction.delete(thread_model(key, "6"))
        thread_model.describe_table()
        db.connection.list_tables()

    return make


@pytest.fixture
def everything(calls: t.Any) -> cabc.Callable[[str], None]:
    """An exercise: a call of each operation with a leading key that begins with the tenant."""
    return lambda tenant: calls(f"{tenant}#flask")


@pytest.fixture
def senders(monkeypatch: pytest.MonkeyPatch) -> collections.Counter[str]:
    """How many requests each HTTP client sends."""
    counts: collections.Counter[str] = collections.Counter()

    def counted(cls: t.Any, name: str, sender: str) -> None:
        stock = getattr(cls, name)

        def send(*args: t.Any, **options: t.Any) -> t.Any:
            counts[sender] += 1
            return stock(*args, **options)

        monkeypatch.setattr(cls, name, send)

    counted(ConnectionPool, "send", "direct")
    counted(HTTPConnectionPool, "urlopen", "urllib3")
    return counts


class TestIsolated:
    """``assert_isolated`` passes for tenants that are isolated."""

    @pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
    def test_each_transport(
        self, make_app: MakeApp, thread_model: t.Any, senders: collections.Counter[str], transport: str
    ) -> None:
        """The app keeps its transport: the proof is about the requests that it makes in production."""
        tenants = {name: {"host": f"https://{name}.example"} for name in NAMES}
        app = make_app(region="eu-west-1", transport=transport, tenants=tenants, **KEYS)
        sender = "direct" if transport == "direct" else "urllib3"
        assert assert_isolated(app, NAMES, lambda name: thread_model.get(name, "s"), rounds=2) == 9
        assert senders == {sender: 9}

    def test_clients_with_a_proxy(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A request to a proxy counts for the endpoint that it names."""
        tenants = {name: {"host": f"http://{name}.example", "table_prefix": f"{name}-"} for name in NAMES}
        config = Config(proxies={"http": "http://127.0.0.1:1"})
        app = make_app(region="eu-west-1", client_config=config, tenants=tenants, **KEYS)
        assert assert_isolated(app, NAMES, lambda _: thread_model.get("f", "s"), rounds=2) == 9
        with app.app_context():
            thread_model.Meta.host = "http://globex.example"
            with pytest.raises(Exception, match="proxy"):
                thread_model.get("f", "s")

    def test_a_client_that_another_app_uses(self, make_app: MakeApp, recorder: Recorder, thread_model: t.Any) -> None:
        """Connections that another app has opened are not used, nor are those of the proof used afterwards."""
        settings = {"region": "eu-west-1", "host": recorder.url, **KEYS}
        other, app = make_app("other", **settings), make_app(**settings, tenants={name: {} for name in NAMES})
        with other.app_context():
            thread_model.get("f", "s")
            assert assert_isolated(app, NAMES, lambda name: thread_model.get(f"{name}#1", "s"), rounds=2) == 9
            assert len(recorder.requests) == 1
            thread_model.get("f", "s")
        assert len(recorder.requests) == 2

    def test_tenants_with_targets_of_their_own(self, silo: flask.Flask, everything: t.Any) -> None:
        """Tenants with their own regions, endpoints, keys and tables pass. The result counts the requests."""
        assert assert_isolated(silo, NAMES, everything, rounds=2) == 90

    def test_tenants_in_one_table(self, pool: flask.Flask, everything: t.Any) -> None:
        """Tenants in a shared table pass if each key begins with its tenant."""
        assert assert_isolated(pool, NAMES, everything, rounds=2) == 90

    def test_an_app_for_each_tenant(self, make_app: MakeApp, everything: t.Any) -> None:
        """``app`` may be a mapping of tenants to apps."""
        apps = {
            name: make_app(name, region=region, table_prefix=f"{name}-", **KEYS)
            for name, region in (("us", "us-west-2"), ("eu", "eu-west-1"))
        }
        assert assert_isolated(apps, apps, everything, rounds=2) == 60

    def test_a_role_for_each_tenant(self, make_app: MakeApp, everything: t.Any) -> None:
        """The server gives each role credentials of its own."""
        assert assert_isolated(roles(make_app), NAMES, everything, rounds=2) == 90

    def test_credentials_that_expire(self, make_app: MakeApp, everything: t.Any) -> None:
        """``answer`` may answer STS with credentials that expire soon, so that each role is assumed again."""
        assumptions = []

        def answer(request: t.Any) -> t.Any:
            if request.service != "sts":
                return None
            assumptions.append(request)
            # botocore refreshes credentials ten minutes before their end.
            return assumed_role(request, seconds=60)

        assert_isolated(roles(make_app), NAMES, everything, rounds=2, answer=answer)
        assert len(assumptions) > 2 * len(NAMES)

    def test_requests_of_a_test_client(self, silo: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """With ``in_context=False`` the exercise enters its contexts itself, here by a test client's request."""
        db.tenant_loader(lambda: flask.request.headers["tenant"])
        silo.add_url_rule("/", view_func=lambda: {"views": thread_model.get("flask", "hello").views})

        def visit(tenant: str) -> None:
            assert silo.test_client().get("/", headers={"tenant": tenant}).status_code == 200

        assert assert_isolated(silo, NAMES, visit, in_context=False, rounds=2) == 9

    def test_a_table_that_is_shared_on_purpose(self, silo: flask.Flask, pool: flask.Flask, thread_model: t.Any) -> None:
        """A table in ``shared`` may be accessed with any key."""
        assert assert_isolated(pool, NAMES, lambda _: thread_model.get("f", "s"), shared=["Thread"], rounds=1) == 6

    def test_rate_limits_do_not_apply(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """The exercise may be repeated as often as ``rounds`` says, although the tenants have limits."""
        tenants = {name: {"table_prefix": f"{name}-", "tenant_capacity": 1} for name in NAMES}
        app = make_app(region="eu-west-1", tenants=tenants, tenant_capacity=1, **KEYS)
        assert assert_isolated(app, NAMES, lambda _: thread_model.get("f", "s"), rounds=10) == 33

    def test_a_thread_in_the_exercises_context(self, silo: flask.Flask, thread_model: t.Any) -> None:
        """A call in a copy of the exercise's context counts for the exercise's tenant."""

        def exercise(_: str) -> None:
            in_thread(contextvars.copy_context().run, lambda: thread_model.get("f", "s"))

        assert assert_isolated(silo, NAMES, exercise, rounds=1) == 6

    def test_no_request_reaches_the_endpoints(self, silo: flask.Flask, everything: t.Any) -> None:
        """The exercise runs although no endpoint exists. Afterwards calls go to the endpoints again."""
        assert_isolated(silo, NAMES, everything, rounds=1)
        with silo.app_context(), silo.extensions["dynamo"].dynamo.tenant("acme"):
            with pytest.raises(Exception, match="acme.example"):
                everything("acme")


def roles(make_app: MakeApp) -> flask.Flask:
    """An app with a role and a table prefix for each tenant."""
    role = "arn:aws:iam::111122223333:role/"
    tenants = {name: {"role_arn": role + name, "table_prefix": f"{name}-"} for name in NAMES}
    return make_app(region="eu-west-1", tenants=tenants, **KEYS)


def in_thread(function: t.Callable[..., t.Any], *args: t.Any) -> None:
    """Call a function in a new thread."""
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


@contextlib.contextmanager
def reported(*patterns: str) -> cabc.Iterator[None]:
    """The block fails with a report that matches each pattern."""
    with pytest.raises(AssertionError) as caught:
        yield
    assert "violate the isolation of tenants" in str(caught.value)
    for pattern in patterns:
        assert re.search(pattern, str(caught.value)), f"{pattern} is not in: {caught.value}"


class TestPlantedFaults:
    """Each planted fault is reported with the operation, the tenant and the reason."""

    @pytest.mark.parametrize("lost", ["identity", "region", "endpoint_url"])
    def test_tenants_share_a_client(
        self, silo: flask.Flask, everything: t.Any, monkeypatch: pytest.MonkeyPatch, lost: str
    ) -> None:
        """A part of the client key that the pool ignores is reported: tenants that differ in it share a client."""

        def other_parts(key: ClientKey) -> tuple[t.Any, ...]:
            return tuple(value for name, value in key._asdict().items() if name != lost)

        for name in NAMES:
            setting_of_part = {"identity": "aws_access_key_id", "region": "region", "endpoint_url": "host"}[lost]
            set_tenant(
                silo, name, **{setting: value for setting, value in SAME_SETTINGS.items() if setting != setting_of_part}
            )
        monkeypatch.setattr(ClientKey, "__eq__", lambda key, other: other_parts(key) == other_parts(other))
        monkeypatch.setattr(ClientKey, "__hash__", lambda key: hash(other_parts(key)))
        with reported(f"for '.*': the {lost.removesuffix('_url')} '.*' belongs to '(acme|globex|initech)'"):
            assert_isolated(silo, NAMES, everything, rounds=2)

    def test_tenants_share_connections(
        self, silo: flask.Flask, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection of the direct transport that is open to the endpoint of another tenant is reported."""
        shared = ConnectionPool(
            Origin("https://acme.example", "acme.example", 443, ssl.create_default_context(), 1, 1, (), max_idle=1)
        )
        turns: list[str] = []

        def pool_for(self: DirectTransport, url: str, state: t.Any) -> ConnectionPool:
            return shared if len(turns) > len(NAMES) else stock(self, url, state)

        stock = DirectTransport._pool_for
        monkeypatch.setattr(DirectTransport, "_pool_for", pool_for)
        with reported("GetItem for 'globex': the endpoint 'https://acme.example' belongs to 'acme'"):
            assert_isolated(silo, NAMES, lambda name: (turns.append(name), thread_model.get("f", "s")))
        shared.close()

    def test_tenants_share_signing_keys(
        self, silo: flask.Flask, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A request that the direct transport signs with the keys of another tenant is reported."""
        turns: list[str] = []

        def render(self: RequestTemplate, body: bytes, credentials: t.Any, invocation_id: str) -> bytes | None:
            shared = credentials._replace(access_key="AKIAACME") if len(turns) > len(NAMES) else credentials
            return stock(self, body, shared, invocation_id)

        stock = RequestTemplate.render
        monkeypatch.setattr(RequestTemplate, "render", render)
        with reported("GetItem for 'globex': the identity 'AKIAACME' belongs to 'acme'"):
            assert_isolated(silo, NAMES, lambda name: (turns.append(name), thread_model.get("f", "s")))

    def test_tenants_share_resolved_settings(
        self, silo: flask.Flask, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Settings that are cached without the tenant are reported: all tenants get the first one's table."""
        original, cache = Registry.resolve, {}  # type: ignore[var-annotated]

        def cached_without_tenant(
            self: Registry, declaration: t.Any, context: t.Any = (), tenant: t.Any = None
        ) -> t.Any:
            resolved = original(self, declaration, context, tenant)
            return cache.setdefault(declaration, resolved) if tenant else resolved

        monkeypatch.setattr(Registry, "resolve", cached_without_tenant)
        with reported("GetItem for 'acme': the key 'f' does not begin with 'acme#', in the table"):
            assert_isolated(silo, NAMES, lambda _: thread_model.get("f", "s"))

    def test_a_prefix_that_changes(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """A table name that differs from the one in the tenant's run alone is reported."""
        names = {"acme": "acme-", "globex": "globex-"}
        app = make_app(region="eu-west-1", tenants={name: {} for name in names}, **KEYS)
        app.extensions["dynamo"].dynamo.tenant_settings(lambda name: {})
        turns: list[str] = []

        def exercise(tenant: str) -> None:
            turns.append(tenant)
            prefix = names[tenant] if len(turns) <= len(names) else "globex-"
            thread_model.Meta.table_name = f"{prefix}Thread"
            thread_model.get("f", "s")

        with reported("GetItem for 'acme': the table 'globex-Thread' belongs to 'globex'"):
            assert_isolated(app, names, exercise)

    def test_a_target_of_no_tenant(self, silo: flask.Flask, thread_model: t.Any) -> None:
        """A region and an identity that no tenant used alone are reported."""
        turns: list[str] = []

        def exercise(tenant: str) -> None:
            turns.append(tenant)
            with contextlib.ExitStack() as stack:
                if len(turns) > len(NAMES):
                    stack.enter_context(silo.extensions["dynamo"].dynamo.without_tenant(reason="test"))
                    thread_model.Meta.region, thread_model.Meta.host = "eu-north-1", "https://acme.example"
                    thread_model.Meta.aws_access_key_id, thread_model.Meta.aws_secret_access_key = "X", "hush"
                thread_model.get("f", "s")

        with reported("the region 'eu-north-1' belongs to no tenant", "the identity 'X' belongs to no tenant"):
            assert_isolated(silo, NAMES, exercise)

    def test_a_combination_of_the_tenants_own_targets(
        self, make_app: MakeApp, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """A target is reported if the tenant used each of its parts alone, but not together."""
        apps = {name: make_app(name, region="eu-west-1", table_prefix=f"{name}-", **KEYS) for name in ("us", "eu")}
        turns: list[str] = []

        def exercise(tenant: str) -> None:
            turns.append(tenant)
            for region, table in (("eu-west-1", "One"), ("us-west-2", "Two")):
                with db.using(region=region):
                    thread_model.Meta.table_name = f"{tenant}-{table if len(turns) <= 2 else 'One'}"
                    thread_model.get("f", "s")

        with reported("combines parts of several targets"):
            assert_isolated(apps, apps, exercise)

    @pytest.mark.parametrize("key", ["{other}#flask", "flask", "{tenant}", "x{tenant}#flask"])
    def test_a_leading_key_without_the_tenant(self, pool: flask.Flask, calls: t.Any, key: str) -> None:
        """A key in a shared table that does not begin with the tenant is reported for each operation."""
        other = dict(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
        reason = "the key .* does not begin with 'acme#', in the table 'Thread', which 'globex' uses too"
        with reported(*(f"{operation} for 'acme': {reason}" for operation in KEYED_OPERATIONS)):
            assert_isolated(pool, NAMES, lambda name: calls(key.format(tenant=name, other=other[name])), rounds=2)

    def test_a_scan_of_a_shared_table(self, pool: flask.Flask, thread_model: t.Any) -> None:
        """A scan of a shared table is reported, because it reads the items of all tenants."""
        with reported("Scan for 'acme': it reads the whole table 'Thread', which 'globex' uses too"):
            assert_isolated(pool, NAMES, lambda _: list(thread_model.scan()))

    def test_a_table_that_no_model_describes(self, pool: flask.Flask, db: dynaflask.Dynamo) -> None:
        """In a table without a model every attribute counts as a possible leading key."""

        def exercise(tenant: str) -> None:
            db.client.get_item(TableName="Audit", Key={"id": {"S": "1"}, "at": {"S": f"{tenant}#1"}})
            db.client.get_item(TableName="Audit", Key={"id": {"S": "1"}})

        with reported(r"^2[0-9]* of|^33 of", "the key '1' does not begin"):
            assert_isolated(pool, NAMES, exercise)

    def test_a_call_of_an_unknown_tenant(self, silo: flask.Flask, thread_model: t.Any, db: dynaflask.Dynamo) -> None:
        """A call in a thread without the exercise's context is reported."""

        def elsewhere() -> None:
            with silo.app_context(), db.tenant("acme"):
                thread_model.get("f", "s")

        def exercise(_: str) -> None:
            thread_model.get("f", "s")
            in_thread(elsewhere)

        with reported("GetItem for '': its tenant is unknown in the thread"):
            assert_isolated(silo, NAMES, exercise)


class TestMisuse:
    """Arguments that prove nothing raise an error."""

    def test_a_tenant_alone(self, silo: flask.Flask) -> None:
        """One tenant, even named twice, raises ``ValueError``."""
        with pytest.raises(ValueError, match="two tenants or more"):
            assert_isolated(silo, ["acme", "acme"], lambda _: None)

    def test_an_exercise_that_does_nothing(self, silo: flask.Flask, thread_model: t.Any) -> None:
        """An exercise that makes no request for some tenants fails, and the error names them."""

        def exercise(tenant: str) -> None:
            if tenant == "acme":
                thread_model.get("f", "s")

        with pytest.raises(AssertionError, match="made no request for 'globex', 'initech'"):
            assert_isolated(silo, NAMES, exercise)

    def test_an_exercise_that_fails(self, silo: flask.Flask) -> None:
        """An exception of the exercise propagates."""
        with pytest.raises(ZeroDivisionError):
            assert_isolated(silo, NAMES, lambda _: 1 / 0)

    def test_an_answer_that_fails(self, silo: flask.Flask, thread_model: t.Any) -> None:
        """An exception of ``answer`` propagates, not the error of the call that it causes."""
        with pytest.raises(ZeroDivisionError):
            assert_isolated(silo, NAMES, lambda _: thread_model.get("f", "s"), answer=lambda _: 1 / 0)  # type: ignore[arg-type,return-value]


def set_tenant(app: flask.Flask, name: str, **settings: t.Any) -> None:
    """Change a tenant's settings."""
    settings_of = t.cast("dict[str, t.Any]", app.extensions["dynamo"].settings.tenants)
    dict.__setitem__(settings_of, name, {**settings_of[name], **settings})
