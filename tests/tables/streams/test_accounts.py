"""``Accounts``: records of a table in another account are refused, though region and name are those of a model."""

from __future__ import annotations

import collections
import collections.abc as cabc
import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.tables.streams.accounts import StreamedTable
from dynaflask.testing.intercept import recorded
from dynaflask.testing.recorder import Answer
from dynaflask.testing.recorder import Recorder
from dynaflask.testing.recorder import Request
from tests.support.settings import MakeApp
from tests.support.streams import record_in

ACCOUNTS = {"AKIAONE": "111122223333", "AKIATWO": "444455556666"}


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"

        id = UnicodeAttribute(hash_key=True)

    return Note


def of_account(request: Request) -> Answer:
    """The table of the account that signed a request."""
    arn = f"arn:aws:dynamodb:eu-west-1:{ACCOUNTS[request.access_key_id]}:table/Note"
    return {"Table": {"TableName": "Note", "TableArn": arn, "TableStatus": "ACTIVE"}}


@pytest.fixture
def aws() -> cabc.Iterator[Recorder]:
    """A server in place of AWS, with a table of one name in two accounts."""
    with recorded(of_account, connections=2) as recorder:
        yield recorder


def settings_of(key: str) -> dict[str, str]:
    """Static keys of an account, in Ireland."""
    return {"region": "eu-west-1", "aws_access_key_id": key, "aws_secret_access_key": "any"}


def owner(app: flask.Flask, db: dynaflask.Dynamo, account: str) -> str | None:
    """Tenant of a record in the table of an account."""
    with app.app_context():
        (record,) = db.stream_records(record_in("Note", region="eu-west-1", account=account, id="1"))
    return record.tenant


def test_each_app_reads_the_streams_of_its_own_account(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, aws: Recorder
) -> None:
    """Two apps with static keys of two accounts: each refuses the other's records. DynamoDB is asked once for each."""
    apps = {account: make_app(key, **settings_of(key)) for key, account in ACCOUNTS.items()}
    for account, app in apps.items():
        for other in apps:
            if account == other:
                assert owner(app, db, other) is None
                assert owner(app, db, other) is None
            else:
                with pytest.raises(dynaflask.StreamError, match=f"of account {other} is none of the tables"):
                    owner(app, db, other)
    assert collections.Counter(request.access_key_id for request in aws.requests) == dict.fromkeys(ACCOUNTS, 1)


def test_the_account_decides_between_two_tenants(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, aws: Recorder
) -> None:
    """Two tenants have a table of one name, each in an account of its own."""
    tenants = {"acme": settings_of("AKIAONE"), "globex": settings_of("AKIATWO")}
    app = make_app(tenants=tenants, require_tenant=True)
    assert [owner(app, db, account) for account in ACCOUNTS.values()] == ["acme", "globex"]
    with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
        owner(app, db, "777788889999")


def test_a_table_that_the_account_does_not_have_is_another(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, aws: Recorder
) -> None:
    """If the account has no table of the name, the record is of another account."""
    aws.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException", "message": "no"})
    with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
        owner(make_app(**settings_of("AKIAONE")), db, "111122223333")


def test_without_an_answer_nothing_is_guessed(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, aws: Recorder
) -> None:
    """If DynamoDB refuses to say the account, the record is refused, with what to do. The next record asks again."""
    app = make_app(**settings_of("AKIAONE"))
    aws.answer = lambda request: (400, {"__type": "x#AccessDeniedException", "message": "no"})
    with pytest.raises(dynaflask.StreamError, match="Allow dynamodb:DescribeTable, or set DYNAMODB_ROLE_ARN"):
        owner(app, db, "111122223333")
    aws.answer = of_account
    assert owner(app, db, "111122223333") is None


@pytest.mark.parametrize("host", ["https://vpce.example", "http://dynamodb.eu-west-1.amazonaws.com"])
def test_an_endpoint_that_may_be_of_aws_is_asked(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, aws: Recorder, host: str
) -> None:
    """The name of a VPC's endpoint may be any name."""
    app = make_app(**settings_of("AKIAONE"), host=host)
    with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
        owner(app, db, "444455556666")


def test_a_local_server_is_not_asked(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, aws: Recorder) -> None:
    """Events in the tests of an app have any account."""
    app = make_app(**settings_of("AKIAONE"), host="http://127.0.0.1:8000")
    assert owner(app, db, "777788889999") is None
    assert aws.requests == []


@pytest.mark.parametrize(
    "arn",
    [
        "None",
        "arn:aws:sqs:us-east-1:111122223333:queue",
        "arn:aws:kinesis:us-east-1:111122223333:stream/Note",
        "arn:aws:dynamodb:us-east-1:111122223333:table/Note",
    ],
)
def test_another_source_is_an_error(arn: str) -> None:
    """Only the stream of a table has records of items."""
    with pytest.raises(dynaflask.StreamError, match="is not the ARN of a stream"):
        StreamedTable.of_arn(arn)


def test_the_arn_of_another_partition_is_one() -> None:
    """An ARN of another partition of AWS, such as China's, is one of a stream."""
    arn = "arn:aws-cn:dynamodb:cn-north-1:111122223333:table/Note/stream/2026-01-02T03:04:05.678"
    table = StreamedTable.of_arn(arn)
    assert table == ("cn-north-1", "111122223333", "Note")
    assert str(table) == "table Note in cn-north-1 of account 111122223333"
