"""The codec of one model: a deserializer and a serializer, each a generated function.

They take PynamoDB's steps in PynamoDB's order, so that values and errors are the same. A method that a class or an
attribute overrides is called as PynamoDB calls it.
"""

from __future__ import annotations

import json
import typing as t

from pynamodb import attributes

from dynaflask.client.botocore_internals import cached_property
from dynaflask.client.codec.passthrough import is_plain
from dynaflask.model.codec.deserializer import Deserializer
from dynaflask.model.codec.deserializer import compile_deserializer
from dynaflask.model.codec.guards import MODEL_HOOKS
from dynaflask.model.codec.guards import is_unmodified
from dynaflask.model.codec.responses import ResponseDecoder

if t.TYPE_CHECKING:
    from dynaflask.model.codec.serializer import CheckedSerializer
    from dynaflask.model.codec.serializer import Functions
    from dynaflask.model.codec.serializer import Serializer


class CompiledCodec:
    """The deserializer and the serializer of one model, compiled on first use.

    What compiles a serializer is imported then, too: a function of AWS Lambda that only reads does not need it.

    They are compiled once, as by attrs and cattrs. An override or a patch that is in place by then takes effect; a
    later patch of PynamoDB does not. A program that patches PynamoDB later sets ``transport = "stock"``.

    Args:
        model: The model's class.
        base: The base class that calls the codec. If a base after it overrides PynamoDB, there is nothing to compile.

    Attributes:
        model: The model's class.
        base: That base class.
        item_fast_path: The model's ``ItemFastPath``.
    """

    item_fast_path: t.Any = None

    def __init__(self, model: t.Any, *, base: type) -> None:
        self.model = model
        self.base = base

    # Without a lock: two threads at once compile two equal ones.
    @cached_property
    def deserializer(self) -> Deserializer | None:
        """The deserializer, or None if PynamoDB must deserialize this model itself."""
        return compile_deserializer(self.model) if self._calls_pynamodb else None

    @cached_property
    def serializer(self) -> Serializer | None:
        """The serializer, or None if PynamoDB must serialize this model itself."""
        from dynaflask.model.codec.serializer import compile_serializer  # noqa: PLC0415 - see the class

        return compile_serializer(self.model) if self._calls_pynamodb else None

    @cached_property
    def checked_serializer(self) -> CheckedSerializer | None:
        """The serializer that also tells if the item is plain; None as for :attr:`serializer`."""
        functions = self._checked_functions
        return None if functions is None else t.cast("CheckedSerializer", functions.serialize)

    @cached_property
    def struct_serializer(self) -> CheckedSerializer | None:
        """The same, with msgspec, but an item of the fast path is a struct; None if there is no fast path."""
        from dynaflask.model.codec.struct_serializer import struct_serializer  # noqa: PLC0415 - see the class

        return struct_serializer(self.model, self._checked_functions)

    @cached_property
    def _checked_functions(self) -> Functions | None:
        from dynaflask.model.codec.serializer import compile_checked_serializer  # noqa: PLC0415 - see the class

        return compile_checked_serializer(self.model, is_plain=is_plain) if self._calls_pynamodb else None

    @cached_property
    def responses(self) -> ResponseDecoder | None:
        """Decodes whole responses; None if that would run user code, which must run item by item."""
        deserializer = self.deserializer
        if deserializer is None or not deserializer.runs_no_user_code:
            return None
        return ResponseDecoder(self.model, deserializer.make)

    @property
    def _calls_pynamodb(self) -> bool:
        # A program may put another JSON module into PynamoDB, say to read numbers as decimals.
        uses_json = t.cast("t.Any", attributes).json is json
        return uses_json and is_unmodified(self.model, MODEL_HOOKS, after=self.base)
