"""``dynaflask.GlobalSecondaryIndex``, which takes its keys by name."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection

import dynaflask
from tests.support import engines


@pytest.fixture
def app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, in a context."""
    with engine.app(account, db, SECRET_KEY="secret") as app:
        yield app


@pytest.fixture
def match_model(app: flask.Flask, db: dynaflask.Dynamo) -> t.Any:
    """A model with an index of two hash keys, and one whose hash key is called as an argument is."""

    class ByRound(dynaflask.GlobalSecondaryIndex[t.Any]):
        class Meta:
            index_name = "byRound"
            projection = AllProjection()

        region = UnicodeAttribute(hash_key=True)
        cup = UnicodeAttribute(hash_key=True)
        stage = UnicodeAttribute(range_key=True)

    class ByLimit(dynaflask.GlobalSecondaryIndex[t.Any]):
        class Meta:
            index_name = "byLimit"
            projection = AllProjection()

        limit = NumberAttribute(hash_key=True)

    class Match(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Match"

        id = NumberAttribute(hash_key=True)
        region = UnicodeAttribute()
        cup = UnicodeAttribute()
        stage = UnicodeAttribute()
        limit = NumberAttribute()
        by_round = ByRound()
        by_limit = ByLimit()

    db.create_all(wait=True)
    for number, stage in enumerate(["final", "semi", "semi"]):
        Match(number, region="eu", cup="winter", stage=stage, limit=number).save()
    return Match


def test_a_query_takes_the_keys_by_name(match_model: t.Any) -> None:
    """The names are those of the index class; PynamoDB's arguments keep their meaning."""
    index = match_model.by_round
    assert [item.id for item in index.query(region="eu", cup="winter", stage="final")] == [0]
    assert len(list(index.query(cup="winter", region="eu", limit=2))) == 2
    assert len(list(index.query(cup="winter", region="eu", range_key_condition=match_model.stage > "final"))) == 2
    assert index.count(region="eu", cup="winter") == 3


def test_pages_take_the_keys_by_name(match_model: t.Any, db: dynaflask.Dynamo) -> None:
    """``db.paginate`` passes them on."""
    page = db.paginate(match_model.by_round.query, region="eu", cup="winter", per_page=2)
    assert len(page.items) == 2
    rest = db.paginate(match_model.by_round.query, region="eu", cup="winter", cursor=page.next_cursor)
    assert len(rest.items) == 1


def test_a_key_with_the_name_of_an_argument_is_in_a_dict(match_model: t.Any) -> None:
    """An index of one hash key takes a dict, too, and its plain value."""
    for keys in ({"limit": 2}, 2):
        assert [item.id for item in match_model.by_limit.query(keys)] == [2]


def test_the_keys_are_given_once(match_model: t.Any) -> None:
    """Both a hash key and names are an error."""
    for args, options in ((("eu",), {}), ((), {"hash_key": "eu"})):
        with pytest.raises(TypeError, match="either by name, or as the hash key"):
            match_model.by_round.query(*args, region="eu", cup="winter", **options)


def test_a_query_without_keys_names_those_of_the_index(match_model: t.Any) -> None:
    """A query or a count without any key says which ones the index has, and so does a name that is no key."""
    for method in (match_model.by_round.query, match_model.by_round.count, match_model.by_limit.query):
        with pytest.raises(ValueError, match="needs a value for"):
            method()
    with pytest.raises(ValueError, match="league is no key of the index"):
        match_model.by_round.query(cup="winter", league="first")
