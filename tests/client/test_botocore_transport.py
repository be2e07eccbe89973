"""A client of the transport ``botocore`` compared with a stock one: requests, results, and hooks."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

import botocore.session
import moto
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserFactory
from botocore.serialize import JSONSerializer
from botocore.stub import Stubber
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute

import dynaflask
from dynaflask.client.codec.request_serializer import PassthroughSerializer
from dynaflask.client.codec.response_parser import ParserFactory
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TRANSPORTS = ("stock", "botocore")
ITEM = {"id": {"S": "1"}, "data": {"B": b"\0\xff"}, "more": {"M": {"list": {"L": [{"BS": [b"\1"]}, {"NULL": True}]}}}}


@pytest.fixture
def clients(make_app: MakeApp, recorder: recorders.Recorder) -> tuple[t.Any, t.Any]:
    """A stock client and one of the transport ``botocore``, with the same server."""
    options = {"host": recorder.url, "region": "us-east-1", "extra_headers": {"X-Team": "forum"}, **KEYS}
    apps = [make_app(transport, transport=transport, aws_session_token="token", **options) for transport in TRANSPORTS]
    return tuple(app.extensions["dynamo"].client for app in apps)


CALLS: list[tuple[str, dict[str, t.Any]]] = [
    ("get_item", {"TableName": "Thread", "Key": {"id": {"S": "1"}}, "ReturnConsumedCapacity": "TOTAL"}),
    ("put_item", {"TableName": "Thread", "Item": ITEM}),
    (
        "query",
        {"TableName": "Thread", "KeyConditionExpression": "id = :i", "ExpressionAttributeValues": {":i": {"S": "é"}}},
    ),
    (
        "batch_write_item",
        {"RequestItems": {"Thread": [{"PutRequest": {"Item": ITEM}}, {"DeleteRequest": {"Key": ITEM}}]}},
    ),
    ("describe_table", {"TableName": "Thread"}),
    ("list_tables", {}),
]


def new_in_each(name: str) -> bool:
    return name in ("x-amz-date", "authorization", "amz-sdk-invocation-id", "content-length")


@pytest.mark.parametrize(("method", "parameters"), CALLS, ids=[method for method, _ in CALLS])
def test_the_same_arrives(
    clients: tuple[t.Any, t.Any], recorder: recorders.Recorder, method: str, parameters: dict[str, t.Any]
) -> None:
    """The server gets the same headers, in the same order, and the same content."""
    answers = [getattr(client, method)(**parameters) for client in clients]
    stock, faster = recorder.requests
    assert json.loads(faster.raw_body) == json.loads(stock.raw_body)
    assert faster.headers.keys() == stock.headers.keys()
    for name in stock.headers:
        assert new_in_each(name) or sorted(faster.headers[name]) == sorted(stock.headers[name])
    for answer in answers:
        answer["ResponseMetadata"] = answer["ResponseMetadata"].keys()
    assert answers[0] == answers[1]


def test_errors_are_the_same(clients: tuple[t.Any, t.Any], recorder: recorders.Recorder) -> None:
    """An error has the same class, message and further members."""
    recorder.answer = lambda request: (
        400,
        {"__type": "x#ConditionalCheckFailedException", "message": "No.", "Item": {}},
    )
    errors = []
    for client in clients:
        with pytest.raises(ClientError) as caught:
            client.put_item(TableName="Thread", Item=ITEM)
        response = caught.value.response
        errors.append((type(caught.value).__name__, str(caught.value), response["Error"], response["Item"]))
    assert errors[0] == errors[1]


def parts_of(session: t.Any, client: t.Any) -> tuple[type, type]:
    """The types of a session's parser factory and of a client's serializer."""
    return type(session.get_component("response_parser_factory")), type(client._serializer)


def test_stock_is_botocores_own(
    make_app: MakeApp, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stock client has none of the replaced parts, whatever transport other apps use."""
    sessions = []
    create = botocore.session.Session.create_client
    monkeypatch.setattr(
        botocore.session.Session,
        "create_client",
        lambda self, *args, **arguments: sessions.append(self) or create(self, *args, **arguments),
    )
    options = {"host": recorder.url, "region": "us-east-1", **KEYS}
    clients = [
        make_app(transport, transport=transport, **options).extensions["dynamo"].client
        for transport in ("botocore", "stock")
    ]
    assert [parts_of(*pair) for pair in zip(sessions, clients, strict=True)] == [
        (ParserFactory, PassthroughSerializer),
        (ResponseParserFactory, JSONSerializer),
    ]


