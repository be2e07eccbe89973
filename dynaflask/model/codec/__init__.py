"""Compiled conversions between items and objects: one pair of generated functions per model.

    compiled.py      CompiledCodec: the deserializer and the serializer of a model
    deserializer.py  an item becomes an object
    serializer.py    an object becomes an item
    values.py        conversions of single values
    guards.py        checks that PynamoDB's own methods are in place
    source.py        compiles the source, so that a traceback shows it

The generated functions take PynamoDB's steps in PynamoDB's order, so that values and errors are the same. What a class
or an attribute overrides is called as PynamoDB calls it.
"""

from __future__ import annotations

from dynaflask.model.codec.compiled import CompiledCodec
from dynaflask.model.codec.deserializer import Deserializer
from dynaflask.model.codec.serializer import Serializer

__all__ = ["CompiledCodec", "Deserializer", "Serializer"]
