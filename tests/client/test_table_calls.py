"""PynamoDB's parameters of a request, with what its keys and expressions need."""

from __future__ import annotations

import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.exceptions import TableDoesNotExist

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.mark.usefixtures("app_in_context")
def test_a_missing_table_is_pynamodbs_error(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """The call that describes a table which no model declares raises ``TableDoesNotExist``."""
    recorder.answer = lambda request: (400, {"__type": "x#ResourceNotFoundException", "message": "test-Audit"})
    with pytest.raises(TableDoesNotExist):
        db.tables["Audit"].get_item("key")


def test_a_number_is_a_key_in_one_form(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """DynamoDB compares numbers, and its local servers texts: a query sends a number as it was stored, in two apps."""

    class Reading(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Reading"

        sensor = NumberAttribute(hash_key=True)

    for region in ("us-west-2", "eu-west-1"):
        with recorders.Recorder() as recorder:
            with make_app(region, host=recorder.url, region=region, **KEYS).app_context():
                list(Reading.query(1.0))
            assert recorder.requests[0].body["ExpressionAttributeValues"] == {":0": {"N": "1"}}
