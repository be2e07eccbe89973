"""The end of an error's message says what to check or do next."""

from __future__ import annotations

import pathlib
import re
import typing as t

import botocore.exceptions
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import QueryError
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

import dynaflask
from dynaflask.client.error_advice import CreateOptions
from dynaflask.client.error_advice import find_advice
from tests.support import engines
from tests.support import hostile
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

NO_CONNECTION = botocore.exceptions.EndpointConnectionError(endpoint_url="https://dynamodb.example")
UNREACHABLE = "http://127.0.0.1:1"


class ViewIndex(GlobalSecondaryIndex[t.Any]):
    """An index that the table does not have."""

    class Meta:
        index_name = "view_index"
        projection = AllProjection()

    views = NumberAttribute(hash_key=True)


class Thread(dynaflask.Model):
    """A thread."""

    class Meta:
        table_name = "Thread"

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    views = NumberAttribute(default=0)
    text = UnicodeAttribute(null=True)
    view_index = ViewIndex()


def test_a_signature_of_another_time_names_the_clock(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """The credentials are right: no setting of theirs mends a wrong clock. An unknown key names the region's state."""
    app = make_app(host=recorder.url, region="us-east-1", max_retry_attempts=0, **KEYS)
    messages = {
        "Signature expired: 20260101T000000Z is now earlier than now": "The clock of this machine is wrong.",
        "Signature not yet current: 20260101T001000Z is still later than now": "The clock of this machine is wrong.",
        "The request signature we calculated does not match": "AWS rejected these credentials.",
    }
    for message, advice in messages.items():
        recorder.answer = lambda request, message=message: refusal("InvalidSignatureException", message)
        with app.app_context(), pytest.raises(GetError, match=re.escape(advice)):
            Thread.get("flask", "hello")
    recorder.answer = lambda request: refusal("UnrecognizedClientException", "The security token is invalid.")
    with app.app_context(), pytest.raises(GetError, match="in a region that the account has not enabled"):
        Thread.get("flask", "hello")


@pytest.mark.parametrize("has_role", [True, False], ids=["with a role", "without a role"])
def test_an_unreachable_sts_names_the_role(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, has_role: bool) -> None:
    """A dead endpoint of STS is not DynamoDB's: two apps on one machine, and the one with a role is told so."""
    app = make_app(region="us-east-1", **({"role_arn": "arn:aws:iam::123456789012:role/forum"} if has_role else {}))
    bind = app.extensions["dynamo"].binds["default"]
    error = botocore.exceptions.EndpointConnectionError(endpoint_url="https://sts.us-east-1.amazonaws.com/")
    advice = find_advice(error, bind, "GetItem", client=None, create=CreateOptions())
    assert ("Check DYNAMODB_ROLE_ARN, and that this machine reaches AWS STS." in advice) == has_role
    other = find_advice(NO_CONNECTION, bind, "GetItem", client=None, create=CreateOptions())
    assert "Check DYNAMODB_HOST" in other


def refusal(code: str, message: str) -> tuple[int, dict[str, str]]:
    """An error of DynamoDB."""
    return 400, {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}


def test_credentials_that_are_missing_name_the_sources_of_botocore(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """Two apps without credentials: the advice names the usual sources of AWS, and then the settings."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for region in ("us-west-2", "eu-west-1"):
        app = make_app(region=region)
        with app.app_context(), pytest.raises(GetError, match=r"AWS_PROFILE.*aws configure.*DYNAMODB_PROFILE"):
            Thread.get("flask", "hello")


@pytest.mark.parametrize(
    ("host", "advice"),
    [
        (UNREACHABLE, "start it: python -m dynaflask.local --port 1"),
        ("http://127.0.0.2:1", "the host in the model's Meta.)"),
    ],
)
def test_a_local_server_that_does_not_run_has_its_command(make_app: MakeApp, host: str, advice: str) -> None:
    """An endpoint of this machine where nothing listens may be the local server; any other endpoint is not."""
    app = make_app(host=host, region="us-east-1", max_retry_attempts=0, **KEYS)
    with app.app_context(), pytest.raises(GetError) as caught:
        Thread.get("flask", "hello")
    assert str(caught.value).rstrip(")").endswith(advice.rstrip(")"))


@pytest.mark.parametrize(
    ("region", "advice"),
    [
        ("eu-west1", "botocore knows no region 'eu-west1'. Did you mean 'eu-west-1'?)"),
        ("eu-west-1", "DYNAMODB_REGION.)"),
        ("cn-north-1", "DYNAMODB_REGION.)"),
        (None, "DYNAMODB_REGION.)"),
    ],
)
def test_a_region_that_botocore_does_not_know_has_a_proposal(
    make_app: MakeApp, region: str | None, advice: str
) -> None:
    """If no endpoint answers, a typing error in the name of the region is likely. Regions of China are regions."""
    bind = make_app(region=region).extensions["dynamo"].binds["default"]
    assert find_advice(NO_CONNECTION, bind, "GetItem", client=None, create=CreateOptions()).endswith(advice)


@pytest.mark.parametrize("transport", ["direct", "botocore"])
class TestRequests:
    """DynamoDB has one code for all requests that it does not accept. The advice depends on its message."""

    @pytest.fixture
    def registry(
        self, make_app: MakeApp, ministack: engines.Engine, account: engines.Account, transport: str
    ) -> t.Iterator[dynaflask.Registry]:
        """The registry of an app, in its context."""
        settings = ministack.settings(account)
        app = make_app(
            **{name.removeprefix("DYNAMODB_").lower(): value for name, value in settings.items()}, transport=transport
        )
        with app.app_context():
            yield app.extensions["dynamo"]

    @pytest.fixture(autouse=True)
    def table(self, registry: dynaflask.Registry) -> None:
        """The table as of an earlier release of the program, without the index."""
        key = [("forum_name", "HASH"), ("subject", "RANGE")]
        registry.client.create_table(
            TableName=registry.meta(Thread).table_name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in key],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in key],
        )

    def test_an_index_that_is_missing_has_the_command(self) -> None:
        """The advice names the command that adds the index."""
        with pytest.raises(QueryError, match=r"does not have the specified index.*run `flask dynamo sync`"):
            list(Thread.view_index.query(1))

    def test_a_range_key_that_is_missing_is_named(self) -> None:
        """A call with half of the key says that the table has a range key."""
        with pytest.raises(GetError, match=r"Pass the hash key, and the range key.*flask dynamo diff"):
            Thread.get("flask")

    def test_a_filter_as_the_second_argument_of_a_query_is_explained(self) -> None:
        """The second argument of a query is a condition on the range key."""
        with pytest.raises(QueryError, match="any other as filter_condition"):
            list(Thread.query("flask", Thread.views == 1))

    def test_a_value_of_another_type_is_explained(self) -> None:
        """A value of another type than its attribute, such as a number for text, is named as the cause."""
        with pytest.raises(PutError, match="A value has another type than its attribute"):
            Thread("flask", t.cast("t.Any", 7)).save()

    def test_a_number_that_dynamodb_cannot_store_is_explained(self) -> None:
        """DynamoDB has neither NaN nor infinity."""
        with pytest.raises(PutError, match="a NumberAttribute a finite number"):
            Thread("flask", "hello", views=float("nan")).save()

    def test_an_item_that_is_too_large_has_the_limit(self) -> None:
        """The advice names DynamoDB's limit, and where large values belong."""
        with pytest.raises(PutError, match="An item has at most 400 KB"):
            Thread("flask", "hello", text="x" * 410_000).save()


@pytest.mark.parametrize("code", ["ValidationException", "SomeOtherException"])
def test_any_other_refusal_is_as_dynamodb_says_it(make_app: MakeApp, code: str) -> None:
    """A code or a message without advice ends as before."""
    with hostile.Hostile() as server:
        server.acts = [hostile.say(hostile.error(code))]
        app = make_app(host=server.url, region="us-east-1", **KEYS)
        with app.app_context(), pytest.raises(GetError) as caught:
            Thread.get("flask", "hello")
    assert "The bind is" not in str(caught.value)
