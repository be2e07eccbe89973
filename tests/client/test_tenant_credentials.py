"""Each tenant has its own credentials: its own role, or one role with tags or a policy for the session."""

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
    """A session policy that allows the tenant's items only."""
    allowed = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{name}#*"]}}
    return {"Version": "2012-10-17", "Statement": [{**allowed, "Condition": condition}]}


# The settings that differ between tenants.
VARIANTS: dict[str, t.Callable[[str], dict[str, t.Any]]] = {
    "role": lambda name: {"role_arn": f"{ROLE}-{name}"},
    "tags": lambda name: {"role_arn": ROLE, "session_tags": {"tenant": name}},
    "policy": lambda name: {"role_arn": ROLE, "session_policy": policy(name)},
    "tags of the app's role": lambda name: {"session_tags": {"tenant": name}},
    "external id": lambda name: {"role_arn": ROLE, "external_id": name},
    "session name": lambda name: {"role_arn": ROLE, "role_session_name": name},
}


class Sts:
    """An STS whose access keys are derived from the request: equal requests get equal keys.

    Attributes:
        server: The server that receives the requests.
        expires_in: Lifetime of the credentials, in seconds.
        requests: The parameters of each request, without a session name that botocore generated.
    """

    def __init__(self, server: recorders.Recorder) -> None:
        self.server = server
        self.expires_in = 3600
        self.requests: list[dict[str, str]] = []
        self._lock = threading.Lock()
        server.answer = self.answer

    def answer(self, request: recorders.Request) -> str:
        """The response to AssumeRole."""
        params = dict(urllib.parse.parse_qsl(request.raw_body.decode()))
        if params["RoleSessionName"].startswith("botocore-session"):
            del params["RoleSessionName"]
        with self._lock:
            self.requests.append(params)
        until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=self.expires_in)
        return ASSUMED.format(key=self.key_of(params), until=until.isoformat())

    @staticmethod
    def key_of(params: dict[str, str]) -> str:
        """The access key of a request."""
        text = "".join(f"{name}{params[name]}" for name in sorted(params) if name not in {"Action", "Version"})
        return "ASIA" + text.encode().hex()


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Sts]:
    """STS instead of AWS's."""
    with recorders.Recorder() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", server.url)
        yield Sts(server)


