"""The declaration of ``Meta.hide_expired``."""

from __future__ import annotations

import typing as t

import pynamodb.models
import pytest
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import IncludeProjection
from pynamodb.indexes import KeysOnlyProjection

import dynaflask
from dynaflask.model.expired import is_hiding
from tests.support.settings import MakeApp


def declare(db: dynaflask.Dynamo, *, base: t.Any = None, hide_expired: t.Any = True, **attributes: t.Any) -> t.Any:
    """A model with these attributes."""
    base = base or db.Model
    meta = {} if base is not db.Model else {"Meta": type("Meta", (), {"table_name": "T", "hide_expired": hide_expired})}
    return type(base)("Entry", (base,), {"__module__": __name__, **meta, **attributes})


def index(projection: t.Any, **keys: t.Any) -> t.Any:
    """An index with this projection."""
    meta = type("Meta", (), {"index_name": "by-owner", "projection": projection})
    keys = keys or {"owner": UnicodeAttribute(hash_key=True)}
    return type("ByOwner", (GlobalSecondaryIndex,), {"Meta": meta, **keys})()


def test_it_needs_a_time_to_live(db: dynaflask.Dynamo) -> None:
    """Without a ``TTLAttribute``, nothing could be hidden."""
    with pytest.raises(TypeError, match="hide_expired needs a TTLAttribute"):
        declare(db, id=UnicodeAttribute(hash_key=True))


def test_it_needs_the_time_to_live_in_each_index(db: dynaflask.Dynamo) -> None:
    """In an index without the attribute, no item would look expired."""
    attributes = {"id": UnicodeAttribute(hash_key=True), "expires": TTLAttribute(attr_name="x")}
    for projection in (KeysOnlyProjection(), IncludeProjection(["expires"])):
        with pytest.raises(TypeError, match="'by-owner' of Entry does not contain 'x'"):
            declare(db, by_owner=index(projection), **attributes)
    for fitting in (
        index(IncludeProjection(["x"])),
        index(KeysOnlyProjection(), expires=TTLAttribute(hash_key=True, attr_name="x")),
    ):
        assert is_hiding(declare(db, by_owner=fitting, **attributes))


def test_keys_of_the_table_are_in_each_index(db: dynaflask.Dynamo) -> None:
    """The time to live may be a key of the table."""
    attributes = {"id": UnicodeAttribute(hash_key=True), "expires": TTLAttribute(range_key=True)}
    assert is_hiding(declare(db, by_owner=index(KeysOnlyProjection()), **attributes))


def test_a_table_has_one_time_to_live(db: dynaflask.Dynamo) -> None:
    """A subclass that shares the table hides by the same attribute."""
    base = declare(db, id=UnicodeAttribute(hash_key=True), expires=TTLAttribute(), kind=DiscriminatorAttribute())
    assert is_hiding(declare(db, base=base))
    with pytest.raises(TypeError, match="has the TTLAttribute 'other', and its table expires by 'expires'"):
        declare(db, base=base, expires=TTLAttribute(attr_name="other"))


def test_a_base_without_keys_passes_it_on(db: dynaflask.Dynamo) -> None:
    """A base class without a hash key is no table. Its subclasses are checked."""
    base = declare(db)
    assert not is_hiding(base)
    assert not is_hiding(db.Model)
    assert is_hiding(declare(db, base=base, id=UnicodeAttribute(hash_key=True), expires=TTLAttribute()))


def test_it_is_true_or_false(db: dynaflask.Dynamo) -> None:
    """Another value is an error, and False hides nothing."""
    attributes = {"id": UnicodeAttribute(hash_key=True), "expires": TTLAttribute()}
    with pytest.raises(dynaflask.ConfigurationError, match="Entry.Meta.hide_expired must be True or False"):
        declare(db, hide_expired="yes", **attributes)
    assert not is_hiding(declare(db, hide_expired=False, **attributes))


def test_a_context_cannot_change_it(db: dynaflask.Dynamo, make_app: MakeApp) -> None:
    """A change would come too late for connections that are open."""
    model = declare(db, id=UnicodeAttribute(hash_key=True), expires=TTLAttribute())
    with make_app(region="eu-west-1").app_context():
        with pytest.raises(dynaflask.ConfigurationError, match="hide_expired is declared in the class"):
            model.Meta.hide_expired = False
        assert model.Meta.hide_expired is True


def test_an_existing_model_keeps_it(db: dynaflask.Dynamo) -> None:
    """``db.register`` reads it from the ``Meta`` of PynamoDB's model."""

    class Existing(pynamodb.models.Model):
        class Meta:
            table_name = "T"
            hide_expired = True

        id = UnicodeAttribute(hash_key=True)
        expires = TTLAttribute()

    assert is_hiding(db.register(Existing))
