"""All transports send the same requests, and return the same results and errors."""

from __future__ import annotations

import base64
import collections.abc as cabc
import copy
import enum
import functools
import json
import re
import typing as t
import uuid

import botocore.session
import flask
import hypothesis
import pytest
from botocore.exceptions import ClientError
from hypothesis import strategies as st
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PynamoDBException

import dynaflask
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from tests.support import strategies
from tests.support.comparing import outcome
from tests.support.recorder import Recorder
from tests.support.recorder import Request
from tests.support.strategies import ANSWERED
from tests.support.strategies import ASKED_OF_ITEMS
from tests.support.strategies import json_names

TRANSPORTS = ("stock", "botocore", "direct")
KEYS = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush", "aws_session_token": "token"}
API = botocore.session.Session().get_service_model("dynamodb")
# Ids that differ between requests.
NEW_IDS = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PER_REQUEST_HEADERS = {"authorization", "x-amz-date", "content-length", "amz-sdk-invocation-id"}
SETS = {"SS", "NS", "BS"}
# Parameters that botocore reads the tables of a call from.
EMPTY = {
    "BatchGetItem": {"RequestItems": {}},
    "BatchWriteItem": {"RequestItems": {}},
    "TransactGetItems": {"TransactItems": []},
    "TransactWriteItems": {"TransactItems": []},
}
ERRORS = ["ConditionalCheckFailedException", "ValidationException", "TransactionCanceledException", "Nope", ""]

Step = t.Callable[[flask.Flask], t.Any]


class Transports:
    """An app per transport, with one server."""

    def __init__(self, recorder: Recorder, apps: cabc.Mapping[str, flask.Flask]) -> None:
        self._recorder = recorder
        self.apps = apps

    def agree(self, step: Step, *, answer: t.Any, status: int = 200) -> bool:
        """Run a step on each transport, with the same response to all requests. Requests and results must be equal."""
        # DynamoDB writes no spaces.
        body = json.dumps(answer, default=in_base64, separators=(",", ":"))
        self._recorder.answer = lambda request: (status, body)
        stock, botocore, direct = (self._take(app, step) for app in self.apps.values())
        assert botocore == stock
        assert direct == stock
        return True

    def _take(self, app: flask.Flask, step: Step) -> t.Any:
        self._recorder.requests.clear()
        with app.app_context():
            result = NEW_IDS.sub("ID", repr(outcome(functools.partial(botocores_error, step, app))))
        return result, [sent(request) for request in self._recorder.requests]


def botocores_error(step: Step, app: flask.Flask) -> t.Any:
    """The result of a step. A damaged response counts as its cause, which is the error of ``stock``."""
    try:
        return step(app)
    except (dynaflask.DamagedResponse, PynamoDBException) as error:
        damaged = getattr(error, "cause", error)
        if isinstance(damaged, dynaflask.DamagedResponse) and damaged.__cause__:
            raise damaged.__cause__ from None
        raise


def in_base64(value: t.Any) -> str:
    """A binary value as DynamoDB's JSON has it."""
    return base64.b64encode(value).decode()


def sent(request: Request) -> t.Any:
    """The content of a request, independent of order."""
    assert int(request.headers["content-length"]) == len(request.raw_body)
    # The features in botocore's user agent are a set: they have no order.
    headers = {
        name: sorted(re.findall(r"[^\s,/]+", text))
        for name, text in request.headers.items()
        if name not in PER_REQUEST_HEADERS
    }
    signed = request.headers["authorization"].partition("Signature=")[0].replace(request.date, "")
    return headers, signed, json.dumps(json.loads(request.raw_body, object_hook=in_order), sort_keys=True)


def in_order(value: dict[str, t.Any]) -> dict[str, t.Any]:
    """A part of a request with sorted sets, and without its idempotency token."""
    value.pop("ClientRequestToken", None)
    return {name: sorted(part, key=repr) if name in SETS and part else part for name, part in value.items()}


@pytest.fixture
def db() -> dynaflask.Dynamo:
    """The extension object of the drawn models."""
    return strategies.db


