"""The user agent, compared with botocore's."""

from __future__ import annotations

import importlib.util
import typing as t

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.useragent import UserAgentString

from dynaflask.client import botocore_internals as private
from dynaflask.client.tuned.user_agent import UserAgent

tells_features = pytest.mark.skipif(
    importlib.util.find_spec("botocore.context") is None, reason="this botocore tells of no features"
)


class Raw:
    def stream(self) -> t.Iterator[bytes]:
        yield b"{}"


def make_client(kind: type[UserAgentString] | None, **options: t.Any) -> t.Any:
    """A client that records the user agents that it sends in ``client.sent``."""
    session = botocore.session.Session()
    session.user_agent_extra = "of-the-session"
    if kind is not None:
        session.register_component("user_agent_creator", kind.from_environment())
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    client = session.create_client("dynamodb", region_name="us-east-1", config=Config(**options), **keys)
    client.sent = []

    def send(request: t.Any, **_: t.Any) -> AWSResponse:
        client.sent.append(request.headers["User-Agent"].decode())
        return AWSResponse(request.url, 200, {}, Raw())

    client.meta.events.register("before-send", send)
    return client


def words(agent: str) -> list[t.Any]:
    """The words of a user agent. The features are sorted: botocore takes their order from a set."""
    return [sorted(word.removeprefix("m/").split(",")) if word.startswith("m/") else word for word in agent.split(" ")]


def said(client: t.Any) -> list[list[t.Any]]:
    """The user agents of a call, of a paginator's call, and of another call."""
    client.list_tables()
    list(client.get_paginator("list_tables").paginate())
    client.list_tables()
    return [words(agent) for agent in client.sent]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"user_agent_extra": "forum/1"},
        {"user_agent": "forum/1"},
        {"user_agent_appid": "forum"},
        {"retries": {"mode": "adaptive"}},
        {"retries": {"mode": "legacy"}},
    ],
)
def test_it_says_what_botocore_says(options: dict[str, t.Any]) -> None:
    """The header equals botocore's, with each client option."""
    assert said(make_client(UserAgent, **options)) == said(make_client(None, **options))


@tells_features
def test_a_call_tells_of_its_own_features() -> None:
    """A paginator's call names its feature, and the next call does not."""
    plain, paginated, again = said(make_client(UserAgent))
    assert plain == again != paginated


@tells_features
def test_it_is_put_together_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls with the same features share one string."""
    client = make_client(UserAgent)
    client.list_tables()
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "another")
    client.list_tables()
    assert client.sent[0] == client.sent[1]


def test_clients_of_a_session_do_not_mix() -> None:
    """Each client of a session has the words of its own options."""
    session = botocore.session.Session()
    agent = UserAgent.from_environment()
    session.register_component("user_agent_creator", agent)
    one, other = (agent.with_client_config(Config(user_agent_extra=extra)) for extra in ("one", "other"))
    assert one.to_string().removesuffix("one") == other.to_string().removesuffix("other")


def test_without_botocores_context_it_is_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the private name is gone, the header is built in each call."""
    monkeypatch.delattr(private.botocore, "context", raising=False)
    client = make_client(UserAgent)
    client.list_tables()
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "another")
    client.list_tables()
    assert client.sent[1] == "another"
