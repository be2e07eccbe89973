"""PynamoDB's connection of one table, on a connection of a context."""

from __future__ import annotations

import pytest

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

KEY_SCHEMA = {
    "attribute_definitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "key_schema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


class TestTableConnection:
    """``db.tables["Audit"]``."""

    def test_a_table_without_a_capacity_is_billed_per_request(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """It is created in the app whose context is current, of two."""
        for prefix in ("us-", "eu-"):
            with recorders.Recorder() as recorder:
                with make_app(prefix, host=recorder.url, region="us-east-1", table_prefix=prefix, **KEYS).app_context():
                    db.tables["Audit"].create_table(**KEY_SCHEMA)
                body = recorder.requests[0].body
            assert (body["TableName"], body["BillingMode"]) == (f"{prefix}Audit", "PAY_PER_REQUEST")

    def test_a_table_needs_a_hash_key(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Without one, nothing is sent."""
        with make_app(region="us-east-1", **KEYS).app_context():
            with pytest.raises(dynaflask.ConfigurationError, match="hash key"):
                db.tables["Audit"].create_table(**{**KEY_SCHEMA, "key_schema": []})
