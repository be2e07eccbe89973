"""``assert_isolated``: it passes where tenants are kept apart, and finds each fault that was planted."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import contextvars
import re
import threading
import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

import dynaflask
from dynaflask.client.key import ClientKey
from dynaflask.registry.registry import Registry
from dynaflask.testing import assert_isolated
from dynaflask.testing import assumed_role
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ALIKE = {"region": "eu-west-1", "host": "https://one.example", **KEYS}
KEYED = ("GetItem", "PutItem", "UpdateItem", "Query", "BatchGetItem", "BatchWriteItem", "TransactWriteItems")
NAMES = ("acme", "globex", "initech")


class ViewIndex(GlobalSecondaryIndex[t.Any]):
    """Threads by their number of views."""

    class Meta:
        """The name of the index."""

        projection = AllProjection()

    forum_name = UnicodeAttribute(hash_key=True)
    views = NumberAttribute(range_key=True)


@pytest.fixture
def thread_model(db: dynaflask.Dynamo) -> t.Any:
    """A thread, with an index."""

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
    """An app that has a region, an endpoint, a key and a prefix for each tenant."""
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
    """An app whose tenants have one table in common."""
    return make_app(region="eu-west-1", tenants={name: {} for name in NAMES}, **KEYS)


@pytest.fixture
def calls(thread_model: t.Any, db: dynaflask.Dynamo) -> cabc.Callable[[str], None]:
    """Calls of all kinds, with a leading key."""

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
    """Calls of all kinds, with a leading key that begins with the tenant."""
    return lambda tenant: calls(f"{tenant}#flask")


class TestWhatIsRight:
    """It passes."""

    def test_tenants_in_places_of_their_own(self, silo: flask.Flask, everything: t.Any) -> None:
        """And says how much it has seen."""
        assert assert_isolated(silo, NAMES, everything, rounds=2) == 90

    def test_tenants_in_one_table(self, pool: flask.Flask, everything: t.Any) -> None:
        """Each key begins with its tenant."""
        assert assert_isolated(pool, NAMES, everything, rounds=2) == 90

    def test_an_app_for_each_tenant(self, make_app: MakeApp, everything: t.Any) -> None:
        """Two apps in two regions."""
        apps = {
            name: make_app(name, region=region, table_prefix=f"{name}-", **KEYS)
            for name, region in (("us", "us-west-2"), ("eu", "eu-west-1"))
        }
        assert assert_isolated(apps, apps, everything, rounds=2) == 60

    def test_a_role_for_each_tenant(self, make_app: MakeApp, everything: t.Any) -> None:
        """STS answers, with credentials of each role, which may expire at once."""
        role = "arn:aws:iam::111122223333:role/"
        asked = []

        def answer(request: t.Any) -> t.Any:
            if request.service != "sts":
                return None
            asked.append(request)
            return assumed_role(request, seconds=1)

        app = make_app(
            region="eu-west-1",
            tenants={name: {"role_arn": role + name, "table_prefix": f"{name}-"} for name in NAMES},
            **KEYS,
        )
        assert_isolated(app, NAMES, everything, rounds=2, answer=answer)
        assert len(asked) > 2 * len(NAMES)

    def test_requests_of_a_test_client(self, silo: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """The exercise enters its contexts itself."""
        db.tenant_loader(lambda: flask.request.headers["tenant"])
        silo.add_url_rule("/", view_func=lambda: {"views": thread_model.get("flask", "hello").views})

        def visit(tenant: str) -> None:
            assert silo.test_client().get("/", headers={"tenant": tenant}).status_code == 200

        assert assert_isolated(silo, NAMES, visit, in_context=False, rounds=2) == 9

    def test_a_table_that_is_shared_on_purpose(self, silo: flask.Flask, pool: flask.Flask, thread_model: t.Any) -> None:
        """Any key of it will do."""
        assert assert_isolated(pool, NAMES, lambda _: thread_model.get("f", "s"), shared=["Thread"], rounds=1) == 6

    def test_a_thread_that_has_the_exercises_context(self, silo: flask.Flask, thread_model: t.Any) -> None:
        """It makes calls for the same tenant."""

        def exercise(_: str) -> None:
            in_thread(contextvars.copy_context().run, lambda: thread_model.get("f", "s"))

        assert assert_isolated(silo, NAMES, exercise, rounds=1) == 6

    def test_nothing_is_sent_elsewhere(self, silo: flask.Flask, everything: t.Any) -> None:
        """The endpoints are not there, and calls work as before afterwards."""
        assert_isolated(silo, NAMES, everything, rounds=1)
        with silo.app_context(), silo.extensions["dynamo"].dynamo.tenant("acme"):
            with pytest.raises(Exception, match="acme.example"):
                everything("acme")


def in_thread(function: t.Callable[..., t.Any], *args: t.Any) -> None:
    """Call a function in a thread of its own."""
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


@contextlib.contextmanager
def found(*parts: str) -> cabc.Iterator[None]:
    """The block fails, and the message has all of this."""
    with pytest.raises(AssertionError) as caught:
        yield
    assert "went astray" in str(caught.value)
    for part in parts:
        assert re.search(part, str(caught.value)), f"{part} is not in: {caught.value}"


class TestPlantedFaults:
    """Each is found, and the message says which request it was and whose."""

    @pytest.mark.parametrize("lost", ["identity", "region", "endpoint_url"])
    def test_a_client_is_taken_for_another(
        self, silo: flask.Flask, everything: t.Any, monkeypatch: pytest.MonkeyPatch, lost: str
    ) -> None:
        """The key of the pool forgets a part, so that tenants who differ in that share a client."""

        def rest(key: ClientKey) -> tuple[t.Any, ...]:
            return tuple(value for name, value in key._asdict().items() if name != lost)

        for name in NAMES:
            only = {"identity": "aws_access_key_id", "region": "region", "endpoint_url": "host"}[lost]
            set_tenant(silo, name, **{setting: value for setting, value in ALIKE.items() if setting != only})
        monkeypatch.setattr(ClientKey, "__eq__", lambda key, other: rest(key) == rest(other))
        monkeypatch.setattr(ClientKey, "__hash__", lambda key: hash(rest(key)))
        with found(f"for '.*': the {lost.removesuffix('_url')} '.*' belongs to '(acme|globex|initech)'"):
            assert_isolated(silo, NAMES, everything)

    def test_a_table_is_taken_for_another(
        self, silo: flask.Flask, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a model comes to is kept for all tenants: the wrong prefix, from the beginning."""
        right, kept = Registry.resolve, {}  # type: ignore[var-annotated]

        def wrong(self: Registry, declaration: t.Any, context: t.Any = (), tenant: t.Any = None) -> t.Any:
            resolved = right(self, declaration, context, tenant)
            return kept.setdefault(declaration, resolved) if tenant else resolved

        monkeypatch.setattr(Registry, "resolve", wrong)
        with found("GetItem for 'acme': the key 'f' does not begin with 'acme#', and 'globex' has the table"):
            assert_isolated(silo, NAMES, lambda _: thread_model.get("f", "s"))

    def test_a_prefix_that_changes_under_way(self, make_app: MakeApp, thread_model: t.Any) -> None:
        """Alone it was another."""
        names = {"acme": "acme-", "globex": "globex-"}
        app = make_app(region="eu-west-1", tenants={name: {} for name in names}, **KEYS)
        app.extensions["dynamo"].dynamo.tenant_settings(lambda name: {})
        turns: list[str] = []

        def exercise(tenant: str) -> None:
            turns.append(tenant)
            prefix = names[tenant] if len(turns) <= len(names) else "globex-"
            thread_model.Meta.table_name = f"{prefix}Thread"
            thread_model.get("f", "s")

        with found("GetItem for 'acme': the table 'globex-Thread' belongs to 'globex'"):
            assert_isolated(app, names, exercise)

    def test_a_place_that_is_nobodys(self, silo: flask.Flask, thread_model: t.Any) -> None:
        """A region that none of them had alone."""
        turns: list[str] = []

        def exercise(tenant: str) -> None:
            turns.append(tenant)
            with contextlib.ExitStack() as stack:
                if len(turns) > len(NAMES):
                    stack.enter_context(silo.extensions["dynamo"].dynamo.without_tenant(reason="test"))
                    thread_model.Meta.region, thread_model.Meta.host = "eu-north-1", "https://acme.example"
                    thread_model.Meta.aws_access_key_id, thread_model.Meta.aws_secret_access_key = "X", "hush"
                thread_model.get("f", "s")

        with found("the region 'eu-north-1' belongs to nobody", "the identity 'X' belongs to nobody"):
            assert_isolated(silo, NAMES, exercise)

    def test_a_mixture_of_what_is_its_own(self, make_app: MakeApp, thread_model: t.Any, db: dynaflask.Dynamo) -> None:
        """Each part was seen before, but not together."""
        apps = {name: make_app(name, region="eu-west-1", table_prefix=f"{name}-", **KEYS) for name in ("us", "eu")}
        turns: list[str] = []

        def exercise(tenant: str) -> None:
            turns.append(tenant)
            for region, table in (("eu-west-1", "One"), ("us-west-2", "Two")):
                with db.using(region=region):
                    thread_model.Meta.table_name = f"{tenant}-{table if len(turns) <= 2 else 'One'}"
                    thread_model.get("f", "s")

        with found("is a mixture"):
            assert_isolated(apps, apps, exercise)

    @pytest.mark.parametrize("key", ["{other}#flask", "flask", "{tenant}", "x{tenant}#flask"])
    def test_a_leading_key_of_another(self, pool: flask.Flask, calls: t.Any, key: str) -> None:
        """Or of nobody. Whatever call it is, it is found."""
        other = dict(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
        why = "the key .* does not begin with 'acme#', and 'globex' has the table 'Thread' as well"
        with found(*(f"{operation} for 'acme': {why}" for operation in KEYED)):
            assert_isolated(pool, NAMES, lambda name: calls(key.format(tenant=name, other=other[name])))

    def test_a_scan_of_a_table_in_common(self, pool: flask.Flask, thread_model: t.Any) -> None:
        """It sees what all have."""
        with found("Scan for 'acme': it goes through the whole table 'Thread', which 'globex' has as well"):
            assert_isolated(pool, NAMES, lambda _: list(thread_model.scan()))

    def test_a_table_that_no_model_describes(self, pool: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Any attribute may be its key."""

        def exercise(tenant: str) -> None:
            db.client.get_item(TableName="Audit", Key={"id": {"S": "1"}, "at": {"S": f"{tenant}#1"}})
            db.client.get_item(TableName="Audit", Key={"id": {"S": "1"}})

        with found(r"^2[0-9]* of|^33 of", "the key '1' does not begin"):
            assert_isolated(pool, NAMES, exercise)

    def test_a_call_that_nobody_answers_for(self, silo: flask.Flask, thread_model: t.Any, db: dynaflask.Dynamo) -> None:
        """It is made in a thread without the exercise's context."""

        def elsewhere() -> None:
            with silo.app_context(), db.tenant("acme"):
                thread_model.get("f", "s")

        def exercise(_: str) -> None:
            thread_model.get("f", "s")
            in_thread(elsewhere)

        with found("GetItem for '': it was made in a thread"):
            assert_isolated(silo, NAMES, exercise)


class TestMisuse:
    """What proves nothing is no success."""

    def test_a_tenant_alone(self, silo: flask.Flask) -> None:
        """There is nobody to be kept apart from."""
        with pytest.raises(ValueError, match="two tenants or more"):
            assert_isolated(silo, ["acme", "acme"], lambda _: None)

    def test_an_exercise_that_does_nothing(self, silo: flask.Flask, thread_model: t.Any) -> None:
        """For some of the tenants."""

        def exercise(tenant: str) -> None:
            if tenant == "acme":
                thread_model.get("f", "s")

        with pytest.raises(AssertionError, match="made no request for 'globex', 'initech'"):
            assert_isolated(silo, NAMES, exercise)

    def test_an_exercise_that_fails(self, silo: flask.Flask) -> None:
        """What it raises is raised."""
        with pytest.raises(ZeroDivisionError):
            assert_isolated(silo, NAMES, lambda _: 1 / 0)


def set_tenant(app: flask.Flask, name: str, **settings: t.Any) -> None:
    """Change what a tenant changes."""
    settings_of = t.cast("dict[str, t.Any]", app.extensions["dynamo"].settings.tenants)
    dict.__setitem__(settings_of, name, {**settings_of[name], **settings})
