"""Each tenant's own credentials: a role each, or one role whose sessions have tags or a policy."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import datetime as dt
import json
import threading
import typing as t
import urllib.parse

import flask
import pytest

import dynaflask
from dynaflask.client.pool import pool
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ROLE = "arn:aws:iam::123456789012:role/forum"
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>hush</SecretAccessKey><SessionToken>{key}-token</SessionToken>
<Expiration>{until}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def policy(name: str) -> dict[str, t.Any]:
    """What a session of the tenant may do."""
    allowed = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{name}#*"]}}
    return {"Version": "2012-10-17", "Statement": [{**allowed, "Condition": condition}]}


# How a program tells its tenants' credentials apart.
WAYS: dict[str, t.Callable[[str], dict[str, t.Any]]] = {
    "role": lambda name: {"role_arn": f"{ROLE}-{name}"},
    "tags": lambda name: {"role_arn": ROLE, "session_tags": {"tenant": name}},
    "policy": lambda name: {"role_arn": ROLE, "session_policy": policy(name)},
    "tags of the app's role": lambda name: {"session_tags": {"tenant": name}},
    "external id": lambda name: {"role_arn": ROLE, "external_id": name},
    "session name": lambda name: {"role_arn": ROLE, "role_session_name": name},
}


class Sts:
    """An STS that makes a key of each request: equal requests, equal keys, but for the number that ends them.

    Attributes:
        server: What hears it.
        expires_in: For how many seconds credentials hold.
        requests: What was asked, without the session's name where botocore makes it up.
    """

    def __init__(self, server: recorders.Recorder) -> None:
        self.server = server
        self.expires_in = 3600
        self.requests: list[dict[str, str]] = []
        self._lock = threading.Lock()
        server.answer = self.answer

    def answer(self, request: recorders.Request) -> str:
        """The credentials."""
        asked = dict(urllib.parse.parse_qsl(request.raw_body.decode()))
        if asked["RoleSessionName"].startswith("botocore-session"):
            del asked["RoleSessionName"]
        with self._lock:
            self.requests.append(asked)
        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=self.expires_in)
        return ASSUMED.format(key=self.key_of(asked), until=until.isoformat())

    @staticmethod
    def key_of(asked: dict[str, str]) -> str:
        """The access key of a request."""
        said = "".join(f"{name}{asked[name]}" for name in sorted(asked) if name not in {"Action", "Version"})
        return "ASIA" + said.encode().hex()


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Sts]:
    """STS, in place of AWS's."""
    with recorders.Recorder() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield Sts(server)


