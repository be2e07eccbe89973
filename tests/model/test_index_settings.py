"""What the ``Meta`` of a global index declares beside PynamoDB's settings."""

from __future__ import annotations

import pytest

import dynaflask
from dynaflask.model.index_settings import index_settings
from tests.support import boards


def test_the_settings_are_checked(db: dynaflask.Dynamo) -> None:
    """They have the form that the settings of a model have. A local index has none of them."""
    index = boards.make_index("byViews", contributor_insights=True, warm_throughput={"read": 1})
    board = boards.declare_board(db, attributes={"by_views": index, "lo": boards.make_local_index("lo")})
    insights = "ACCESSED_AND_THROTTLED_KEYS"
    assert index_settings(board) == {"byViews": {"warm_throughput": {"read": 1}, "contributor_insights": insights}}


def test_a_wrong_value_is_an_error_where_the_model_is_declared(db: dynaflask.Dynamo) -> None:
    """The message names the index class and the setting."""
    index = boards.make_index("byViews", on_demand_throughput=5)
    with pytest.raises(dynaflask.ConfigurationError, match=r"byViews\.Meta\.on_demand_throughput must be a dict"):
        boards.declare_board(db, attributes={"by_views": index})