def test_the_users_session_stays_as_it_is(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """The program's own session keeps its components; only its DynamoDB client has the serializer."""
    session = botocore.session.Session()
    session.set_credentials("AKIA", "hush")
    options = {"host": recorder.url, "region": "us-east-1", "transport": "botocore"}
    client = make_app(session=session, **options).extensions["dynamo"].client
    assert parts_of(session, client) == (ResponseParserFactory, PassthroughSerializer)
    other = session.create_client("dynamodb", region_name="us-east-1", endpoint_url=recorder.url)
    assert type(other._serializer) is not PassthroughSerializer


def test_a_factorys_client_stays_as_it_is(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """A client that a factory made keeps its serializer: the program may have set it up."""
    session = botocore.session.Session()
    client = session.create_client(
        "dynamodb", "us-east-1", endpoint_url=recorder.url, config=Config(parameter_validation=False)
    )
    app = make_app(client_factory=lambda bind: client, transport="botocore")
    assert app.extensions["dynamo"].client is client
    assert type(client._serializer) is JSONSerializer


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_stubber_is_obeyed(make_app: MakeApp, recorder: recorders.Recorder, transport: str) -> None:
    """A Stubber checks the parameters and returns its response, and nothing is sent."""
    client = make_app(host=recorder.url, region="us-east-1", transport=transport, **KEYS).extensions["dynamo"].client
    with Stubber(client) as stubber:
        stubber.add_response(
            "get_item", {"Item": {"id": {"S": "stubbed"}}}, {"TableName": "Thread", "Key": {"id": {"S": "1"}}}
        )
        assert client.get_item(TableName="Thread", Key={"id": {"S": "1"}})["Item"] == {"id": {"S": "stubbed"}}
    assert not recorder.requests


class Author(MapAttribute[t.Any, t.Any]):
    name = UnicodeAttribute()
    picture = BinaryAttribute(legacy_encoding=False, null=True)


def declare(db: dynaflask.Dynamo) -> t.Any:
    class Post(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "post"

        id = UnicodeAttribute(hash_key=True)
        author = Author(null=True)
        tags = UnicodeSetAttribute(null=True)
        posted_at = UTCDateTimeAttribute(null=True)

    return Post


def round_trip(post: t.Any) -> t.Any:
    """Items that were written and then read by each kind of read."""
    post.create_table(wait=True)
    values = {"author": Author(name="Ada", picture=b"\0\xff"), "tags": {"a", "é"}}
    post("1", posted_at=dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc), **values).save()
    post("2").save()
    items = [post.get("1"), *post.query("2"), *post.scan(), *post.batch_get(["1", "2"])]
    return sorted(repr(sorted(item.serialize().items())) for item in items)


def test_an_engine_gives_the_same_back(db: dynaflask.Dynamo, make_app: MakeApp, engine: engines.Engine) -> None:
    """An engine returns the same items to both clients, with binary values."""
    post, results = declare(db), []
    for transport in TRANSPORTS:
        settings = engine.settings(engines.Account())
        app = make_app(
            transport,
            transport=transport,
            **{name.removeprefix("DYNAMODB_").lower(): settings[name] for name in settings},
        )
        with app.app_context():
            results.append(round_trip(post))
    assert results[0] == results[1]
    assert len(results[0]) == 6


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_mock_takes_the_calls(db: dynaflask.Dynamo, make_app: MakeApp, transport: str) -> None:
    """``moto.mock_aws`` gets the calls."""
    post = declare(db)
    app = make_app(transport, transport=transport, region="us-east-1", **KEYS)
    with moto.mock_aws(), app.app_context():
        assert len(round_trip(post)) == 6