@pytest.fixture
def make_tenants(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> MakeApp:
    """Makes an app whose tenants differ in one of the variants."""

    def make(variant: str, name: str = "app", **settings: t.Any) -> flask.Flask:
        db.tenant_settings(VARIANTS[variant])
        role = {"role_arn": ROLE} if variant.startswith("tags of") else {}
        return make_app(name, host=recorder.url, region="us-east-1", **KEYS, **role, **settings)

    return make


def read(app: flask.Flask, db: dynaflask.Dynamo, model: t.Any, name: str) -> None:
    """Read an item whose hash key is the tenant's name."""
    with app.app_context(), db.tenant(name):
        model.get(name, "subject")


def keys_by_tenant(recorder: recorders.Recorder) -> dict[str, set[str]]:
    """The access keys that signed the reads, by tenant."""
    keys: dict[str, set[str]] = collections.defaultdict(set)
    for request in recorder.requests:
        keys[request.body["Key"]["forum_name"]["S"]].add(request.access_key_id)
    return keys


@pytest.mark.parametrize("variant", VARIANTS)
class TestVariants:
    """A tenant never signs with the credentials of another."""

    def test_each_tenant_signs_with_its_own(
        self,
        make_tenants: MakeApp,
        sts: Sts,
        recorder: recorders.Recorder,
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        *,
        variant: str,
    ) -> None:
        """STS is called once per tenant."""
        app = make_tenants(variant)
        for name in ("acme", "globex", "acme", "globex"):
            read(app, db, thread_model, name)
        keys = keys_by_tenant(recorder)
        assert {name: len(keys[name]) for name in keys} == {"acme": 1, "globex": 1}
        assert keys["acme"].isdisjoint(keys["globex"])
        assert keys["acme"] | keys["globex"] == {sts.key_of(params) for params in sts.requests}
        assert len(sts.requests) == 2

    def test_a_request_to_sts_names_one_tenant(
        self, make_tenants: MakeApp, sts: Sts, db: dynaflask.Dynamo, thread_model: t.Any, variant: str
    ) -> None:
        """The request has the settings of its tenant and none of another."""
        app = make_tenants(variant)
        read(app, db, thread_model, "acme")
        read(app, db, thread_model, "globex")
        acme, globex = map(str, sts.requests)
        assert ("acme" in acme, "globex" in acme, "acme" in globex, "globex" in globex) == (True, False, False, True)


def test_tags_and_policy_arrive_at_sts(make_app: MakeApp, sts: Sts, recorder: recorders.Recorder) -> None:
    """``DYNAMODB_SESSION_TAGS`` and ``DYNAMODB_SESSION_POLICY`` are parameters of AssumeRole."""
    app = make_app(
        host=recorder.url,
        region="us-east-1",
        role_arn=ROLE,
        session_tags={"tenant": "acme", "plan": ""},
        session_policy=json.dumps(policy("acme"), indent=4),
        **KEYS,
    )
    app.extensions["dynamo"].ping()
    [params] = sts.requests
    tags = {params[f"Tags.member.{n}.Key"]: params.get(f"Tags.member.{n}.Value", "") for n in (1, 2)}
    assert (tags, json.loads(params["Policy"])) == ({"tenant": "acme", "plan": ""}, policy("acme"))


def test_threads_call_sts_once_per_tenant(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """One thread fetches the credentials while the other threads of the tenant wait."""
    app = make_tenants("tags")
    names = [f"t{number}" for number in range(5)]
    with concurrent.futures.ThreadPoolExecutor(10) as threads:
        reads = [threads.submit(read, app, db, thread_model, name) for name in names * 8]
        assert [future.result(60) for future in reads] == [None] * 40
    keys = keys_by_tenant(recorder)
    assert {name: len(keys[name]) for name in keys} == dict.fromkeys(names, 1)
    assert len(set().union(*keys.values())) == len(sts.requests) == 5


def test_credentials_are_refreshed_before_they_expire(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """A refresh sends the same request as the tenant's first one."""
    sts.expires_in = 60  # less than the time before expiry at which botocore refreshes
    app = make_tenants("tags")
    read(app, db, thread_model, "acme")
    fetched = len(sts.requests)
    read(app, db, thread_model, "acme")
    assert len(sts.requests) > fetched
    assert {request["Tags.member.1.Value"] for request in sts.requests} == {"acme"}
    read(app, db, thread_model, "globex")
    assert sts.requests[-1]["Tags.member.1.Value"] == "globex"
    assert len(set().union(*keys_by_tenant(recorder).values())) == 2


def test_an_evicted_client_is_replaced_with_the_same_credentials(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """``DYNAMODB_MAX_CLIENTS`` does not mix the credentials of tenants."""
    pool.close()
    app = make_tenants("tags", max_clients=2)
    for name in ["t1", "t2", "t3", "t4"] * 2:
        read(app, db, thread_model, name)
    assert {name: len(keys) for name, keys in keys_by_tenant(recorder).items()} == dict.fromkeys(
        ["t1", "t2", "t3", "t4"], 1
    )
    assert pool.stats().clients <= 2


def test_tenants_with_the_same_name_in_two_apps_differ(
    make_app: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """A tenant has the role that its app configures."""
    apps = [
        make_app(name, host=recorder.url, region="us-east-1", tenants={"acme": {"role_arn": f"{ROLE}-{name}"}}, **KEYS)
        for name in ("eu", "us")
    ]
    for app in (*apps, *apps):
        read(app, db, thread_model, "acme")
    keys = [request.access_key_id for request in recorder.requests]
    assert keys[:2] == keys[2:]
    assert [request["RoleArn"] for request in sts.requests] == [f"{ROLE}-eu", f"{ROLE}-us"]


def test_a_denied_role_affects_one_tenant(
    make_tenants: MakeApp, sts: Sts, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """Other tenants go on, and no call falls back to the app's own credentials."""
    plain = sts.answer
    refusal = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>"
    sts.server.answer = lambda request: (403, refusal) if b"=acme" in request.raw_body else plain(request)
    app = make_tenants("tags")
    with contextlib.suppress(Exception):
        read(app, db, thread_model, "acme")
    read(app, db, thread_model, "globex")
    assert keys_by_tenant(recorder).keys() == {"globex"}


def test_a_real_server_issues_a_tenants_credentials(
    ministack: engines.Engine,
    account: engines.Account,
    monkeypatch: pytest.MonkeyPatch,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
) -> None:
    """On ministack, items are written and read with credentials that have tags and a policy."""
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
