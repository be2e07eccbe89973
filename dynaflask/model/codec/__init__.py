"""Plans: PynamoDB's steps between items and objects, looked up once for a class instead of once for each value.

    reading(model)   Plan of a Reader: an item becomes an object
    writing(model)   Plan of a Writer: an object becomes an item

A plan takes PynamoDB's steps in PynamoDB's order, so that values and errors are the same. A step that someone overrides
is left to whoever does: that of an attribute, of a map, or of the whole model.
"""

from __future__ import annotations

from dynaflask.model.codec.deserializer import Reader
from dynaflask.model.codec.deserializer import reading
from dynaflask.model.codec.guards import Plan
from dynaflask.model.codec.serializer import Writer
from dynaflask.model.codec.serializer import writing

__all__ = ["Plan", "Reader", "Writer", "reading", "writing"]
