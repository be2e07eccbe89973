"""The codec of a model, found at each use, and ``from_raw_data``, which calls it for each item that is read."""

from __future__ import annotations

import typing as t

from dynaflask.model.tenant_pages import with_tenant
from dynaflask.registry.context import current_scope
from dynaflask.registry.declaration import own_attribute

if t.TYPE_CHECKING:
    from dynaflask.model.codec.compiled import CompiledCodec
    from dynaflask.model.codec.responses import ResponseDecoder
    from dynaflask.registry.scope import Scope


class FromRawData:
    """``Model.from_raw_data``: makes an object from an item.

    PynamoDB looks up the method once for all items of a query. The function that it gets finds the codec once, too.

    Attributes:
        base: The class that defines it, which is the base of all models.
    """

    base: t.Any

    def __set_name__(self, owner: type, name: str) -> None:
        self.base = owner

    def __get__(self, instance: object, owner: t.Any) -> t.Callable[..., t.Any]:
        make: t.Callable[[t.Any], t.Any] | None = None
        # The scope of the look-up is the scope of the query; its items may be read in another tenant's block.
        scope = current_scope(owner.__dynamo__)

        def from_raw_data(data: dict[str, t.Any] | None) -> t.Any:
            nonlocal make
            if make is not None and data is not None:
                return make(data)
            # A program may look up the method outside of contexts, and call it in one.
            used_in = scope or current_scope(owner.__dynamo__)
            codec = codec_in(used_in, owner)
            deserializer = None if codec is None or data is None else codec.deserializer
            # PynamoDB's own method is looked up only if it is needed: that takes as long as a codec.
            plain = deserializer.make if deserializer else t.cast("t.Any", super(self.base, owner)).from_raw_data
            made = with_tenant(plain, None if used_in is None else used_in.known_tenant)
            if scope is not None and scope.known_principal is not None:
                make = made
            return made(data)

        return from_raw_data


FROM_RAW_DATA: t.Final = FromRawData()


def codec_of(model: t.Any) -> CompiledCodec | None:
    """The codec that converts a model's items in the current scope; None if PynamoDB does."""
    return codec_in(current_scope(model.__dynamo__), model)


def codec_in(scope: Scope | None, model: t.Any) -> CompiledCodec | None:
    """As :func:`codec_of`, for a scope, or for use outside of contexts."""
    return find_codec(model, None) if scope is None else scope.codec_for(model, find_codec)


def find_codec(model: t.Any, scope: Scope | None) -> CompiledCodec | None:
    """The codec of a model, which a scope keeps; None if PynamoDB converts the items."""
    declaration = model.__declaration__
    if scope is not None and declaration is not None and scope.wants_stock(declaration):
        return None
    codec: CompiledCodec | None = model.__codec__
    # Two threads may each make a codec here. The two are equal, and the later one stays.
    if codec is None or codec.model is not model:
        from dynaflask.model.item_fast_path import codec_with_fast_path  # noqa: PLC0415 - a declaration does not need it

        codec = model.__codec__ = codec_with_fast_path(model, base=FROM_RAW_DATA.base)
    return codec


def safe_responses(model: t.Any, codec: CompiledCodec | None) -> ResponseDecoder | None:
    """A decoder that runs no user code, and can run at any time in any scope; or None."""
    return codec.responses if codec is not None and has_own_from_raw_data(model) else None


def has_own_from_raw_data(model: t.Any) -> bool:
    """True if a model makes its objects by :class:`FromRawData`.

    A program may override or patch ``from_raw_data`` at any time, in the model or in the base of all models.
    """
    return own_attribute(model, "from_raw_data") is FROM_RAW_DATA