@pytest.fixture
def make_tenants(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> MakeApp:
    """Makes an app whose tenants have their credentials in one of the ways."""

    def make(way: str, name: str = "app", **settings: t.Any) -> flask.Flask:
        db.tenant_settings(WAYS[way])
        role = {"role_arn": ROLE} if way.startswith("tags of") else {}
        return make_app(name, host=recorder.url, region="us-east-1", **KEYS, **role, **settings)

    return make


def read(app: flask.Flask, db: dynaflask.Dynamo, model: t.Any, name: str) -> None:
    """Read an item whose key says whose it is."""
    with app.app_context(), db.tenant(name):
        model.get(name, "subject")


def keys_by_tenant(recorder: recorders.Recorder) -> dict[str, set[str]]:
    """Who signed the reads, by whose they were."""
    found: dict[str, set[str]] = collections.defaultdict(set)
    for request in recorder.requests:
        found[request.body["Key"]["forum_name"]["S"]].add(request.access_key_id)
    return found


@pytest.mark.parametrize("way", WAYS)
class TestWays:
    """Whatever tells two tenants apart, neither signs with the other's credentials."""

    def test_each_tenant_signs_with_its_own(
        self,
        make_tenants: MakeApp,
        sts: Sts,
        recorder: recorders.Recorder,
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        *,
        way: str,
    ) -> None:
        """And STS is asked once for each of them."""
        app = make_tenants(way)
        for name in ("acme", "globex", "acme", "globex"):
            read(app, db, thread_model, name)
        found = keys_by_tenant(recorder)
        assert [len(keys) for keys in found.values()] == [1, 1]
        assert found["acme"].isdisjoint(found["globex"])
        assert found["acme"] | found["globex"] == {sts.key_of(asked) for asked in sts.requests}
        assert len(sts.requests) == 2

    def test_what_sts_is_asked_names_the_tenant_alone(
        self, make_tenants: MakeApp, sts: Sts, db: dynaflask.Dynamo, thread_model: t.Any, way: str
    ) -> None:
        """The key of the credentials is the whole request."""
        app = make_tenants(way)
        read(app, db, thread_model, "acme")
        read(app, db, thread_model, "globex")
        acme, globex = map(str, sts.requests)
        assert ("acme" in acme, "globex" in acme, "acme" in globex, "globex" in globex) == (True, False, False, True)


def test_tags_and_policy_arrive_at_sts(make_app: MakeApp, sts: Sts, recorder: recorders.Recorder) -> None:
    """As STS spells them."""
    app = make_app(
        host=recorder.url,
        region="us-east-1",
        role_arn=ROLE,
        session_tags={"tenant": "acme", "plan": ""},
        session_policy=json.dumps(policy("acme"), indent=4),
        **KEYS,
    )
    app.extensions["dynamo"].ping()
    [asked] = sts.requests
    tags = {asked[f"Tags.member.{n}.Key"]: asked.get(f"Tags.member.{n}.Value", "") for n in (1, 2)}
    assert (tags, json.loads(asked["Policy"])) == ({"tenant": "acme", "plan": ""}, policy("acme"))


def test_many_threads_ask_once_for_each_tenant(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """One thread asks while the others of its tenant wait."""
    app = make_tenants("tags")
    names = [f"t{number}" for number in range(5)]
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        done = [threads.submit(read, app, db, thread_model, name) for name in names * 8]
        assert [found.result(60) for found in done] == [None] * 40
    found = keys_by_tenant(recorder)
    assert {name: len(keys) for name, keys in found.items()} == dict.fromkeys(names, 1)
    assert len(set().union(*found.values())) == len(sts.requests) == 5


def test_credentials_are_fetched_anew_before_they_expire(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """For the tenant whose they are, and with that tenant's request."""
    sts.expires_in = 60  # less than botocore leaves between a refresh and the end
    app = make_tenants("tags")
    read(app, db, thread_model, "acme")
    fetched = len(sts.requests)
    read(app, db, thread_model, "acme")
    assert len(sts.requests) > fetched
    assert {request["Tags.member.1.Value"] for request in sts.requests} == {"acme"}
    read(app, db, thread_model, "globex")
    assert sts.requests[-1]["Tags.member.1.Value"] == "globex"
    assert len(set().union(*keys_by_tenant(recorder).values())) == 2


def test_a_client_that_was_evicted_comes_back_as_the_same_tenant(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """The bound of the pool is the bound of the credentials."""
    pool.close()
    app = make_tenants("tags", max_clients=2)
    for name in ["t1", "t2", "t3", "t4"] * 2:
        read(app, db, thread_model, name)
    assert {name: len(keys) for name, keys in keys_by_tenant(recorder).items()} == dict.fromkeys(
        ["t1", "t2", "t3", "t4"], 1
    )
    assert pool.stats().clients <= 2


def test_two_apps_with_tenants_of_one_name_are_two(
    make_app: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """Each app's acme has that app's role."""
    apps = [
        make_app(name, host=recorder.url, region="us-east-1", tenants={"acme": {"role_arn": f"{ROLE}-{name}"}}, **KEYS)
        for name in ("eu", "us")
    ]
    for app in (*apps, *apps):
        read(app, db, thread_model, "acme")
    keys = [request.access_key_id for request in recorder.requests]
    assert keys[:2] == keys[2:]
    assert [request["RoleArn"] for request in sts.requests] == [f"{ROLE}-eu", f"{ROLE}-us"]


def test_a_refused_role_is_one_tenants_trouble(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """The others go on, and nobody falls back to the app's own identity."""
    plain = sts.answer
    refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    sts.server.answer = lambda request: (403, refusal) if b"=acme" in request.raw_body else plain(request)
    app = make_tenants("tags")
    with contextlib.suppress(Exception):
        read(app, db, thread_model, "acme")
    read(app, db, thread_model, "globex")
    assert keys_by_tenant(recorder).keys() == {"globex"}


def test_the_engines_sts_lends_a_tenants_role(
    ministack: engines.Engine,
    account: engines.Account,
    monkeypatch: pytest.MonkeyPatch,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
) -> None:
    """With tags and a policy, on a real engine: the tenant's items are written and read with what STS gave."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", ministack.url)
    app = flask.Flask("engine")
    app.config.update(ministack.settings(account), DYNAMODB_ROLE_ARN=ROLE)
    db.tenant_settings(lambda name: {"session_tags": {"tenant": name}, "session_policy": policy(name)})
    db.init_app(app)
    with app.app_context():
        for name in ("acme", "globex"):
            with db.tenant(name):
                db.create_all(wait=True)
                thread_model(name, "subject").save()
        with db.tenant("acme"):
            assert thread_model.get("acme", "subject").subject == "subject"
