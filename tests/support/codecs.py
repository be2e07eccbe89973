"""PynamoDB's own conversions, and checks that a codec agrees with them: equal values, types and errors."""

from __future__ import annotations

import typing as t

from pynamodb.attributes import AttributeContainer

from tests.support.comparing import outcome
from tests.support.comparing import shape


def pynamodb_deserialize(model: t.Any, item: t.Any) -> t.Any:
    """The object that PynamoDB makes from an item."""
    return t.cast("t.Any", AttributeContainer._instantiate).__func__(model, item)


def pynamodb_serialize(instance: t.Any) -> t.Any:
    """The item that PynamoDB makes from an object."""
    return AttributeContainer._container_serialize(instance, null_check=True)


def deserializes_like_pynamodb(model: t.Any, item: t.Any) -> bool:
    """Assert that an item becomes the same object, or raises the same error; also if it fills an existing object."""
    assert outcome(lambda: model.from_raw_data(item)) == outcome(lambda: pynamodb_deserialize(model, item))
    ours, pynamodbs = model(), model()
    our_outcome = outcome(lambda: ours.deserialize(item))
    pynamodb_outcome = outcome(lambda: AttributeContainer._container_deserialize(pynamodbs, item))
    assert (our_outcome, shape(ours)) == (pynamodb_outcome, shape(pynamodbs))
    return True


def serializes_like_pynamodb(instance: t.Any) -> bool:
    """Assert that an object becomes the same item, or raises the same error."""
    assert outcome(instance.serialize) == outcome(lambda: pynamodb_serialize(instance))
    return True