@pytest.fixture
def transports(
    make_app: t.Callable[..., flask.Flask], recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> Transports:
    """Transports that have made the first call of each operation, which botocore makes for ``direct``.

    Pages of any size are decoded to objects.
    """
    monkeypatch.setattr("dynaflask.client.direct.page_decoder.MIN_BYTES", 0)
    monkeypatch.setattr("dynaflask.model.codec.responses.MIN_BYTES", 0)
    options = {"host": recorder.url, "region": "us-east-1", "extra_headers": {"X-Team": "forum"}, **KEYS}
    transports = Transports(recorder, {mode: make_app(mode, transport=mode, **options) for mode in TRANSPORTS})
    for operation in DATA_PLANE_OPERATIONS:
        assert transports.agree(calling(operation), answer={})
    assert client_of(transports.apps["direct"]).mode == "direct"
    return transports


def client_of(app: flask.Flask) -> t.Any:
    """The object that PynamoDB calls."""
    client = app.extensions["dynamo"].get_client()
    return client.meta.dynaflask_transport if app.name == "direct" else client


def calling(operation: str, parameters: t.Any = None) -> Step:
    """A step that is one call of the API. An error is returned as a value."""
    params = EMPTY.get(operation, {}) if parameters is None else parameters

    def call(app: flask.Flask) -> t.Any:
        try:
            return client_of(app)._make_api_call(operation, copy.deepcopy(params))
        except ClientError as error:
            return type(error).__name__, str(error), error.response

    return call


SETTINGS: dict[str, t.Any] = {
    "deadline": None,
    # The server may stay, and the machine may be busy.
    "suppress_health_check": [hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
}


@hypothesis.given(st.sampled_from(sorted(DATA_PLANE_OPERATIONS)), st.data())
@hypothesis.settings(max_examples=150, **SETTINGS)
def test_any_request_is_the_same(transports: Transports, operation: str, data: st.DataObject) -> None:
    """Any parameters result in the same request, or in the same error."""
    parameters = data.draw(ASKED_OF_ITEMS.of(API.operation_model(operation).input_shape))
    assert transports.agree(calling(operation, parameters), answer={})


LEGACY = {
    "DeleteItem": {"Expected": {"id": {"Value": {"B": "text"}}}},
    "UpdateItem": {"AttributeUpdates": {"id": {"Value": {"B": "text"}, "Action": "PUT"}}},
    "Query": {"KeyConditions": {"id": {"AttributeValueList": [{"B": "text"}], "ComparisonOperator": "EQ"}}},
}


@pytest.mark.parametrize("operation", LEGACY)
def test_values_of_legacy_parameters_are_the_same(transports: Transports, operation: str) -> None:
    """botocore accepts text as a binary value, and encodes it."""
    assert transports.agree(calling(operation, {"TableName": "Thread", **LEGACY[operation]}), answer={})


class Shade(enum.Enum):
    DARK = "dark"


INVALID_VALUES = {"UUID": {"S": uuid.UUID(int=7)}, "enumeration": {"S": Shade.DARK}, "empty set": {"SS": None}}


@pytest.mark.parametrize("value", INVALID_VALUES.values(), ids=INVALID_VALUES)
def test_an_invalid_value_is_the_same_error(transports: Transports, value: object) -> None:
    """Values that JSON does not have, and an empty set."""
    parameters = {"TableName": "things", "Item": {"key": value}}
    assert transports.agree(calling("PutItem", parameters), answer={})


@hypothesis.given(st.sampled_from(sorted(DATA_PLANE_OPERATIONS)), st.data())
@hypothesis.settings(max_examples=150, **SETTINGS)
def test_any_response_is_the_same_result(transports: Transports, operation: str, data: st.DataObject) -> None:
    """Any response results in the same value, or in the same error."""
    answer = data.draw(ANSWERED.of(API.operation_model(operation).output_shape))
    assert transports.agree(calling(operation), answer=answer)


@hypothesis.given(st.sampled_from(sorted(DATA_PLANE_OPERATIONS)), st.sampled_from(ERRORS), st.data())
@hypothesis.settings(max_examples=50, **SETTINGS)
def test_any_error_response_is_the_same_error(
    transports: Transports, operation: str, code: str, data: st.DataObject
) -> None:
    """An error keeps the additional members of the response."""
    more = {"Item": data.draw(st.dictionaries(json_names, ANSWERED.attribute_values, max_size=3))}
    reasons = {"CancellationReasons": [{"Code": "None"}, {"Code": "ConditionalCheckFailed", "Message": "No.", **more}]}
    answer = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "No.", **more, **reasons}
    assert transports.agree(calling(operation), answer=answer, status=400)


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=50, **SETTINGS)
def test_any_model_is_written_and_read_the_same(transports: Transports, data: st.DataObject) -> None:
    """All operations agree for drawn models, values and stored items."""
    model = data.draw(strategies.schemas(key=lambda: UnicodeAttribute(hash_key=True)))
    instance, item = data.draw(strategies.objects(model)), data.draw(strategies.items(model))
    instance.attribute_values["key"] = "a"
    name = data.draw(st.sampled_from(sorted(model.get_attributes())))
    attribute = getattr(model, name)
    value = data.draw(strategies.assigned(type(attribute), getattr(attribute, "element_type", None)))
    page = {"Items": [item, item], "Count": 2, "ScannedCount": 2}
    for step, answer in (
        (save, {}),
        (get, {"Item": item}),
        (functools.partial(update, attribute=attribute, value=value), {"Attributes": item}),
        (functools.partial(search, attribute=attribute, value=value), page),
        (write_batch, {"UnprocessedItems": {}}),
        (read_batch, {"Responses": {"things": [item, item]}, "UnprocessedKeys": {}}),
        (transact_write, {}),
        (transact_get, {"Responses": [{"Item": item}, {}]}),
        (delete, {}),
    ):
        assert transports.agree(lambda app, step=step: step(copy.deepcopy(instance)), answer=answer)


def save(instance: t.Any) -> t.Any:
    return instance.save(), instance


def get(instance: t.Any) -> t.Any:
    return instance.get("a"), instance.refresh(), instance


def update(instance: t.Any, *, attribute: t.Any, value: t.Any) -> t.Any:
    return instance.update(actions=[attribute.set(value)], condition=attribute.exists()), instance


def search(instance: t.Any, *, attribute: t.Any, value: t.Any) -> t.Any:
    return list(instance.query("a", filter_condition=attribute != value)), list(
        instance.scan(attribute.is_in(value, value))
    )


def write_batch(instance: t.Any) -> t.Any:
    with instance.batch_write() as batch:
        batch.save(instance)
        batch.delete(instance)


def read_batch(instance: t.Any) -> t.Any:
    return list(instance.batch_get(["a", "b"]))


def transact_write(instance: t.Any) -> t.Any:
    with strategies.db.transact_write() as transaction:
        transaction.save(instance, condition=type(instance).key.does_not_exist())
        transaction.delete(type(instance)("b"))
    return instance


def transact_get(instance: t.Any) -> t.Any:
    with strategies.db.transact_get() as transaction:
        futures = [transaction.get(type(instance), key) for key in ("a", "b")]
    return [outcome(future.get) for future in futures]


def delete(instance: t.Any) -> t.Any:
    return instance.delete(condition=type(instance).key.exists())
